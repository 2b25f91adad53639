//! The tables of `migrations/hub`, as diesel sees them.
//!
//! Times are milliseconds since 1970, UTC; what the numbers of a column mean stands in the SQL.

diesel::table! {
    users (id) {
        id -> Text,
        username -> Text,
        display_name -> Text,
        email -> Nullable<Text>,
        email_verified -> Bool,
        password_hash -> Nullable<Text>,
        admin -> Bool,
        created_ms -> BigInt,
        disabled_ms -> Nullable<BigInt>,
        failed_logins -> Integer,
        locked_until_ms -> BigInt,
    }
}

diesel::table! {
    organisations (id) {
        id -> Text,
        slug -> Text,
        name -> Text,
        personal_user_id -> Nullable<Text>,
        created_ms -> BigInt,
        max_members -> Nullable<Integer>,
        max_workers -> Nullable<Integer>,
        max_channels -> Nullable<Integer>,
        max_bytes_per_second -> Nullable<BigInt>,
    }
}

diesel::table! {
    memberships (organisation_id, user_id) {
        organisation_id -> Text,
        user_id -> Text,
        role -> SmallInt,
        joined_ms -> BigInt,
    }
}

diesel::table! {
    invitations (id) {
        id -> Text,
        secret_hash -> Nullable<Binary>,
        organisation_id -> Text,
        role -> SmallInt,
        user_id -> Nullable<Text>,
        created_by -> Text,
        created_ms -> BigInt,
        expires_ms -> BigInt,
        uses_left -> Integer,
        invited_name -> Nullable<Text>,
    }
}

diesel::table! {
    workspaces (id) {
        id -> Text,
        organisation_id -> Text,
        owner_user_id -> Text,
        title -> Text,
        created_ms -> BigInt,
        archived_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    workspace_layouts (workspace_id) {
        workspace_id -> Text,
        document -> Binary,
        updated_ms -> BigInt,
        base_sequence -> BigInt,
    }
}

diesel::table! {
    workspace_layout_updates (workspace_id, sequence) {
        workspace_id -> Text,
        sequence -> BigInt,
        content -> Binary,
    }
}

diesel::table! {
    workspace_shares (workspace_id, grantee_kind, grantee_id) {
        workspace_id -> Text,
        grantee_kind -> SmallInt,
        grantee_id -> Text,
        role -> SmallInt,
        granted_by -> Text,
        granted_ms -> BigInt,
    }
}

diesel::table! {
    workers (id) {
        id -> Text,
        owner_user_id -> Text,
        organisation_id -> Text,
        name -> Text,
        public_key -> Binary,
        encryption_mode -> SmallInt,
        token_hash -> Binary,
        bundled -> Bool,
        version -> Text,
        registered_ms -> BigInt,
        last_seen_ms -> BigInt,
        registration_id -> Text,
        registration_tag -> Binary,
        deregistering_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    worker_workspaces (worker_id, workspace_id) {
        worker_id -> Text,
        workspace_id -> Text,
    }
}

diesel::table! {
    token_families (id) {
        id -> Text,
        user_id -> Text,
        label -> Text,
        scopes -> Text,
        created_ms -> BigInt,
        revoked_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    refresh_tokens (id) {
        id -> Text,
        family_id -> Text,
        secret_hash -> Binary,
        created_ms -> BigInt,
        expires_ms -> BigInt,
        used_ms -> Nullable<BigInt>,
        replaced_by -> Nullable<Text>,
        access_hash -> Nullable<Binary>,
        access_expires_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    credentials (id) {
        id -> Text,
        user_id -> Text,
        kind -> SmallInt,
        family_id -> Nullable<Text>,
        parent_id -> Nullable<Text>,
        secret_hash -> Nullable<Binary>,
        label -> Text,
        user_agent -> Text,
        address -> Text,
        scopes -> Text,
        workspace_id -> Nullable<Text>,
        worker_id -> Nullable<Text>,
        tab_id -> Nullable<Text>,
        created_ms -> BigInt,
        last_used_ms -> BigInt,
        expires_ms -> Nullable<BigInt>,
        revoked_ms -> Nullable<BigInt>,
        revoke_reason -> Nullable<SmallInt>,
        swept_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    mail_codes (secret_hash) {
        secret_hash -> Binary,
        user_id -> Text,
        purpose -> SmallInt,
        email -> Text,
        expires_ms -> BigInt,
    }
}

diesel::table! {
    grant_certificates (id) {
        id -> Text,
        worker_id -> Text,
        workspace_id -> Text,
        grantee_user_id -> Text,
        serial -> BigInt,
        signed -> Binary,
        expires_ms -> BigInt,
        created_ms -> BigInt,
    }
}

diesel::table! {
    device_certificates (id) {
        id -> Text,
        user_id -> Text,
        serial -> BigInt,
        signed -> Binary,
        expires_ms -> BigInt,
        created_ms -> BigInt,
    }
}

diesel::table! {
    user_devices (user_id, key) {
        user_id -> Text,
        algorithm -> Integer,
        key -> Binary,
        label -> Text,
        created_ms -> BigInt,
        last_seen_ms -> BigInt,
    }
}

diesel::table! {
    registration_keys (id_hash) {
        id_hash -> Binary,
        user_id -> Text,
        worker_name -> Text,
        device_algorithm -> Integer,
        device_key -> Binary,
        device_tag -> Binary,
        expires_ms -> BigInt,
        organisation_id -> Nullable<Text>,
    }
}

diesel::table! {
    oauth_providers (id) {
        id -> Text,
        kind -> SmallInt,
        name -> Text,
        issuer -> Text,
        client_id -> Text,
        sealed_client_secret -> Binary,
        scopes -> Text,
        trusted_email -> Bool,
        enabled -> Bool,
        created_ms -> BigInt,
    }
}

diesel::table! {
    oauth_links (provider_id, subject) {
        provider_id -> Text,
        subject -> Text,
        user_id -> Text,
        email -> Nullable<Text>,
        sealed_tokens -> Nullable<Binary>,
        created_ms -> BigInt,
        tokens_expire_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    oauth_states (secret_hash) {
        secret_hash -> Binary,
        provider_id -> Text,
        browser_hash -> Binary,
        nonce -> Text,
        sealed_verifier -> Binary,
        redirect_to -> Text,
        user_id -> Nullable<Text>,
        expires_ms -> BigInt,
        credential_id -> Nullable<Text>,
    }
}

diesel::table! {
    device_logins (code_hash) {
        code_hash -> Binary,
        user_code -> Text,
        user_id -> Nullable<Text>,
        client -> Text,
        approved_ms -> Nullable<BigInt>,
        expires_ms -> BigInt,
        polled_ms -> BigInt,
        address -> Text,
        declined_ms -> Nullable<BigInt>,
        credential_id -> Nullable<Text>,
    }
}

diesel::table! {
    authorisations (code_hash) {
        code_hash -> Binary,
        challenge -> Text,
        redirect_uri -> Text,
        user_id -> Text,
        expires_ms -> BigInt,
        client -> Text,
        credential_id -> Nullable<Text>,
    }
}

diesel::table! {
    link_intents (credential_id) {
        credential_id -> Text,
        expires_ms -> BigInt,
    }
}

diesel::table! {
    ledger (seq) {
        seq -> BigInt,
        kind -> SmallInt,
        subject_id -> Text,
        reason -> SmallInt,
        at_ms -> BigInt,
    }
}

diesel::table! {
    ledger_counter (id) {
        id -> SmallInt,
        last -> BigInt,
    }
}

diesel::table! {
    audit_log (seq) {
        seq -> BigInt,
        at_ms -> BigInt,
        actor_kind -> Text,
        actor_id -> Text,
        address -> Text,
        action -> Text,
        object_kind -> Text,
        object_id -> Text,
        organisation_id -> Nullable<Text>,
        detail -> Text,
        previous_hash -> Binary,
        hash -> Binary,
    }
}

diesel::table! {
    settings (key) {
        key -> Text,
        value -> Text,
    }
}

diesel::joinable!(organisations -> users (personal_user_id));
diesel::joinable!(memberships -> organisations (organisation_id));
diesel::joinable!(memberships -> users (user_id));
diesel::joinable!(invitations -> organisations (organisation_id));
diesel::joinable!(invitations -> users (user_id));
diesel::joinable!(workspaces -> organisations (organisation_id));
diesel::joinable!(workspaces -> users (owner_user_id));
diesel::joinable!(workspace_layouts -> workspaces (workspace_id));
diesel::joinable!(workspace_layout_updates -> workspaces (workspace_id));
diesel::joinable!(workspace_shares -> workspaces (workspace_id));
diesel::joinable!(workers -> users (owner_user_id));
diesel::joinable!(workers -> organisations (organisation_id));
diesel::joinable!(worker_workspaces -> workers (worker_id));
diesel::joinable!(worker_workspaces -> workspaces (workspace_id));
diesel::joinable!(token_families -> users (user_id));
diesel::joinable!(refresh_tokens -> token_families (family_id));
diesel::joinable!(credentials -> users (user_id));
diesel::joinable!(credentials -> token_families (family_id));
diesel::joinable!(credentials -> workspaces (workspace_id));
diesel::joinable!(credentials -> workers (worker_id));
diesel::joinable!(mail_codes -> users (user_id));
diesel::joinable!(grant_certificates -> workers (worker_id));
diesel::joinable!(grant_certificates -> workspaces (workspace_id));
diesel::joinable!(grant_certificates -> users (grantee_user_id));
diesel::joinable!(device_certificates -> users (user_id));
diesel::joinable!(user_devices -> users (user_id));
diesel::joinable!(registration_keys -> users (user_id));
diesel::joinable!(oauth_links -> oauth_providers (provider_id));
diesel::joinable!(oauth_links -> users (user_id));
diesel::joinable!(oauth_states -> oauth_providers (provider_id));
diesel::joinable!(oauth_states -> users (user_id));
diesel::joinable!(device_logins -> users (user_id));
diesel::joinable!(authorisations -> users (user_id));
diesel::joinable!(link_intents -> credentials (credential_id));

diesel::allow_tables_to_appear_in_same_query!(
    authorisations,
    credentials,
    device_certificates,
    device_logins,
    grant_certificates,
    invitations,
    link_intents,
    mail_codes,
    memberships,
    oauth_links,
    oauth_providers,
    oauth_states,
    organisations,
    refresh_tokens,
    registration_keys,
    token_families,
    user_devices,
    users,
    worker_workspaces,
    workers,
    workspace_layout_updates,
    workspace_layouts,
    workspace_shares,
    workspaces,
);
