//! Devices and certificate serials.
