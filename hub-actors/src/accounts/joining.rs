//! How people come to have accounts: the first admin, and whoever signs up.

use schema::{
    ids::UserId,
    wire::{SetUpRequest, SetUpResponse, SignUpRequest, SignUpResponse},
};

use super::{
    email, fields,
    login::{self, NewLogin},
    not_solo,
    password::Password,
    sign_in,
};
use crate::{
    abuse::Network,
    asked::Asked,
    clock,
    config::OrganisationQuotas,
    error::{Fault, Refusal, Unmet},
    notes::Notes,
    organisations::accept_link,
    state::State,
    stop::sorted,
    store::{
        Connection,
        audit::Object,
        credentials, invitations, settings,
        users::{self, FirstIds, NewUser},
    },
    token::{Purpose, SecretHash},
};

/// Gives the first admin a name and a password. Whoever can read the data folder may.
pub(crate) async fn set_up(asked: &Asked, request: SetUpRequest) -> Result<SetUpResponse, Refusal> {
    let state = &asked.state;
    not_solo(state)?;
    let token = sign_in::access_token(asked, &request.access_token).await?;
    let username = fields::username(request.username)?;
    let display_name = fields::display_name(&request.display_name, &username)?;
    let password = Password::chosen(request.password)?;
    let password_hash = state.passwords.hash(password).await?;
    let (login, secret) = NewLogin::of(asked)?;
    let admin = state.admin.clone();
    state
        .order(login::author(asked, &admin.id), move |conn, notes| {
            if !credentials::is_live(conn, &token.id, clock::unix_ms())? {
                return Ok(Err(Refusal::WrongToken));
            }
            if users::is_claimed(conn)? {
                return Ok(Err(Refusal::Unmet(Unmet::SetUpDone)));
            }
            if !users::claim(conn, &admin, &username, &display_name, &password_hash)? {
                return Ok(Err(Refusal::Exists));
            }
            notes.audit("hub.set_up", Object::User, admin.id.as_str());
            login.store(conn, notes, &admin.id, None)?;
            Ok(Ok(()))
        })
        .await?;
    asked.set_cookie(secret);
    Ok(SetUpResponse {})
}

/// Makes an account for whoever asks, where the Hub lets anybody in, and for whoever was invited.
pub(crate) async fn sign_up(
    asked: &Asked,
    request: SignUpRequest,
) -> Result<SignUpResponse, Refusal> {
    let state = &asked.state;
    not_solo(state)?;
    state.abuse.sign_up(Network::from(asked.from.address))?;
    let username = fields::username(request.username)?;
    let display_name = fields::display_name(&request.display_name, &username)?;
    let email = fields::email(&request.email)?;
    let password = Password::chosen(request.password)?;
    let entry = Entry::of(state, &request.invitation)?;
    // Looked at before a password is hashed, and again where it counts.
    let found = state.store.run_for_stranger(move |conn| entry.check(conn));
    found.await??;
    let new = NewUser {
        ids: FirstIds::random()?,
        username,
        display_name,
        email,
        email_verified: false,
        password_hash: Some(state.passwords.hash(password).await?),
        admin: false,
    };
    let (user, username) = (new.ids.user.clone(), new.username.clone());
    let email = new.email.clone();
    let (login, secret) = NewLogin::of(asked)?;
    let author = login::author(asked, &user);
    state
        .order(author, move |conn, notes| {
            if let Err(refused) = entry.check(conn)? {
                return Ok(Err(refused));
            }
            if !users::create(conn, &new, clock::unix_ms())? {
                return Ok(Err(Refusal::Exists));
            }
            notes.audit("user.created", Object::User, new.ids.user.as_str());
            if let Err(refused) = entry.join(conn, notes, &new.ids.user)? {
                return Ok(Err(refused));
            }
            login.store(conn, notes, &new.ids.user, None)?;
            Ok(Ok(()))
        })
        .await?;
    asked.set_cookie(secret);
    // The account is there; whoever got no mail asks for another.
    if let Err(refusal) = email::ask_newcomer(asked, user, &username, email).await {
        tracing::warn!(
            error = &refusal as &dyn std::error::Error,
            "a newcomer got no mail"
        );
    }
    Ok(SignUpResponse {})
}

/// Why somebody may make an account.
#[derive(Clone, Copy)]
struct Entry {
    /// What the configuration says of the Hub as a whole.
    is_open: bool,
    /// Of a link that invites into an organisation.
    invitation: Option<SecretHash>,
    quotas: OrganisationQuotas,
}

/// Longer invitations are nobody's.
const INVITATION_MAX: usize = 256;

impl Entry {
    fn of(state: &State, invitation: &str) -> Result<Self, Refusal> {
        if invitation.len() > INVITATION_MAX {
            return Err(Refusal::WrongCode);
        }
        let hash = || state.pepper.hash(Purpose::Invitation, invitation);
        Ok(Self {
            is_open: state.config.sign_up,
            invitation: (!invitation.is_empty()).then(hash),
            quotas: state.config.organisations,
        })
    }

    /// Whether it is one. An invitation that is no good is told so also where anybody may come in.
    fn check(&self, conn: &mut Connection) -> Result<Result<(), Refusal>, Fault> {
        let Some(invitation) = self.invitation else {
            let is_open = settings::sign_up(conn, self.is_open)?;
            return Ok(is_open
                .then_some(())
                .ok_or(Refusal::Unmet(Unmet::SignUpClosed)));
        };
        let found = invitations::find_by_secret(conn, invitation, clock::unix_ms())?;
        Ok(found.map(drop).ok_or(Refusal::WrongCode))
    }

    /// Makes whoever was invited a member.
    fn join(
        &self,
        conn: &mut Connection,
        notes: &mut Notes,
        user: &UserId,
    ) -> Result<Result<(), Refusal>, Fault> {
        let Some(invitation) = self.invitation else {
            return Ok(Ok(()));
        };
        sorted(accept_link(conn, notes, invitation, user, &self.quotas).map(drop))
    }
}
