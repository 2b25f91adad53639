//! The command line as a client: the same channel as the page's, from a shell.

pub(crate) mod address;
pub(crate) mod certificates;
pub(crate) mod channel;
pub(crate) mod delegation;
pub(crate) mod device;
pub(crate) mod dial;
pub(crate) mod escape;
pub(crate) mod folder;
pub(crate) mod hub;
pub(crate) mod keyboard;
pub(crate) mod login;
pub(crate) mod notice;
pub(crate) mod pins;
pub(crate) mod registrations;
pub(crate) mod relay;
pub(crate) mod screen;
pub(crate) mod tty;
pub(crate) mod way;
