//! For tests: a database of each kind, and the same test on both.

use std::time::Duration;

use tempfile::TempDir;

use super::{
    Store,
    open::Storage,
    postgres::{Settings, dsn::Limits},
};

/// A new database with all tables, gone when this is.
pub(crate) struct Sandbox {
    pub(crate) store: Store,
    /// Where the file is, if it is one.
    pub(crate) folder: Option<TempDir>,
    /// Where the server's database is, if it is that.
    pub(crate) server: Option<test_postgres::Database>,
}

/// Enough for a crowded machine.
const WAIT: Duration = Duration::from_secs(20);

impl Sandbox {
    /// A file.
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Storage::sqlite(folder.path(), WAIT).open().unwrap();
        Self {
            store,
            folder: Some(folder),
            server: None,
        }
    }

    /// A database of this process's own server.
    pub(crate) fn postgres() -> Self {
        let server = test_postgres::database();
        Self {
            store: postgres(&server.dsn()).open().unwrap(),
            folder: None,
            server: Some(server),
        }
    }

    /// Another Hub's way to the same database.
    pub(crate) async fn again(&self) -> Store {
        let storage = match (&self.folder, &self.server) {
            (Some(folder), _) => Storage::sqlite(folder.path(), WAIT),
            (None, server) => postgres(&server.as_ref().unwrap().dsn()),
        };
        let opened = tokio::task::spawn_blocking(|| storage.open());
        opened.await.unwrap().unwrap()
    }
}

/// Settings for a server of the tests.
pub(crate) fn settings(dsn: &str) -> Settings {
    let limits = Limits {
        connect: WAIT,
        statement: WAIT,
        lock: WAIT,
    };
    Settings::new(dsn, None, limits).unwrap()
}

/// Storage on a server of the tests.
pub(crate) fn postgres(dsn: &str) -> Storage {
    Storage::Postgres {
        settings: Box::new(settings(dsn)),
        connections: 4,
        wait: WAIT,
    }
}

/// Runs a test that begins in a plain thread, where databases are opened.
pub(crate) fn block_on<F: Future>(test: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(test)
}

/// Makes two tests of each function named: one on SQLite, one on PostgreSQL. A function is
/// `async fn name(sandbox: &Sandbox)`, in the module where this stands.
macro_rules! on_both {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $test() {
                let sandbox = $crate::store::both::Sandbox::sqlite();
                $crate::store::both::block_on(super::$test(&sandbox));
            })+
        }
        mod postgres {
            $(#[test]
            fn $test() {
                let sandbox = $crate::store::both::Sandbox::postgres();
                $crate::store::both::block_on(super::$test(&sandbox));
            })+
        }
    };
}
pub(crate) use on_both;
