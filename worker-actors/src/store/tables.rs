//! The tables, as the newest migration leaves them.

diesel::table! {
    terminals (id) {
        id -> Text,
        title -> Text,
        width -> Integer,
        height -> Integer,
        state -> Integer,
        exit_code -> Integer,
        created_ms -> BigInt,
        kept_ms -> BigInt,
        screen -> Binary,
    }
}

diesel::table! {
    devices (user_id, key) {
        user_id -> Text,
        key -> Binary,
        algorithm -> Integer,
        state -> Integer,
        fingerprint -> Text,
        label -> Text,
        first_seen_ms -> BigInt,
        last_seen_ms -> BigInt,
        expires_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    serials (signer, subject, workspace) {
        signer -> Text,
        subject -> Binary,
        workspace -> Text,
        serial -> BigInt,
    }
}
