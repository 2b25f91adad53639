//! The connection against real servers: TLS, a pooler, time limits, ends.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use diesel::{
    Connection as _, RunQueryDsl as _,
    result::{DatabaseErrorKind, Error},
};
use test_postgres::{Database, Server, Tls};

use super::{dsn::Limits, *};
use crate::{
    error::Fault,
    store::{both, open::Storage},
};

fn connect(dsn: &str) -> PostgresConnection {
    PostgresConnection::open(&both::settings(dsn)).unwrap()
}

fn limited(database: &Database, limit: Duration) -> Settings {
    let limits = Limits {
        connect: Duration::from_secs(20),
        statement: limit,
        lock: limit,
    };
    Settings::new(&database.dsn(), None, limits).unwrap()
}

fn one(conn: &mut PostgresConnection) -> i32 {
    use diesel::{IntoSql as _, sql_types::Integer};
    let asked = diesel::select(1.into_sql::<Integer>()).get_result(conn);
    asked.unwrap()
}

/// An authority, and a certificate of 127.0.0.1 that it signed.
fn authority() -> (String, Tls) {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let tls = Tls {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    };
    (issuer.pem(), tls)
}

#[test]
fn a_server_is_trusted_for_the_authority_that_signed_it_only() {
    let (ca, tls) = authority();
    let (other, _) = authority();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, pem: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path
    };
    let (ca, other) = (write("ca.pem", &ca), write("other.pem", &other));
    let server = Server::start(Some(&tls));
    let database = server.create("protected");
    let open = |mode, ca: Option<&Path>, host: &str| {
        let dsn = database.tcp_dsn(mode).replace("127.0.0.1", host);
        let limits = Limits {
            connect: Duration::from_secs(20),
            ..Limits::default()
        };
        let opened = Settings::new(&dsn, ca, limits);
        opened.and_then(|settings| PostgresConnection::open(&settings))
    };
    for mode in ["require", "verify-full"] {
        let mut conn = open(mode, Some(&ca), "127.0.0.1").unwrap();
        let ssl = "SELECT 1 FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl";
        assert_eq!(diesel::sql_query(ssl).execute(&mut conn).unwrap(), 1);
        for ca in [None, Some(other.as_path())] {
            let refused = open(mode, ca, "127.0.0.1").err();
            assert_eq!(refused, Some(ConnectError::Tls));
        }
        // Signed for an address, not for this name.
        let refused = open(mode, Some(&ca), "localhost").err();
        assert_eq!(refused, Some(ConnectError::Tls));
    }
    assert!(open("disable", None, "127.0.0.1").is_ok());
}

#[test]
fn a_server_without_tls_is_refused_where_tls_is_asked_for() {
    let database = test_postgres::database();
    let settings = both::settings(&database.tcp_dsn("verify-full"));
    let refused = PostgresConnection::open(&settings).err();
    assert_eq!(refused, Some(ConnectError::Tls));
}

/// A pooler that gives a server's connection to whoever has a transaction next.
struct Pooler {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Pooler {
    fn start(database: &Database) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let ini = format!(
            "[databases]\n{name} = host=127.0.0.1 port={server} dbname={name} user=postgres\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = 2\nserver_reset_query =\n",
            name = database.name(),
            server = database.port(),
        );
        let path = folder.path().join("pgbouncer.ini");
        std::fs::write(&path, ini).unwrap();
        let mut command = Command::new("setpriv");
        if nix::unistd::geteuid().is_root() {
            use std::os::unix::fs::PermissionsExt as _;
            let open = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(folder.path(), open).unwrap();
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
        }
        let mut child = command
            .arg("/usr/sbin/pgbouncer")
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let up = said.any(|line| line.is_ok_and(|line| line.contains("process up")));
        assert!(up, "pgbouncer does not start: `apt-get install pgbouncer`");
        std::thread::spawn(move || said.count());
        Self {
            child,
            port,
            _folder: folder,
        }
    }

    fn dsn(&self, database: &Database) -> String {
        let (port, name) = (self.port, database.name());
        format!("host=127.0.0.1 port={port} user=postgres dbname={name}")
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// More conversations than the pooler has connections, so that each transaction may get another's.
#[test]
fn a_pooler_may_give_every_transaction_another_connection() {
    use crate::store::ledger;
    let database = test_postgres::database();
    let pooler = Pooler::start(&database);
    let dsn = pooler.dsn(&database);
    let stores: Vec<_> = (0..3)
        .map(|_| both::postgres(&dsn).open().unwrap())
        .collect();
    both::block_on(async {
        let work = stores.iter().flat_map(|store| {
            (0..40).map(move |round| async move {
                let topic = crate::topic::Topic::read(1, "c").unwrap();
                let written = store.write(move |conn| {
                    let one = [(topic.clone(), ledger::Reason::ForcedOut)];
                    ledger::append_all(conn, &one, round).map(Ok::<_, ()>)
                });
                written.await.unwrap().unwrap();
                store.run(ledger::last).await.unwrap()
            })
        });
        let seen = futures_util::future::join_all(work).await;
        assert_eq!(seen.into_iter().max(), Some(120));
        let limit = stores.first().unwrap().run(|conn| {
            #[derive(diesel::QueryableByName)]
            struct Shown {
                #[diesel(sql_type = diesel::sql_types::Text)]
                shown: String,
            }
            let shown = diesel::sql_query("SELECT current_setting('statement_timeout') AS shown");
            Ok(shown.get_result::<Shown>(conn)?.shown)
        });
        assert_eq!(limit.await.unwrap(), "20s");
    });
    // Outside of our transactions the servers' connections are as they were.
    let plain = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%'";
    assert_eq!(test_postgres::server().sql(&database, plain).trim(), "0");
}

#[test]
fn a_statement_that_takes_too_long_is_ended_by_the_server() {
    let database = test_postgres::database();
    let mut conn =
        PostgresConnection::open(&limited(&database, Duration::from_millis(50))).unwrap();
    let settings = limited(&database, Duration::from_millis(50));
    conn.begin(&settings.within_transaction()).unwrap();
    let slow = diesel::sql_query("SELECT pg_sleep(30)").execute(&mut conn);
    let fault = Fault::from(slow.unwrap_err());
    assert!(matches!(
        crate::error::Refusal::from(fault),
        crate::error::Refusal::Unavailable(_)
    ));
    AnsiTransactionManager::rollback_transaction(&mut conn).unwrap();
    assert_eq!(one(&mut conn), 1);
}

#[test]
fn who_waits_for_the_writers_lock_too_long_is_told_to_come_again() {
    let database = test_postgres::database();
    let storage = |wait| Storage::Postgres {
        settings: Box::new(limited(&database, wait)),
        connections: 2,
        wait: Duration::from_secs(20),
    };
    let patient = storage(Duration::from_secs(20)).open().unwrap();
    let hasty = storage(Duration::from_millis(50)).open().unwrap();
    both::block_on(async {
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let wait = std::sync::Mutex::new(wait);
        let (began, begun) = tokio::sync::oneshot::channel();
        let began = std::sync::Mutex::new(Some(began));
        let holder = patient.write(move |_| {
            let began = began.lock().unwrap().take();
            began.unwrap().send(()).unwrap();
            let ended = wait.lock().unwrap().recv().is_err();
            Ok(Ok::<_, ()>(ended))
        });
        let waiter = async {
            begun.await.unwrap();
            // Who only asks does not wait.
            assert!(hasty.answers().await);
            let refused = hasty.write(|_| Ok(Ok::<_, ()>(()))).await;
            drop(done);
            crate::error::Refusal::from(refused.unwrap_err())
        };
        let (held, refused) = tokio::join!(holder, waiter);
        assert_eq!(held.unwrap(), Ok(true));
        assert!(matches!(refused, crate::error::Refusal::Unavailable(_)));
        assert_eq!(hasty.write(|_| Ok(Ok::<_, ()>(1))).await.unwrap(), Ok(1));
    });
}

#[test]
fn a_server_that_is_gone_is_noticed_without_asking_it() {
    let server = Server::start(None);
    let mut conn = connect(&server.create("gone").dsn());
    assert_eq!(one(&mut conn), 1);
    assert!(conn.is_alive());
    drop(server);
    while conn.is_alive() {
        std::thread::yield_now();
    }
    let asked = diesel::sql_query("SELECT 1").execute(&mut conn);
    let closed = |error: &Error| {
        matches!(
            error,
            Error::DatabaseError(DatabaseErrorKind::ClosedConnection, _)
        )
    };
    assert!(asked.is_err_and(|error| closed(&error)));
    assert!(R2D2Connection::is_broken(&mut conn));
}

#[test]
fn what_a_server_says_does_not_repeat_what_was_sent() {
    let database = test_postgres::database();
    let mut conn = connect(&database.dsn());
    conn.batch_execute("CREATE TABLE names (name TEXT NOT NULL UNIQUE)")
        .unwrap();
    let insert = |conn: &mut PostgresConnection| {
        diesel::sql_query("INSERT INTO names VALUES ($1)")
            .bind::<diesel::sql_types::Text, _>("hunter2")
            .execute(conn)
    };
    assert_eq!(insert(&mut conn).unwrap(), 1);
    let taken = insert(&mut conn).unwrap_err();
    assert_eq!(taken.to_string(), "SQLSTATE 23505 (names_name_key)");
    assert!(!format!("{taken:?}").contains("hunter2"));
    let wrong = diesel::sql_query("SELECT 'hunter2'::integer").execute(&mut conn);
    assert_eq!(wrong.unwrap_err().to_string(), "SQLSTATE 22P02");
}

#[test]
fn savepoints_undo_what_stands_behind_them_only() {
    let database = test_postgres::database();
    let mut conn = connect(&database.dsn());
    conn.batch_execute("CREATE TABLE numbers (n INTEGER UNIQUE)")
        .unwrap();
    let insert = |conn: &mut PostgresConnection, n: i32| {
        diesel::sql_query(format!("INSERT INTO numbers VALUES ({n})")).execute(conn)
    };
    let kept = conn.transaction(|conn| {
        insert(conn, 1)?;
        let inner = conn.transaction(|conn| {
            insert(conn, 2)?;
            insert(conn, 1)
        });
        assert!(inner.is_err());
        insert(conn, 3)
    });
    assert_eq!(kept.unwrap(), 1);
    let left = test_postgres::server().sql(&database, "SELECT n FROM numbers ORDER BY n");
    assert_eq!(left.split_whitespace().collect::<Vec<_>>(), ["1", "3"]);
}
