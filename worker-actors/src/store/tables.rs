//! The tables, as the newest migration leaves them.

diesel::table! {
    terminals (id) {
        id -> Text,
        title -> Text,
        workspace_id -> Text,
        width -> Integer,
        height -> Integer,
        state -> Integer,
        exit_code -> Integer,
        created_ms -> BigInt,
        kept_ms -> BigInt,
        screen -> Binary,
        sequence -> BigInt,
    }
}

diesel::table! {
    devices (user_id, key) {
        user_id -> Text,
        key -> Binary,
        algorithm -> Integer,
        state -> Integer,
        source -> Text,
        fingerprint -> Text,
        first_seen_ms -> BigInt,
        last_seen_ms -> BigInt,
        expires_at -> Nullable<BigInt>,
        signer -> Nullable<Binary>,
    }
}

diesel::table! {
    grants (user_id, workspace_id) {
        user_id -> Text,
        workspace_id -> Text,
        role -> Integer,
        expires_at -> BigInt,
        device -> Binary,
        signer -> Binary,
    }
}

diesel::table! {
    serials (signer, subject, workspace_id) {
        signer -> Text,
        subject -> Binary,
        workspace_id -> Text,
        serial -> BigInt,
    }
}
