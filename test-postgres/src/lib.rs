//! A PostgreSQL of their own for the tests: started when a test of the process first asks for one,
//! gone with the process however that ends, each test in a database of its own.
//!
//! It uses the PostgreSQL of the machine (`apt-get install postgresql`), but never one that runs
//! there: data, socket and port are its own, in a temporary folder. It may also be asked for from
//! several test processes at once; each has another. The cluster is made once per machine and
//! copied for each of them.
//!
//! What it never does: keep data. It does not even wait for the disk.

mod cluster;
mod server;

use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering},
};

pub use server::{Server, Tls};

/// The one server of this process.
///
/// # Panics
///
/// Where PostgreSQL is not installed or does not start; the message says what to do.
#[must_use]
pub fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(None))
}

/// A new, empty database on the server of this process.
///
/// # Panics
///
/// Like [`server`].
#[must_use]
pub fn database() -> Database {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    server().create(&name)
}

/// An empty database; it goes with its server.
#[derive(Debug, Clone)]
pub struct Database {
    folder: String,
    port: u16,
    name: String,
}

impl Database {
    /// How to reach it through the server's Unix socket.
    #[must_use]
    pub fn dsn(&self) -> String {
        let Self { folder, port, name } = self;
        format!("host={folder} port={port} user=postgres dbname={name}")
    }

    /// How to reach it over loopback, where `sslmode` counts.
    #[must_use]
    pub fn tcp_dsn(&self, sslmode: &str) -> String {
        let Self { port, name, .. } = self;
        format!("postgres://postgres@127.0.0.1:{port}/{name}?sslmode={sslmode}")
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its server's TCP port on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_database_is_another() {
        let (one, other) = (database(), database());
        assert_ne!(one.dsn(), other.dsn());
    }
}
