//! Device keys that grants can name, and the certificates between them.

mod certifying;
mod registering;
pub(crate) mod signed;
#[cfg(test)]
mod tests;

pub(crate) use certifying::publish_device_certificate;
pub(crate) use registering::{forget_device, list_devices, register_device};
