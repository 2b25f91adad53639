//! The world: who is in it, how it begins, how it is left alone, and how it ends.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt::Write as _,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use channel_actors::{Limits, budget::Budget};
use crypto::{DeviceKey, Identity, Mode};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use schema::ids::{ChannelId, CredentialId, UserId, WorkerId};

use crate::{
    application::Conversation,
    books::{Books, Figures},
    checks::Origin,
    client::Client,
    database::{Database, WALL},
    ears::Notes,
    hub::{Actor, Hub},
    pace::Due,
    sockets::Socket,
    tells::{Part, Tell, Way},
    worker::Worker,
};

/// What is to be simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Everything follows from it.
    pub seed: u64,
    /// Of every channel.
    pub mode: Mode,
    /// How long things go wrong, in milliseconds of the world.
    pub trouble_ms: u64,
    /// What is broken on purpose.
    pub control: Control,
}

impl Setting {
    /// A seed in the classic mode, with a minute of trouble.
    #[must_use]
    pub const fn of(seed: u64) -> Self {
        Self {
            seed,
            mode: Mode::Classic,
            trouble_ms: 60_000,
            control: Control::Nothing,
        }
    }
}

/// Negative controls: a simulation that does not find these finds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Nothing is broken.
    Nothing,
    /// A receiver does not know under which epoch a frame was sealed, and tries the keys it has.
    NoEpochInTheHeader,
    /// The relay loses a frame now and then.
    LosesFramesSilently,
    /// The Registry looks at the credential, and then gives the channel its place; and a revocation
    /// leaves no tombstone, which would save it.
    ChecksBeforeItRegisters,
    /// The Registry lets fall only the fences of channels that it knows, and not of those that have
    /// ended and left frames behind.
    ForgetsTheFencesOfTheEnded,
    /// A revocation leaves no tombstone. This one does no harm, as long as a channel has its place
    /// before the last look at its credential.
    LeavesNoTombstone,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What does not hold.
    pub broken: Option<String>,
    /// What happened.
    pub happened: Happened,
    /// Why channels ended, by end.
    pub closes: BTreeMap<&'static str, u64>,
    /// Why opens and renewals were refused.
    pub refusals: BTreeMap<&'static str, u64>,
    /// The same for the same seed.
    pub digest: u64,
}

macro_rules! counts {
    ($($(#[doc = $doc:literal])+ $name:ident),+ $(,)?) => {
        /// How often what is to be proved has happened.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Happened { $($(#[doc = $doc])+ pub $name: u64),+ }

        impl Happened {
            /// Both together.
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)+
            }

            /// One line for each.
            #[must_use]
            pub fn table(&self) -> String {
                let mut table = String::new();
                $(let _ = writeln!(table, "{:>12} {}", self.$name, stringify!($name));)+
                table
            }
        }
    };
}

counts! {
    /// Scheduler steps.
    steps,
    /// Opens.
    opens,
    /// Channels whose claim was accepted.
    established,
    /// Messages of streams.
    messages,
    /// Frames that passed the relay.
    frames,
    /// All streams filled up.
    filled,
    /// Renewals asked for.
    renews,
    /// Renewals taken over by clients.
    renewed,
    /// Claims accepted in a later epoch.
    attached,
    /// Of them asked for on a live path.
    rekeys,
    /// Sockets of clients that broke.
    sessions_cut,
    /// Streams of Workers that broke.
    links_cut,
    /// Sockets that swallow.
    half_open,
    /// Messages cut off.
    lost,
    /// Messages swallowed.
    swallowed,
    /// Hubs killed.
    hubs_killed,
    /// Hubs drained.
    drains,
    /// Workers killed.
    workers_killed,
    /// Links replaced by another of the same Worker.
    replaced,
    /// Jumps of the clock on the wall.
    clock_jumps,
    /// Parts frozen.
    freezes,
    /// Clients that do not read for a while.
    slow_readers,
    /// Attempts with somebody else's channel id.
    strange,
    /// Opens to somebody else's Worker, refused.
    strangers,
    /// Credentials revoked.
    revocations,
    /// Rules of the wire broken.
    offences,
    /// Sessions closed for foreign frames.
    foreigners,
    /// Sessions closed for offences.
    offenders,
    /// Most frames that waited for one socket (of one seed; a sum of several).
    fullest,
}

pub(crate) struct World {
    pub(crate) setting: Setting,
    /// Whether everything that is said is printed.
    pub(crate) traces: bool,
    pub(crate) rng: StdRng,
    pub(crate) began: Instant,
    pub(crate) now_ms: u64,
    pub(crate) wall_jump: i64,
    pub(crate) limits: Arc<Limits>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) database: Database,
    pub(crate) hub: Hub,
    pub(crate) actors: BTreeMap<u64, Actor>,
    pub(crate) clients: Vec<Client>,
    pub(crate) workers: Vec<Worker>,
    pub(crate) sockets: BTreeMap<u64, Socket>,
    pub(crate) talks: BTreeMap<ChannelId, Conversation>,
    pub(crate) queues: BTreeMap<Way, VecDeque<Tell>>,
    pub(crate) latest: BTreeMap<Way, u64>,
    pub(crate) agenda: BTreeMap<(u64, u64), Due>,
    pub(crate) sequence: u64,
    pub(crate) frozen: BTreeMap<Part, u64>,
    /// Those that were, for about as long as frames of a closed channel are forgiven.
    pub(crate) wedged: BTreeSet<Part>,
    pub(crate) notes: Notes,
    pub(crate) stirred: bool,
    pub(crate) last_number: u64,
    /// No more trouble, and nothing new is said.
    pub(crate) quiet: bool,
    pub(crate) steps: u64,
    pub(crate) digest: u64,
    pub(crate) broken: Option<String>,
    pub(crate) happened: Happened,
    pub(crate) closes: BTreeMap<&'static str, u64>,
    pub(crate) refusals: BTreeMap<&'static str, u64>,
    pub(crate) books: Books,
    pub(crate) figures: &'static Figures,
    /// Frames of clients that have not reached their Worker, by a hash.
    pub(crate) sealed: BTreeMap<u64, Origin>,
    /// Credentials whose revocation this life's Registry, or an older one's, has carried out.
    pub(crate) fallen: BTreeSet<CredentialId>,
    /// Clients of which a credential was ever revoked.
    pub(crate) revoked: BTreeSet<usize>,
    /// Clients that ever broke a rule.
    pub(crate) forgers: BTreeSet<usize>,
}

/// Lives one world through, from its beginning to the last thing that anybody remembers.
#[must_use]
pub fn run(setting: Setting) -> Outcome {
    let figures = Figures::of_this_thread();
    let _recording = metrics::set_default_local_recorder(figures);
    let system = actix::System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime of one thread")
    });
    system.block_on(async move {
        let mut world = World::new(setting, figures);
        world.live().await;
        world.happened.steps = world.steps;
        Outcome {
            broken: world.broken,
            happened: world.happened,
            closes: world.closes,
            refusals: world.refusals,
            digest: world.digest,
        }
    })
}

impl World {
    fn new(setting: Setting, figures: &'static Figures) -> Self {
        Self {
            rng: StdRng::seed_from_u64(setting.seed),
            setting,
            traces: std::env::vars().any(|(key, _)| key == "SIMULATION_TRACE"),
            began: now(),
            now_ms: 0,
            wall_jump: 0,
            limits: Arc::new(limits()),
            budget: Arc::new(Budget::new(1 << 40)),
            database: Database::default(),
            hub: Hub::new(1),
            actors: BTreeMap::new(),
            clients: Vec::new(),
            workers: Vec::new(),
            sockets: BTreeMap::new(),
            talks: BTreeMap::new(),
            queues: BTreeMap::new(),
            latest: BTreeMap::new(),
            agenda: BTreeMap::new(),
            sequence: 0,
            frozen: BTreeMap::new(),
            wedged: BTreeSet::new(),
            notes: Notes::default(),
            stirred: false,
            last_number: 0,
            quiet: false,
            steps: 0,
            digest: 0,
            broken: None,
            happened: Happened::default(),
            closes: BTreeMap::new(),
            refusals: BTreeMap::new(),
            books: Books::default(),
            figures,
            sealed: BTreeMap::new(),
            fallen: BTreeSet::new(),
            revoked: BTreeSet::new(),
            forgers: BTreeSet::new(),
        }
    }

    async fn live(&mut self) {
        self.populate();
        let trouble = self.setting.trouble_ms;
        while self.now_ms < trouble && self.broken.is_none() {
            let next = (self.now_ms + 1_000).min(trouble);
            self.until(next, |_| false).await;
            self.check_bounds();
        }
        self.rest().await;
        self.leave().await;
    }

    /// Faults have stopped: what lives comes to its end within bounded time.
    async fn rest(&mut self) {
        self.quiet = true;
        let end = self.now_ms + REST_MS;
        while self.now_ms < end && self.broken.is_none() {
            self.use_everything();
            let next = self.now_ms + 500;
            self.until(next, |_| false).await;
            self.check_bounds();
            if self.is_at_rest() {
                return;
            }
        }
        if self.broken.is_none() {
            let why = self.unrest();
            self.find(&format!("no progress: {why}"));
        }
    }

    fn is_at_rest(&mut self) -> bool {
        self.unrest().is_empty()
    }

    fn unrest(&mut self) -> String {
        let mut why = String::new();
        for (client, it) in self.clients.iter_mut().enumerate() {
            if !it.connected {
                let _ = write!(why, "client {client} is not connected; ");
            }
            for (channel, slot) in &mut it.slots {
                let complete = self
                    .talks
                    .get(channel)
                    .is_some_and(Conversation::is_complete);
                let attached = slot.endpoint().is_some_and(|it| !it.is_detached());
                if !complete || !attached {
                    let _ = write!(why, "{channel}: complete {complete}, attached {attached}; ");
                }
            }
        }
        why
    }

    /// Everything is closed, and then nobody remembers anything.
    async fn leave(&mut self) {
        if self.broken.is_some() {
            return;
        }
        for talk in self.talks.values_mut() {
            talk.forsaken = true;
        }
        let channels: Vec<_> = self.talks.keys().copied().collect();
        channels
            .into_iter()
            .for_each(|channel| self.let_go(channel));
        (0..self.clients.len()).for_each(|client| self.flush_client(client));
        self.until(self.now_ms + 5_000, |_| false).await;
        for client in 0..self.clients.len() {
            self.clients[client].wants_socket = false;
            self.client_lost(client);
        }
        self.until(self.now_ms + 60_000, |_| false).await;
        for worker in 0..self.workers.len() {
            self.workers[worker].wants_link = false;
            self.worker_lost(worker);
        }
        // What was detached somewhere waits for its time.
        let patience = self.limits.detached_max.as_secs() * 1_000 + 60_000;
        self.until(self.now_ms + patience, |_| false).await;
        if self.broken.is_none() {
            self.check_emptiness();
            self.check_sums();
        }
    }

    fn populate(&mut self) {
        let alice = UserId::parse("alice").expect("letters");
        let bob = UserId::parse("bob").expect("letters");
        for (number, owner) in [&alice, &bob].into_iter().enumerate() {
            let id = WorkerId::parse(&format!("worker-{number}")).expect("letters and a digit");
            self.database.own(id.clone(), owner.clone());
            let worker = Worker::new(self, id, owner.clone(), identity(number));
            self.workers.push(worker);
            self.after(1, Due::Dial(Part::Worker(number)));
            self.after(1_000, Due::Tick(Part::Worker(number)));
        }
        for (number, user) in [&alice, &bob, &alice].into_iter().enumerate() {
            let credential = self.database.sign_in(self.wall());
            self.clients
                .push(Client::new(user.clone(), credential, device(number)));
            self.after(100, Due::Dial(Part::Client(number)));
            self.after(1_000, Due::Tick(Part::Client(number)));
        }
        self.after(500, Due::Talk);
        self.after(3_000, Due::Fault);
    }

    pub(crate) fn wall(&self) -> i64 {
        WALL + i64::try_from(self.now_ms).unwrap_or(i64::MAX) + self.wall_jump
    }

    pub(crate) fn new_channel_id(&mut self) -> ChannelId {
        let mut bytes = [0; 16];
        self.rng.fill_bytes(&mut bytes);
        ChannelId::from_bytes(bytes)
    }
}

/// Small windows and short lives, so that they are full and over at times.
fn limits() -> Limits {
    Limits {
        window_frames: 48,
        window_bytes: 200_000,
        queue_frames: 48 + 32,
        queue_slack_bytes: 64 * 1024,
        ack_frames: 16,
        ack_bytes: 50_000,
        stream_credit: 100_000,
        key_renewal_age: Duration::from_secs(20),
        key_age: Duration::from_secs(600),
        detached_max: Duration::from_secs(120),
        ..Limits::default()
    }
}

fn identity(number: usize) -> &'static Identity {
    static ALL: [OnceLock<Identity>; 2] = [const { OnceLock::new() }; 2];
    ALL[number].get_or_init(|| Identity::generate(&mut StdRng::seed_from_u64(number as u64)))
}

fn device(number: usize) -> Arc<DeviceKey> {
    let byte = u8::try_from(number).unwrap_or_default();
    Arc::new(DeviceKey::from_seeds(&[3 + byte; 32], &[40 + byte; 32]))
}

#[expect(clippy::disallowed_methods, reason = "the paused clock, to count from")]
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// How long it may take until all that lives is whole again.
const REST_MS: u64 = 300_000;
