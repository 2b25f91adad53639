//! The whole Hub, on port 0, through its own doors: raw HTTP, WebSockets, gRPC.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod accounts;
mod admin;
mod books;
mod discarded;
mod doors;
mod drain;
mod events;
mod http2;
mod layout;
mod limits;
mod links;
#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "a test plays many peers at once, and says what it measured"
)]
mod live;
mod mail;
mod oauth;
mod organisations;
mod pending;
mod people;
mod postgres;
mod pressure;
mod provider;
mod relay;
mod renewal;
mod revocation;
mod sign_in;
mod sink;
mod stage;
mod start;
mod support;
mod tenancy;
#[expect(clippy::wildcard_enum_match_arm, reason = "a test reads JSON")]
mod tenants;
mod tokens;
mod workers;
mod workspaces;
