//! Opens against revocations, for real: threads, a database, the Registry and the ledger's tail, as
//! often as a few seconds allow; and, when one has been acknowledged, not one fence that is up.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, Addr, Context, Handler, Message, MessageResult};
use actix_rt::{Arbiter, System};
use channel_actors::{
    CloseReason, Limits, RefusalReason,
    budget::Budget,
    messages::{
        Close, ControlToBrowser, ControlToWorker, MeetBrowser, MeetWorker, ToBrowser, ToWorker,
    },
    post::tell_addr,
};
use diesel::{ExpressionMethods as _, QueryDsl as _, RunQueryDsl as _};
use schema::ids::{ChannelId, OrganisationId, UserId, WorkerId, WorkspaceId};
use tokio::sync::watch;

use super::{Registry, RegistryParts};
use crate::{
    caller::Caller,
    claim::Claim,
    clock,
    config::{OrganisationQuotas, Quotas},
    error::{Fault, Refusal},
    grant::{self, Plea},
    messages::{
        AdmitSession, Census, Depart, DepartLink, LinkGuard, MeetLink, MeetSession, OpenChannel,
        SessionGuard, SessionId, SessionWays, TakeCensus,
    },
    notes::{self, About, Author, Notes},
    pace::Paces,
    presence::Presence,
    revocation::{LedgerTail, Tail},
    state::{ask, carry_out},
    store::{
        Connection, Store,
        audit::Actor as Who,
        both::Sandbox,
        cast,
        credentials::{self, Kind, NewCredential},
        ledger::Reason,
        tables::{credentials as logins, worker_workspaces, workers, workspace_shares},
    },
    telemetry::SessionKind,
    topic::Topic,
};

/// Both ends of every channel: they hear everything and say nothing.
struct Mute;

impl Actor for Mute {
    type Context = Context<Self>;
}

macro_rules! hears {
    ($($message:ty),+ $(,)?) => { $(
        impl Handler<$message> for Mute {
            type Result = ();
            fn handle(&mut self, _: $message, _: &mut Context<Self>) {}
        }
    )+ };
}

hears!(
    ToBrowser,
    ControlToBrowser,
    MeetBrowser,
    ToWorker,
    ControlToWorker,
    MeetWorker,
    Depart,
    DepartLink,
);

/// Question: the channels of which a fence is up.
#[derive(Message)]
#[rtype(result = "Vec<ChannelId>")]
struct Passing;

impl Handler<Passing> for Registry {
    type Result = MessageResult<Passing>;

    fn handle(&mut self, _: Passing, _: &mut Context<Self>) -> Self::Result {
        let passing = self.channels.iter().filter(|(_, known)| {
            let mut fences = known.paths.values();
            fences.any(|path| !path.fence.is_down())
        });
        MessageResult(passing.map(|(channel, _)| *channel).collect())
    }
}

/// Question: how much was told.
#[derive(Message)]
#[rtype(result = "u64")]
struct Cursor;

impl Handler<Cursor> for Registry {
    type Result = u64;

    fn handle(&mut self, _: Cursor, _: &mut Context<Self>) -> u64 {
        self.events.newest()
    }
}

/// Order: every channel ends.
#[derive(Message)]
#[rtype(result = "()")]
struct EndAll;

impl Handler<EndAll> for Registry {
    type Result = ();

    fn handle(&mut self, _: EndAll, _: &mut Context<Self>) {
        for known in self.channels.values() {
            let reason = CloseReason::ClosedByClient;
            tell_addr(&known.addr, Close { reason });
        }
    }
}

/// What is taken back and given again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Right {
    Credential,
    Worker,
    Access,
    Hosting,
}

struct Stage {
    store: Store,
    registry: Addr<Registry>,
    tail: Tail,
    caller: Caller,
    session: SessionId,
    worker: WorkerId,
    workspace: WorkspaceId,
    /// They give their places back when they go.
    _guards: (SessionGuard, LinkGuard),
    _alive: watch::Receiver<()>,
    /// What an open takes here: a revocation comes at any time of twice that.
    span: Duration,
}

impl Stage {
    async fn set(sandbox: &Sandbox) -> Self {
        let (ann, bob) = (
            cast::person(sandbox, "ann").await,
            cast::person(sandbox, "bob").await,
        );
        let role = schema::wire::OrganisationRole::Member;
        let team = cast::team(sandbox, "team", &[(&ann, role), (&bob, role)]).await;
        let workspace = cast::workspace(sandbox, "s", &team, &ann).await;
        let worker = cast::worker(sandbox, "w", &team, &ann).await;
        let store = sandbox.store.clone();
        let (user, credential) = (bob.user.clone(), bob.credential.clone());
        let (at, of) = (workspace.clone(), worker.clone());
        let given = store.run(move |conn| {
            let login = NewCredential {
                id: &credential,
                user: &user,
                kind: Kind::Login,
                parent: None,
                hash: None,
                expires_ms: None,
            };
            credentials::insert(conn, &login, 1)?;
            share(conn, &at, &user)?;
            host(conn, &of, &at)
        });
        given.await.unwrap();
        let (registry, alive) = registry(&store);
        let blind_after = Duration::from_secs(30);
        let reader = store.clone();
        let tail = LedgerTail::begin(reader, store.clone(), registry.clone(), 0, blind_after);
        let guards = meet(&registry, &bob, &worker, &ann.user).await;
        let mut stage = Self {
            store,
            registry,
            tail,
            session: guards.0.id,
            caller: bob,
            worker,
            workspace,
            _guards: guards,
            _alive: alive,
            span: Duration::ZERO,
        };
        let began = clock::now();
        let opened = stage.open(ChannelId::from_bytes([0xFF; 16]), 0).await;
        assert_eq!(opened, Ok(()));
        stage.span = clock::now().saturating_duration_since(began);
        ask(&stage.registry, EndAll).await.unwrap();
        stage.emptied().await;
        stage
    }

    /// One that opens, after some turns of others.
    async fn open(&self, channel: ChannelId, turns: u64) -> Result<(), RefusalReason> {
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        let plea = Plea::new(self.caller.clone(), self.worker.clone(), Vec::new());
        let defaults = OrganisationQuotas::default();
        let grant = grant::authorise(&self.store, defaults, plea)
            .await
            .unwrap()?;
        let order = OpenChannel {
            grant,
            session: self.session,
            channel,
            noise: bytes::Bytes::new(),
            claim: Claim::default(),
            max_message_bytes: 0,
        };
        let opened = ask(&self.registry, order).await.unwrap();
        opened.map_err(|refusal| refusal.reason)
    }

    fn topic(&self, right: Right) -> (Topic, Reason) {
        match right {
            Right::Credential => (
                Topic::Credential(self.caller.credential.clone()),
                Reason::Revoked,
            ),
            Right::Worker => (Topic::Worker(self.worker.clone()), Reason::Transferred),
            Right::Access => (
                Topic::Access(self.workspace.clone(), self.caller.user.clone()),
                Reason::ShareWithdrawn,
            ),
            Right::Hosting => (
                Topic::Hosting(self.worker.clone(), self.workspace.clone()),
                Reason::Revoked,
            ),
        }
    }

    /// Takes it back, and waits for the acknowledgement.
    async fn take(&self, right: Right) {
        let author = Author {
            actor: Who::Operator,
            id: String::new(),
            address: String::new(),
        };
        let (topic, reason) = self.topic(right);
        let row = self.row(right);
        let done = notes::order(&self.store, author, move |conn, notes| {
            row(conn, false)?;
            notes.revoke(topic.clone(), reason);
            Ok(Ok(()))
        });
        let ((), notes) = done.await.unwrap();
        let newest = notes.newest.unwrap();
        self.tail.reach(newest, notes.revoked.len()).await.unwrap();
    }

    async fn give_again(&self, right: Right) {
        let row = self.row(right);
        let given = self
            .store
            .write(move |conn| row(conn, true).map(Ok::<_, ()>));
        given.await.unwrap().unwrap();
    }

    /// Gives the row of a right, or takes it.
    fn row(
        &self,
        right: Right,
    ) -> impl Fn(&mut Connection, bool) -> Result<(), Fault> + Send + use<> {
        let (worker, workspace) = (self.worker.clone(), self.workspace.clone());
        let (user, credential) = (self.caller.user.clone(), self.caller.credential.clone());
        move |conn, give| {
            match (right, give) {
                (Right::Credential, _) => {
                    diesel::update(logins::table.find(credential.as_str()))
                        .set(logins::revoked_ms.eq((!give).then_some(1_i64)))
                        .execute(conn)?;
                }
                (Right::Worker, _) => {
                    diesel::update(workers::table.find(worker.as_str()))
                        .set(workers::deregistering_ms.eq((!give).then_some(1_i64)))
                        .execute(conn)?;
                }
                (Right::Access, true) => share(conn, &workspace, &user)?,
                (Right::Access, false) => {
                    diesel::delete(workspace_shares::table).execute(conn)?;
                }
                (Right::Hosting, true) => host(conn, &worker, &workspace)?,
                (Right::Hosting, false) => {
                    diesel::delete(worker_workspaces::table).execute(conn)?;
                }
            }
            Ok(())
        }
    }

    async fn passing(&self) -> Vec<ChannelId> {
        ask(&self.registry, Passing).await.unwrap()
    }

    async fn census(&self) -> Census {
        ask(&self.registry, TakeCensus).await.unwrap()
    }

    /// Until nothing is left of what ran.
    async fn emptied(&self) {
        let until = clock::now() + Duration::from_secs(10);
        loop {
            let census = self.census().await;
            if census.channels + census.opening == 0 {
                return;
            }
            assert!(clock::now() < until, "{census:?}");
            tokio::task::yield_now().await;
        }
    }
}

fn share(conn: &mut Connection, workspace: &WorkspaceId, user: &UserId) -> Result<(), Fault> {
    diesel::insert_into(workspace_shares::table)
        .values((
            workspace_shares::workspace_id.eq(workspace.as_str()),
            workspace_shares::grantee_kind.eq(1_i16),
            workspace_shares::grantee_id.eq(user.as_str()),
            workspace_shares::role.eq(1_i16),
            workspace_shares::granted_by.eq("ann"),
            workspace_shares::granted_ms.eq(1_i64),
        ))
        .execute(conn)?;
    Ok(())
}

fn host(conn: &mut Connection, worker: &WorkerId, workspace: &WorkspaceId) -> Result<(), Fault> {
    diesel::insert_into(worker_workspaces::table)
        .values((
            worker_workspaces::worker_id.eq(worker.as_str()),
            worker_workspaces::workspace_id.eq(workspace.as_str()),
        ))
        .execute(conn)?;
    Ok(())
}

fn registry(store: &Store) -> (Addr<Registry>, watch::Receiver<()>) {
    let (alive, watching) = watch::channel(());
    let parts = RegistryParts {
        quotas: Quotas::default(),
        organisations: OrganisationQuotas::default(),
        store: store.clone(),
        presence: Presence::default(),
        paces: Paces::default(),
        limits: Arc::new(Limits::default()),
        budget: Arc::new(Budget::new(1 << 30)),
        alive,
        first_cursor: 1,
    };
    (Registry::new(parts).start(), watching)
}

async fn meet(
    registry: &Addr<Registry>,
    caller: &Caller,
    worker: &WorkerId,
    owner: &UserId,
) -> (SessionGuard, LinkGuard) {
    let mute = Mute.start();
    let admit = AdmitSession {
        user: caller.user.clone(),
        credential: caller.credential.clone(),
        as_of: 0,
        ends_in: None,
        kind: SessionKind::Relay,
    };
    let session = ask(registry, admit).await.unwrap().ok().unwrap();
    let ways = SessionWays::Relay {
        frames: mute.clone().recipient(),
        control: mute.clone().recipient(),
        meet: mute.clone().recipient(),
        arbiter: Arbiter::current(),
    };
    let introduce = MeetSession {
        id: session.id,
        ways,
        depart: mute.clone().recipient(),
    };
    assert_eq!(ask(registry, introduce).await.unwrap(), Ok(()));
    let link = MeetLink {
        worker: worker.clone(),
        owner: owner.clone(),
        as_of: 0,
        encryption_mode: 2,
        version: String::new(),
        frames: mute.clone().recipient(),
        control: mute.clone().recipient(),
        meet: mute.clone().recipient(),
        depart: mute.recipient(),
    };
    (session, ask(registry, link).await.unwrap().ok().unwrap())
}

/// What came of many rounds.
#[derive(Debug, Default)]
struct Came {
    races: usize,
    opened: usize,
    refused: usize,
}

/// Four open while a right is taken back.
async fn race(stage: &Stage, right: Right, round: u64, came: &mut Came) {
    let channel = |number: u64| {
        let id = u128::from(round) * 8 + u128::from(number);
        ChannelId::from_bytes(id.to_be_bytes())
    };
    // Each round has delays of its own, the same in each run.
    let turns = |number: u64| (round * 31 + number * 7) % 23;
    let opens = (0..4).map(|number| stage.open(channel(number), turns(number) * number));
    let taken = async {
        let delay = u32::try_from(turns(5)).unwrap();
        tokio::time::sleep(stage.span * 2 * delay / 23).await;
        stage.take(right).await;
        stage.passing().await
    };
    let (opened, passing) = tokio::join!(futures_util::future::join_all(opens), taken);
    assert_eq!(passing, [], "{right:?}: after the acknowledgement");
    assert_eq!(
        stage.passing().await,
        [],
        "{right:?}: after all have opened"
    );
    came.races += opened.len();
    came.opened += opened.iter().filter(|one| one.is_ok()).count();
    came.refused += opened.iter().filter(|one| one.is_err()).count();
    stage.emptied().await;

    stage.give_again(right).await;
    assert_eq!(stage.open(channel(7), 0).await, Ok(()), "{right:?} again");
    assert_eq!(stage.passing().await, [channel(7)]);
    ask(&stage.registry, EndAll).await.unwrap();
    stage.emptied().await;
}

fn run(sandbox: &Sandbox) {
    System::new().block_on(async {
        let stage = Stage::set(sandbox).await;
        let until: Instant = clock::now() + Duration::from_secs(5);
        let rights = [
            Right::Credential,
            Right::Worker,
            Right::Access,
            Right::Hosting,
        ];
        let mut all = Came::default();
        for (round, right) in (1..).zip(rights.into_iter().cycle()) {
            race(&stage, right, round, &mut all).await;
            if clock::now() > until {
                break;
            }
        }
        println!("{all:?}");
        assert!(all.races >= 200, "{all:?}");
        assert!(all.opened > 0 && all.refused > 0, "no races: {all:?}");
        let nobody = OrganisationId::parse("nobody").unwrap();
        let organisations = vec![OrganisationId::parse("team").unwrap(), nobody];
        let count = crate::messages::CountChannels { organisations };
        assert_eq!(ask(&stage.registry, count).await.unwrap(), [0, 0]);
    });
}

#[test]
fn nothing_that_races_a_revocation_passes_it_on_sqlite() {
    run(&Sandbox::sqlite());
}

#[test]
fn nothing_that_races_a_revocation_passes_it_on_postgres() {
    run(&Sandbox::postgres());
}

#[test]
fn an_order_that_nobody_can_confirm_says_so_and_is_told_all_the_same() {
    let sandbox = Sandbox::sqlite();
    System::new().block_on(async {
        let (registry, _alive) = registry(&sandbox.store);
        let (store, to) = (sandbox.store.clone(), registry.clone());
        let (say, tail) = tokio::sync::oneshot::channel();
        let arbiter = Arbiter::new();
        arbiter.spawn_fn(move || {
            let blind_after = Duration::from_secs(30);
            let tail = LedgerTail::begin(store.clone(), store, to, 0, blind_after);
            assert!(say.send(tail).is_ok());
        });
        let tail = tail.await.unwrap();
        // Its thread has ended, and with it whatever could confirm.
        arbiter.stop();
        arbiter.join().unwrap();
        let before = ask(&registry, Cursor).await.unwrap();
        let mut notes = Notes::default();
        notes.tell([UserId::parse("u").unwrap()], About::Organisations);
        notes.newest = Some(1);
        let done = carry_out(&tail, &registry, notes).await;
        assert_eq!(done, Err(Refusal::Unconfirmed));
        assert_eq!(ask(&registry, Cursor).await.unwrap(), before + 1);
    });
}
