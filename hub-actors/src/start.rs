//! From a configuration to everything that runs: checked in order, each failure by its name.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, atomic::AtomicBool},
    time::Duration,
};

use actix::{Actor as _, Addr};
use channel_actors::{Limits, budget::Budget};
use schema::ids::{CredentialId, UserId};
use tokio::sync::{Semaphore, watch};

use crate::{
    abuse::Abuse,
    accounts::{
        self,
        failures::{self, Failures},
        lockout::Lockout,
        password::Passwords,
        removal,
        reset::{self, Wishes},
    },
    clock,
    config::{HubConfig, Mode, ms},
    error::{Fault, Refusal},
    folder::{Folder, FolderError},
    forwarded::{BadProxy, Proxies},
    keyring::{Keyring, KeyringError, file},
    limiter::{Limiter, Rate},
    listen::{self, Bound, ListenError, Listener},
    mail::{MailError, Mailer},
    oauth,
    orders::Orders,
    origin::{self, Names},
    pace::Paces,
    presence::Presence,
    private_file::{self, PrivateFileError},
    registry::{Registry, RegistryParts},
    revocation::{LedgerTail, Tail},
    state::State,
    store::{
        Connection, Store,
        credentials::{self, Kind, NewCredential},
        ledger,
        open::{DatabaseError, Storage},
        users::{self, FirstIds, User},
    },
    token::{Pepper, Purpose, SecretText},
    tokens::Tries,
};

/// Why a Hub does not start: one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// `public_url` is no URL of a Hub.
    #[error("public_url is not http://HOST[:PORT] or https://HOST[:PORT], without a path")]
    PublicUrl,
    /// The data folder cannot be used.
    #[error("data folder {}: {source}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: FolderError,
    },
    /// The database cannot be used.
    #[error("database {place}: {source}")]
    Database {
        /// Which: a path, or a server without its password.
        place: String,
        /// Why.
        source: DatabaseError,
    },
    /// The keys of what is stored cannot be used.
    #[error("key file {}: {source}", path.display())]
    KeyFile {
        /// Which.
        path: PathBuf,
        /// Why.
        source: KeyringError,
    },
    /// The access token cannot be read or written.
    #[error("access token {}: {source}", path.display())]
    AccessToken {
        /// Which.
        path: PathBuf,
        /// Why.
        source: PrivateFileError,
    },
    /// The access token's file holds something else.
    #[error("access token {}: it is empty or too long; remove it to have a new one made", path.display())]
    AccessTokenContent {
        /// Which.
        path: PathBuf,
    },
    /// Something in `trusted_proxies` is none.
    #[error("trusted_proxies: {0}")]
    TrustedProxies(#[from] BadProxy),
    /// No mail can be sent as it is configured.
    #[error("{0}")]
    Mail(#[from] MailError),
    /// The public door cannot be opened.
    #[error("listen {listen}: {source}")]
    Listen {
        /// As configured.
        listen: String,
        /// Why.
        source: ListenError,
    },
    /// The admin door cannot be opened.
    #[error("admin_listen {listen}: {source}")]
    AdminListen {
        /// As configured.
        listen: String,
        /// Why.
        source: ListenError,
    },
    /// There is no way to speak to providers of sign-in.
    #[error("TLS cannot be set up; check the limits of memory")]
    Tls,
    /// Threads cannot be started.
    #[error("threads cannot be started ({0}); check the limits of processes and memory")]
    Threads(#[from] std::io::Error),
    /// The first rows cannot be written.
    #[error("the first rows cannot be written: {0}")]
    Rows(#[from] Fault),
    /// A Worker's registration was refused.
    #[error("the bundled Worker cannot be registered: {0}")]
    Bundled(#[from] Refusal),
    /// Only solo brings a Worker along.
    #[error("only solo mode has a bundled Worker; register this one with a registration key")]
    NotSolo,
    /// The thread that starts the Hub ended.
    #[error("the Hub ended while it was starting; the log says why")]
    Ended,
}

/// Everything of a Hub that was checked and does not serve yet.
pub(crate) struct Foundation {
    pub(crate) folder: Folder,
    pub(crate) state: Arc<State>,
    pub(crate) listener: Listener,
    pub(crate) admin: Option<std::net::TcpListener>,
    pub(crate) bound: Bound,
    pub(crate) admin_addr: Option<std::net::SocketAddr>,
    pub(crate) alive: watch::Receiver<()>,
}

/// Renewals that ask the database at once: few beside the 256 that may wait for it.
const RENEWING: usize = 32;

/// Lays the foundation. Runs inside the Hub's actix system, before anybody is served.
pub(crate) async fn lay(mut config: HubConfig) -> Result<Foundation, StartError> {
    config.public_url = origin::public_url(&config.public_url).ok_or(StartError::PublicUrl)?;
    let proxies = Proxies::parse(&config.trusted_proxies)?;
    let mailer = Mailer::start(&config.mail, &config.public_url)?;
    let folder = Folder::take(&config.data_dir).map_err(|source| StartError::Folder {
        path: config.data_dir.clone(),
        source,
    })?;
    let beside = storage(&config, folder.path())?;
    let storage = storage(&config, folder.path())?;
    let store = blocking(storage, Storage::open).await?;
    let keyring = load_keyring(&config, &store).await?;
    let pepper = Pepper::new(Arc::clone(&keyring));
    let admin_user = ensure_admin(&store).await?;
    let solo_credential = ensure_solo(&store, &admin_user).await?;
    if config.mode == Mode::Hub {
        ensure_access_token(&store, &pepper, folder.path(), &admin_user).await?;
    }
    let listener = Listener::open(&config.listen).map_err(|source| StartError::Listen {
        listen: config.listen.clone(),
        source,
    })?;
    let (admin, admin_addr) = open_admin(&config.admin_listen)?;
    let bound = listener.bound();
    let (registry_parts, kit, alive) = registry_parts(&config, &store);
    // What was revoked before is not let in, and what is revoked from here on is heard of.
    let after = store.run(ledger::last).await?;
    let registry = Registry::new(registry_parts).start();
    // By a connection of its own: revocations do not wait for requests.
    let beside = blocking(beside, Storage::join).await?;
    let blind_after = ms(config.timeouts.ledger_blind_ms);
    let tail = LedgerTail::begin(beside, store.clone(), registry.clone(), after, blind_after);
    let passwords = Passwords::new(cores())?;
    let (failures, kept) = failures::queue();
    let (wishes, wished) = reset::queue();
    let state = Arc::new(state(
        config,
        store,
        keyring,
        registry,
        tail,
        kit,
        passwords,
        oauth::Client::new().map_err(|_| StartError::Tls)?,
        admin_user,
        solo_credential,
        Posts {
            failures,
            wishes,
            mailer,
            proxies,
        },
        &bound,
    ));
    failures::keep(&state, kept);
    oauth::keep_fresh(&state);
    reset::keep(&state, wished);
    Ok(Foundation {
        folder,
        state,
        listener,
        admin,
        bound,
        admin_addr,
        alive,
    })
}

/// Threads that the machine runs at once.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The database that a configuration names.
pub(crate) fn storage(config: &HubConfig, folder: &Path) -> Result<Storage, StartError> {
    Storage::new(config, folder).map_err(|source| StartError::Database {
        place: config.storage.kind.label().to_owned(),
        source,
    })
}

/// The keys of a database; made where nothing depends on any.
pub(crate) async fn load_keyring(
    config: &HubConfig,
    store: &Store,
) -> Result<Arc<Keyring>, StartError> {
    let path = config.key_file();
    let old_pepper = config.data_dir.join(file::OLD_PEPPER);
    match Keyring::for_database(store, &path, &old_pepper).await {
        Ok(keyring) => Ok(Arc::new(keyring)),
        Err(source) => Err(StartError::KeyFile { path, source }),
    }
}

/// Asks the database on a thread of its own: it may take its time.
pub(crate) async fn blocking<T: Send + 'static>(
    storage: Storage,
    ask: impl FnOnce(Storage) -> Result<T, DatabaseError> + Send + 'static,
) -> Result<T, StartError> {
    let place = storage.place();
    let asked = tokio::task::spawn_blocking(move || ask(storage)).await;
    let answer = asked.map_err(|_| StartError::Ended)?;
    answer.map_err(|source| StartError::Database { place, source })
}

type Admin = (Option<std::net::TcpListener>, Option<std::net::SocketAddr>);

fn open_admin(address: &str) -> Result<Admin, StartError> {
    if address.is_empty() {
        return Ok((None, None));
    }
    let (listener, bound) =
        listen::open_tcp(address).map_err(|source| StartError::AdminListen {
            listen: address.to_owned(),
            source,
        })?;
    Ok((Some(listener), Some(bound)))
}

struct Kit {
    presence: Presence,
    paces: Paces,
    limits: Arc<Limits>,
}

/// What the accounts leave for later, and how they know where a request came from.
struct Posts {
    failures: Failures,
    wishes: Wishes,
    mailer: Mailer,
    proxies: Proxies,
}

fn registry_parts(config: &HubConfig, store: &Store) -> (RegistryParts, Kit, watch::Receiver<()>) {
    let (alive, watching) = watch::channel(());
    let kit = Kit {
        presence: Presence::default(),
        paces: Paces::default(),
        limits: Arc::new(Limits::default()),
    };
    let parts = RegistryParts {
        quotas: config.quotas.clone(),
        organisations: config.organisations,
        store: store.clone(),
        presence: kit.presence.clone(),
        paces: kit.paces.clone(),
        limits: Arc::clone(&kit.limits),
        budget: Arc::new(Budget::new(config.relay.waiting_bytes)),
        alive,
        // Thousands of changes a millisecond would have to happen to meet the next life's.
        first_cursor: u64::try_from(clock::unix_ms())
            .unwrap_or_default()
            .saturating_mul(1_000),
    };
    (parts, kit, watching)
}

#[expect(
    clippy::too_many_arguments,
    reason = "each is one field, named where it is made"
)]
fn state(
    config: HubConfig,
    store: Store,
    keyring: Arc<Keyring>,
    registry: Addr<Registry>,
    tail: Tail,
    kit: Kit,
    passwords: Passwords,
    oauth: oauth::Client,
    admin: User,
    solo_credential: CredentialId,
    posts: Posts,
    bound: &Bound,
) -> State {
    let names = Names::new(&config.public_url, bound.tcp(), config.mode == Mode::Hub);
    let opens = Limiter::new(Rate {
        burst: config.quotas.opens_burst.max(1),
        every: Duration::from_secs(1) / config.quotas.opens_per_second.max(1),
    });
    let renewals = Limiter::new(Rate {
        burst: config.quotas.renewals_burst.max(1),
        every: Duration::from_secs(1) / config.quotas.renewals_per_second.max(1),
    });
    let (abuse, orders) = (Abuse::new(&config.quotas), Orders::new(&config.quotas));
    State {
        config,
        names,
        store,
        pepper: Pepper::new(Arc::clone(&keyring)),
        keyring,
        registry,
        tail,
        presence: kit.presence,
        paces: kit.paces,
        limits: kit.limits,
        admin,
        solo_credential,
        abuse,
        orders,
        passwords,
        oauth,
        lockout: Mutex::new(Lockout::default()),
        tries: Tries::default(),
        departures: watch::channel(0).0,
        failures: posts.failures,
        wishes: posts.wishes,
        mailer: posts.mailer,
        proxies: posts.proxies,
        opens: Mutex::new(opens),
        renewals: Mutex::new(renewals),
        renewing: Semaphore::new(RENEWING),
        draining: AtomicBool::new(false),
    }
}

/// The first admin; made where nobody is yet.
pub(crate) async fn ensure_admin(store: &Store) -> Result<User, Fault> {
    let ids = FirstIds::random()?;
    let ensured = store
        .write(move |conn| users::ensure_admin(conn, &ids, clock::unix_ms()).map(Ok::<_, Fault>));
    ensured.await?
}

async fn ensure_solo(store: &Store, admin: &User) -> Result<CredentialId, Fault> {
    let (id, user) = (accounts::credential_id()?, admin.id.clone());
    let ensured = store.write(move |conn| {
        if let Some((found, _)) = credentials::find_sole(conn, Kind::Solo)? {
            return Ok(Ok::<_, Fault>(found.id));
        }
        insert(conn, &id, &user, Kind::Solo, None)?;
        Ok(Ok(id.clone()))
    });
    ensured.await?
}

fn insert(
    conn: &mut Connection,
    id: &CredentialId,
    user: &UserId,
    kind: Kind,
    hash: Option<crate::token::SecretHash>,
) -> Result<(), Fault> {
    let new = NewCredential {
        id,
        user,
        kind,
        parent: None,
        hash,
        expires_ms: None,
    };
    credentials::insert(conn, &new, clock::unix_ms())
}

/// The file, where there is one, says what the token is; a Hub without both gets a new one.
async fn ensure_access_token(
    store: &Store,
    pepper: &Pepper,
    folder: &Path,
    admin: &User,
) -> Result<(), StartError> {
    let path = folder.join("access-token");
    let failed = |source| StartError::AccessToken {
        path: path.clone(),
        source,
    };
    let found = private_file::read(&path, 512).map_err(failed)?;
    let stored = store
        .run(|conn| credentials::find_sole(conn, Kind::AccessToken))
        .await?;
    let hash = match (found, &stored) {
        (Some(content), _) => {
            let text = std::str::from_utf8(&content)
                .map(str::trim)
                .unwrap_or_default();
            if !(16..=256).contains(&text.len()) {
                return Err(StartError::AccessTokenContent { path });
            }
            pepper.hash(Purpose::AccessToken, text)
        }
        // Whoever removed the file has the token elsewhere.
        (None, Some(_)) => return leave_to(store, stored, admin).await,
        (None, None) => {
            let token = SecretText::from_random(Purpose::AccessToken, clock::random()?);
            let line = format!("{}\n", token.expose());
            private_file::write(&path, line.as_bytes()).map_err(|io| failed(io.into()))?;
            tracing::info!(path = %path.display(), "an access token was made");
            pepper.hash(Purpose::AccessToken, token.expose())
        }
    };
    let is_stored = |stored: &Vec<u8>| stored.as_slice() == hash.as_bytes().as_slice();
    if stored
        .as_ref()
        .is_some_and(|(_, stored)| stored.as_ref().is_some_and(is_stored))
    {
        return leave_to(store, stored, admin).await;
    }
    let (id, user) = (accounts::credential_id()?, admin.id.clone());
    let replaced = store.write(move |conn| {
        if let Some((old, _)) = &stored {
            credentials::revoke(conn, &old.id, clock::unix_ms())?;
        }
        // The file may say what it once said, or what it said before a restore.
        credentials::forget_revoked_secrets(conn, Kind::AccessToken)?;
        insert(conn, &id, &user, Kind::AccessToken, Some(hash)).map(Ok::<_, Fault>)
    });
    Ok(replaced.await??)
}

/// The token is the admin's, whoever has it.
async fn leave_to(
    store: &Store,
    stored: Option<credentials::Sole>,
    admin: &User,
) -> Result<(), StartError> {
    let stray = stored.map(|(token, _)| token);
    let Some(stray) = stray.filter(|token| token.user != admin.id) else {
        return Ok(());
    };
    let admin = admin.id.clone();
    let left = store.write(move |conn| {
        removal::reclaim_access_token(conn, &stray, &admin, clock::unix_ms()).map(Ok::<_, Fault>)
    });
    Ok(left.await??)
}
