//! Every decoder of the project, each as a function that takes any bytes and may not panic.
//!
//! A target says more than "no crash": what is taken encodes to the same again, what was altered
//! is refused, what two implementations of a rule say is equal. Without libFuzzer this crate is
//! a test that replays `corpus/`; `fuzz/run` builds it with counters and looks for more.
//!
//! It never ships: nothing depends on it.

pub mod channel;
pub mod crypto;
pub mod dice;
pub mod ends;
pub mod hub;
pub mod program;
pub mod schema;
pub mod trust;
pub mod verdict;
mod words;
pub mod worker;

/// One decoder under test.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of its folder under `corpus/`.
    pub name: &'static str,
    /// Panics for an input that shows a bug.
    pub run: fn(&[u8]),
}

/// A table of targets.
macro_rules! targets {
    ($($module:ident :: $name:ident),+ $(,)?) => {
        /// All of them.
        pub const TARGETS: &[Target] =
            &[$(Target { name: stringify!($name), run: $module::$name }),+];
    };
}

targets! {
    schema::outer,
    schema::ids,
    schema::inner,
    schema::link,
    schema::services,
    schema::hub_methods,
    channel::chunks,
    channel::split,
    channel::relay,
    channel::mux,
    ends::worker_end,
    ends::client_end,
    crypto::message_1,
    crypto::message_2,
    crypto::renewal,
    crypto::transport,
    crypto::signed,
    crypto::keys,
    crypto::trust_of_keys,
    trust::certificates,
    worker::screen,
    worker::resize,
    worker::boundary,
    worker::answers,
    worker::registration_key,
    worker::hub_address,
    worker::hub_state,
    hub::provenance,
    hub::admin_host,
    hub::credentials,
    hub::key_file,
    hub::fragments,
    hub::edge,
    program::configuration,
    program::address,
    program::escape,
    program::remote_files,
}

/// The target of this name.
#[must_use]
pub fn find(name: &str) -> Option<Target> {
    TARGETS.iter().find(|target| target.name == name).copied()
}
