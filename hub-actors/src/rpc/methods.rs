//! Every unary method: its name, what its caller has to be, and who answers it.

use bytes::Bytes;

use super::Codec;
use crate::{
    accounts, administration,
    asked::{Asked, Need},
    devices,
    error::Refusal,
    oauth, organisations,
    scope::Scope::{Channels, Organisations, Read, Workers, Workspaces},
    tokens, workers, workspaces,
};

/// The largest body of a call: some 200 times the largest honest one.
pub(crate) const BODY_MAX: usize = 256 * 1_024;
/// The same with the whole document of a layout in it, 512 KiB, in JSON.
const DOCUMENT_BODY_MAX: usize = 768 * 1_024;

impl Method {
    /// The largest body, from somebody who has shown who they are.
    pub(crate) const fn body_max(self) -> usize {
        if matches!(self, Self::SyncLayout) {
            DOCUMENT_BODY_MAX
        } else {
            BODY_MAX
        }
    }
}

macro_rules! methods {
    ($($variant:ident = $service:literal / $method:literal, $need:ident $(($scope:ident))?, $handler:path;)+) => {
        /// Every unary method.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Method { $($variant),+ }

        impl Method {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The method of a request's path.
            pub(crate) fn find(service: &str, method: &str) -> Option<Self> {
                match (service, method) {
                    $((concat!("leapmux.v1.", $service), $method) => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The fully qualified name, for metrics and logs.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$variant => concat!("leapmux.v1.", $service, "/", $method)),+ }
            }

            /// What its caller has to be.
            pub(crate) const fn need(self) -> Need {
                match self { $(Self::$variant => Need::$need $(($scope))?),+ }
            }
        }

        /// Decodes, answers and encodes. Boxed one by one, so that no call is as large as the largest.
        pub(super) async fn run(
            asked: &Asked,
            method: Method,
            codec: Codec,
            body: Bytes,
        ) -> Result<Bytes, Refusal> {
            match method {
                $(Method::$variant => Box::pin(async move {
                    let request = codec.decode(body)?;
                    codec.encode(&$handler(asked, request).await?)
                }).await,)+
            }
        }
    };
}

methods! {
    WhoAmI = "AccountService" / "WhoAmI", Anyone, accounts::who_am_i;
    SetUp = "AccountService" / "SetUp", Anyone, accounts::set_up;
    SignUp = "AccountService" / "SignUp", Anyone, accounts::sign_up;
    SignIn = "AccountService" / "SignIn", Anyone, accounts::sign_in;
    SignOut = "AccountService" / "SignOut", Anyone, accounts::sign_out;
    ChangePassword = "AccountService" / "ChangePassword", Login, accounts::change_password;
    UpdateProfile = "AccountService" / "UpdateProfile", Login, accounts::update_profile;
    RequestEmailChange = "AccountService" / "RequestEmailChange", Login, accounts::request_email_change;
    ConfirmEmail = "AccountService" / "ConfirmEmail", Anyone, accounts::confirm_email;
    RequestPasswordReset = "AccountService" / "RequestPasswordReset", Anyone, accounts::request_password_reset;
    ResetPassword = "AccountService" / "ResetPassword", Anyone, accounts::reset_password;
    DeleteAccount = "AccountService" / "DeleteAccount", Login, accounts::delete_account;
    ListLogins = "AccountService" / "ListLogins", Login, accounts::list_logins;
    RevokeLogin = "AccountService" / "RevokeLogin", Login, accounts::revoke_login;
    RevokeOtherLogins = "AccountService" / "RevokeOtherLogins", Login, accounts::revoke_other_logins;
    RegisterDevice = "AccountService" / "RegisterDevice", Scope(Channels), devices::register_device;
    ListDevices = "AccountService" / "ListDevices", Scope(Read), devices::list_devices;
    ForgetDevice = "AccountService" / "ForgetDevice", Login, devices::forget_device;
    PublishDeviceCertificate = "AccountService" / "PublishDeviceCertificate", Scope(Channels), devices::publish_device_certificate;
    ListProviders = "AccountService" / "ListProviders", Anyone, oauth::list_providers;
    ListLinkedAccounts = "AccountService" / "ListLinkedAccounts", Login, oauth::list_linked_accounts;
    BeginLink = "AccountService" / "BeginLink", Login, oauth::begin_link;
    UnlinkAccount = "AccountService" / "UnlinkAccount", Login, oauth::unlink_account;
    ListOrganisations = "OrganisationService" / "ListOrganisations", Scope(Read), organisations::list_organisations;
    CreateOrganisation = "OrganisationService" / "CreateOrganisation", Scope(Organisations), organisations::create_organisation;
    UpdateOrganisation = "OrganisationService" / "UpdateOrganisation", Scope(Organisations), organisations::update_organisation;
    DeleteOrganisation = "OrganisationService" / "DeleteOrganisation", Scope(Organisations), organisations::delete_organisation;
    ListMembers = "OrganisationService" / "ListMembers", Scope(Read), organisations::list_members;
    InviteMember = "OrganisationService" / "InviteMember", Scope(Organisations), organisations::invite_member;
    CreateInviteLink = "OrganisationService" / "CreateInviteLink", Scope(Organisations), organisations::create_invite_link;
    ListInvitations = "OrganisationService" / "ListInvitations", Scope(Read), organisations::list_invitations;
    RevokeInvitation = "OrganisationService" / "RevokeInvitation", Scope(Organisations), organisations::revoke_invitation;
    AcceptInvitation = "OrganisationService" / "AcceptInvitation", Scope(Organisations), organisations::accept_invitation;
    DeclineInvitation = "OrganisationService" / "DeclineInvitation", Scope(Organisations), organisations::decline_invitation;
    ChangeRole = "OrganisationService" / "ChangeRole", Scope(Organisations), organisations::change_role;
    RemoveMember = "OrganisationService" / "RemoveMember", Scope(Organisations), organisations::remove_member;
    SetQuotas = "OrganisationService" / "SetQuotas", Admin, organisations::set_quotas;
    ListWorkspaces = "WorkspaceService" / "ListWorkspaces", Scope(Read), workspaces::list_workspaces;
    CreateWorkspace = "WorkspaceService" / "CreateWorkspace", Scope(Workspaces), workspaces::create_workspace;
    RenameWorkspace = "WorkspaceService" / "RenameWorkspace", Scope(Workspaces), workspaces::rename_workspace;
    ArchiveWorkspace = "WorkspaceService" / "ArchiveWorkspace", Scope(Workspaces), workspaces::archive_workspace;
    RestoreWorkspace = "WorkspaceService" / "RestoreWorkspace", Scope(Workspaces), workspaces::restore_workspace;
    DeleteWorkspace = "WorkspaceService" / "DeleteWorkspace", Scope(Workspaces), workspaces::delete_workspace;
    TransferWorkspace = "WorkspaceService" / "TransferWorkspace", Scope(Workspaces), workspaces::transfer_workspace;
    ListShares = "WorkspaceService" / "ListShares", Scope(Read), workspaces::list_shares;
    ShareWorkspace = "WorkspaceService" / "ShareWorkspace", Scope(Workspaces), workspaces::share_workspace;
    UnshareWorkspace = "WorkspaceService" / "UnshareWorkspace", Scope(Workspaces), workspaces::unshare_workspace;
    AttachWorker = "WorkspaceService" / "AttachWorker", Scope(Workspaces), workspaces::attach_worker;
    DetachWorker = "WorkspaceService" / "DetachWorker", Scope(Workspaces), workspaces::detach_worker;
    ListGrantees = "WorkspaceService" / "ListGrantees", Scope(Read), workspaces::list_grantees;
    PublishGrants = "WorkspaceService" / "PublishGrants", Scope(Workspaces), workspaces::publish_grants;
    ListCertificates = "WorkspaceService" / "ListCertificates", Scope(Channels), workspaces::list_certificates;
    SyncLayout = "WorkspaceService" / "SyncLayout", Scope(Workspaces), workspaces::sync_layout;
    AnnouncePresence = "WorkspaceService" / "AnnouncePresence", Scope(Workspaces), workspaces::announce_presence;
    ListWorkers = "WorkerService" / "ListWorkers", Scope(Channels), workers::list;
    GetHandshakeParameters = "WorkerService" / "GetHandshakeParameters", Scope(Channels), workers::handshake_parameters;
    CreateRegistrationKey = "WorkerService" / "CreateRegistrationKey", Scope(Workers), workers::create_key;
    ExtendRegistrationKey = "WorkerService" / "ExtendRegistrationKey", Scope(Workers), workers::extend_key;
    RevokeRegistrationKey = "WorkerService" / "RevokeRegistrationKey", Scope(Workers), workers::revoke_key;
    RenameWorker = "WorkerService" / "RenameWorker", Scope(Workers), workers::rename_worker;
    DeregisterWorker = "WorkerService" / "DeregisterWorker", Scope(Workers), workers::deregister_worker;
    TransferWorker = "WorkerService" / "TransferWorker", Scope(Workers), workers::transfer_worker;
    Register = "WorkerRegistration" / "Register", Anyone, workers::register;
    Deregister = "WorkerRegistration" / "Deregister", Worker, workers::deregister;
    CreateApiToken = "TokenService" / "CreateApiToken", Login, tokens::create_api_token;
    ListApiTokens = "TokenService" / "ListApiTokens", Login, tokens::list_api_tokens;
    RevokeApiToken = "TokenService" / "RevokeApiToken", Anyone, tokens::revoke_api_token;
    RefreshToken = "TokenService" / "RefreshToken", Anyone, tokens::refresh_token;
    AuthoriseCommandLine = "TokenService" / "AuthoriseCommandLine", Login, tokens::authorise_command_line;
    ExchangeAuthorisation = "TokenService" / "ExchangeAuthorisation", Anyone, tokens::exchange_authorisation;
    StartDeviceLogin = "TokenService" / "StartDeviceLogin", Anyone, tokens::start_device_login;
    DescribeDeviceLogin = "TokenService" / "DescribeDeviceLogin", Login, tokens::describe_device_login;
    DecideDeviceLogin = "TokenService" / "DecideDeviceLogin", Login, tokens::decide_device_login;
    PollDeviceLogin = "TokenService" / "PollDeviceLogin", Anyone, tokens::poll_device_login;
    ListDelegations = "TokenService" / "ListDelegations", Login, tokens::list_delegations;
    RevokeDelegation = "TokenService" / "RevokeDelegation", Login, tokens::revoke_delegation;
    MintDelegation = "DelegationService" / "MintDelegation", Worker, tokens::mint_delegation;
    ListUsers = "AdministrationService" / "ListUsers", Admin, administration::list_users;
    CreateUser = "AdministrationService" / "CreateUser", Admin, administration::create_user;
    SetUserDisabled = "AdministrationService" / "SetUserDisabled", Admin, administration::set_user_disabled;
    SetUserAdmin = "AdministrationService" / "SetUserAdmin", Admin, administration::set_user_admin;
    SetUserPassword = "AdministrationService" / "SetUserPassword", Admin, administration::set_user_password;
    DeleteUser = "AdministrationService" / "DeleteUser", Admin, administration::delete_user;
    ForceLogout = "AdministrationService" / "ForceLogout", Admin, administration::force_logout;
    ListAllOrganisations = "AdministrationService" / "ListAllOrganisations", Admin, administration::list_all_organisations;
    ListAllWorkers = "AdministrationService" / "ListAllWorkers", Admin, administration::list_all_workers;
    ForceDeregisterWorker = "AdministrationService" / "ForceDeregisterWorker", Admin, administration::force_deregister_worker;
    ListRegistrationKeys = "AdministrationService" / "ListRegistrationKeys", Admin, administration::list_registration_keys;
    RevokeRegistrationKeyById = "AdministrationService" / "RevokeRegistrationKeyById", Admin, administration::revoke_registration_key_by_id;
    ListChannels = "AdministrationService" / "ListChannels", Admin, administration::list_channels;
    ListAudit = "AdministrationService" / "ListAudit", Admin, administration::list_audit;
    VerifyAudit = "AdministrationService" / "VerifyAudit", Admin, administration::verify_audit;
    GetSettings = "AdministrationService" / "GetSettings", Admin, administration::get_settings;
    UpdateSettings = "AdministrationService" / "UpdateSettings", Admin, administration::update_settings;
}
