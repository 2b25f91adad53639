//! The tables of `migrations/hub`, as diesel sees them.

diesel::table! {
    organisations (id) {
        id -> Text,
        name -> Text,
    }
}

diesel::table! {
    users (id) {
        id -> Text,
        organisation_id -> Text,
        username -> Text,
        created_ms -> BigInt,
    }
}

diesel::table! {
    workspaces (id) {
        id -> Text,
        owner_user_id -> Text,
        title -> Text,
        created_ms -> BigInt,
    }
}

diesel::table! {
    credentials (id) {
        id -> Text,
        user_id -> Text,
        kind -> SmallInt,
        parent_id -> Nullable<Text>,
        secret_hash -> Nullable<Binary>,
        created_ms -> BigInt,
        expires_ms -> Nullable<BigInt>,
        revoked_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    workers (id) {
        id -> Text,
        owner_user_id -> Text,
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
    }
}

diesel::allow_tables_to_appear_in_same_query!(credentials, users);
