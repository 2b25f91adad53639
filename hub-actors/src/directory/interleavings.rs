//! MODEL: opens and renewals against revocations, in every order of their steps.
//!
//! What is true stands in rows and in the ledger; the Directory and the fences are the real ones. An
//! opener reads the ledger's number, then two rows one after the other, registers, looks once more,
//! and commits. An order revokes, or gives again, in one step. The tail delivers in order; a
//! revocation is acknowledged when it is delivered.
//!
//! What is asked for is one of the two topics or both. A channel that runs may keep its own path: a
//! renewal over another tells the Worker what is granted, and may be refused afterwards. So what the
//! Worker was told last is what counts.

use channel_actors::fence::Fence;

use super::*;
use crate::registry::Fences;

/// How somebody comes by a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    /// Renewed, and not known here.
    Anew,
    /// Renewed, and running with another credential.
    Known,
    /// The first opener's channel renewed, over another path.
    Beside,
    /// The first opener's channel is told anew what it may do.
    Refresh,
}

/// What an opener does, one a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Number,
    FirstRow,
    SecondRow,
    /// All three.
    Grant,
    Register,
    Look,
    Commit,
    /// Both.
    LookAndCommit,
    /// The negative control: the path that was registered stands with what is granted, and no other.
    CommitAlone,
    /// What is granted is told.
    Tell,
}

/// Which topics somebody asks for.
type Asks = &'static [usize];

const BOTH: Asks = &[0, 1];
const FIRST: Asks = &[0];

/// How, which, and in which steps.
type Plan = (Way, Asks, &'static [Step]);

const SLOWLY: &[Step] = &[
    Step::Number,
    Step::FirstRow,
    Step::SecondRow,
    Step::Register,
    Step::Look,
    Step::Commit,
];
const QUICKLY: &[Step] = &[Step::Grant, Step::Register, Step::LookAndCommit];
/// The negative control: the number is newer than what was read.
const NUMBER_LAST: &[Step] = &[
    Step::FirstRow,
    Step::SecondRow,
    Step::Number,
    Step::Register,
    Step::Commit,
];

const ALONE: &[Step] = &[Step::Grant, Step::Register, Step::CommitAlone];
const REFRESH: &[Step] = &[Step::Number, Step::FirstRow, Step::SecondRow, Step::Tell];

/// What an order does in one transaction.
#[derive(Debug, Clone, Copy)]
enum Change {
    Revoke(usize),
    GiveAgain(usize),
}

/// One that opens or renews.
struct Opener {
    way: Way,
    asks: Asks,
    steps: &'static [Step],
    done: usize,
    channel: ChannelId,
    session: SessionId,
    as_of: i64,
    /// Nothing was refused yet.
    good: bool,
    place: Option<Reservation>,
    fence: Option<Fence>,
    closed: bool,
}

/// The path that a channel runs over before anybody renews it.
struct Own {
    channel: ChannelId,
    session: SessionId,
    fence: Fence,
}

/// What the Worker of a channel was told last.
struct Told {
    asks: Asks,
    as_of: i64,
}

struct World {
    directory: Directory,
    fences: Fences,
    live: [bool; 2],
    ledger: Vec<usize>,
    delivered: usize,
    openers: Vec<Opener>,
    owns: Vec<Own>,
    told: BTreeMap<ChannelId, Told>,
    changes: Vec<Change>,
    changed: usize,
}

fn topic(number: usize) -> Topic {
    let user = UserId::parse("u").unwrap();
    let workspace = ["s0", "s1"].map(|id| schema::ids::WorkspaceId::parse(id).unwrap());
    let [first, second] = workspace.map(|workspace| Topic::Access(workspace, user.clone()));
    if number == 0 { first } else { second }
}

impl World {
    fn new(openers: &[Plan], changes: &[Change]) -> Self {
        let mut world = Self {
            directory: Directory::new(Quotas::default()),
            fences: Fences::new(),
            live: [true; 2],
            ledger: Vec::new(),
            delivered: 0,
            openers: Vec::new(),
            owns: Vec::new(),
            told: BTreeMap::new(),
            changes: changes.to_vec(),
            changed: 0,
        };
        let worker = WorkerId::parse("w").unwrap();
        world.directory.admit_link(worker, 0).unwrap();
        for (number, plan) in openers.iter().enumerate() {
            world.add(u8::try_from(number).unwrap(), *plan);
        }
        world
    }

    fn add(&mut self, number: u8, (way, asks, steps): Plan) {
        let session = self.session("c");
        let of = match way {
            Way::Open | Way::Anew | Way::Known => number,
            Way::Beside | Way::Refresh => 0,
        };
        let channel = ChannelId::from_bytes([of; 16]);
        if way == Way::Known {
            self.run(channel);
        }
        self.openers.push(Opener {
            way,
            asks,
            steps,
            done: 0,
            channel,
            session,
            as_of: 0,
            good: true,
            place: None,
            fence: None,
            closed: false,
        });
    }

    /// A channel that runs, over a path that stands with neither topic.
    fn run(&mut self, channel: ChannelId) {
        let other = Topic::Credential(CredentialId::parse("other").unwrap());
        let session = self.session("other");
        let asked = self.asked(channel, session, [other].into(), 0);
        let reservation = self.directory.reserve(asked).unwrap();
        self.directory.commit(reservation).unwrap();
        let topics = self.directory.topics_of(channel, session);
        let fence = self.fences.raise(topics.unwrap());
        self.owns.push(Own {
            channel,
            session,
            fence,
        });
    }

    fn session(&mut self, credential: &str) -> SessionId {
        let credential = CredentialId::parse(credential).unwrap();
        let user = UserId::parse("u").unwrap();
        let admitted = self
            .directory
            .admit_session(user, credential, 0, SessionKind::Relay);
        admitted.unwrap()
    }

    fn asked(
        &self,
        channel: ChannelId,
        session: SessionId,
        topics: BTreeSet<Topic>,
        as_of: i64,
    ) -> Asked {
        Asked {
            channel,
            session,
            worker: WorkerId::parse("w").unwrap(),
            user: UserId::parse("u").unwrap(),
            organisation: OrganisationId::parse("o").unwrap(),
            organisation_channels: 0,
            topics,
            as_of,
        }
    }

    /// Who may take a turn: the openers, the orders, the tail.
    fn ready(&self) -> Vec<usize> {
        let openers = self.openers.iter().enumerate();
        let openers = openers.filter(|(_, one)| one.good && one.done < one.steps.len());
        let mut ready: Vec<usize> = openers.map(|(number, _)| number).collect();
        if self.changed < self.changes.len() {
            ready.push(self.openers.len());
        }
        if self.delivered < self.ledger.len() {
            ready.push(self.openers.len() + 1);
        }
        ready
    }

    fn turn(&mut self, whose: usize) {
        if whose < self.openers.len() {
            let opener = &mut self.openers[whose];
            let step = opener.steps[opener.done];
            opener.done += 1;
            self.step(whose, step);
        } else if whose == self.openers.len() {
            let change = self.changes[self.changed];
            self.changed += 1;
            match change {
                Change::Revoke(number) => {
                    self.live[number] = false;
                    self.ledger.push(number);
                }
                Change::GiveAgain(number) => self.live[number] = true,
            }
        } else {
            self.deliver();
        }
    }

    fn deliver(&mut self) {
        let number = self.ledger[self.delivered];
        self.delivered += 1;
        let seq = i64::try_from(self.delivered).unwrap();
        self.fences.fall(&topic(number), seq);
        let revoked = self
            .directory
            .revoke(topic(number), seq, crate::clock::now());
        for (channel, session) in revoked.paths {
            let its = |one: &&mut Opener| one.channel == channel && one.session == session;
            self.openers
                .iter_mut()
                .filter(its)
                .for_each(|one| one.closed = true);
        }
    }

    fn step(&mut self, whose: usize, step: Step) {
        match step {
            Step::Number => {
                self.openers[whose].as_of = i64::try_from(self.ledger.len()).unwrap();
            }
            Step::FirstRow => self.read(whose, 0),
            Step::SecondRow => self.read(whose, 1),
            Step::Grant => {
                for step in [Step::Number, Step::FirstRow, Step::SecondRow] {
                    self.step(whose, step);
                }
            }
            Step::Register => self.register(whose),
            Step::Look => self.look(whose),
            Step::Commit => self.commit(whose),
            Step::LookAndCommit => {
                self.look(whose);
                if self.openers[whose].good {
                    self.commit(whose);
                }
            }
            Step::CommitAlone => self.commit_alone(whose),
            Step::Tell => self.tell(whose),
        }
    }

    fn read(&mut self, whose: usize, row: usize) {
        let opener = &mut self.openers[whose];
        opener.good &= self.live[row] || !opener.asks.contains(&row);
    }

    fn register(&mut self, whose: usize) {
        let Opener {
            way,
            asks,
            channel,
            session,
            as_of,
            ..
        } = self.openers[whose];
        let topics = asks.iter().map(|number| topic(*number)).collect();
        let asked = self.asked(channel, session, topics, as_of);
        let place = match way {
            Way::Open => self.directory.reserve(asked).ok(),
            Way::Anew | Way::Known | Way::Beside | Way::Refresh => {
                match self.directory.renew(asked) {
                    Ok(Renewal::Known(place) | Renewal::Anew(place)) => Some(place),
                    Err(_) => None,
                }
            }
        };
        let opener = &mut self.openers[whose];
        opener.good = place.is_some();
        opener.place = place;
    }

    fn look(&mut self, whose: usize) {
        let opener = &mut self.openers[whose];
        let seen = usize::try_from(opener.as_of).unwrap();
        let mut since = self.ledger[seen..].iter();
        if since.any(|number| opener.asks.contains(number)) {
            opener.good = false;
            let place = opener.place.unwrap();
            match opener.way {
                Way::Open | Way::Anew => self.directory.release(place),
                Way::Known | Way::Beside | Way::Refresh => {
                    self.directory.settle_path(place, opener.session, false);
                }
            }
        }
    }

    fn commit(&mut self, whose: usize) {
        let opener = &mut self.openers[whose];
        let (place, session) = (opener.place.unwrap(), opener.session);
        match opener.way {
            Way::Open | Way::Anew => opener.good = self.directory.commit(place).is_ok(),
            Way::Known | Way::Beside | Way::Refresh => {
                opener.good = self.directory.commit_path(place, session).is_ok();
                if self.openers[whose].good {
                    self.tell(whose);
                }
                let is_taken = self.openers[whose].good;
                self.directory.settle_path(place, session, is_taken);
            }
        }
        self.pass(whose);
    }

    fn commit_alone(&mut self, whose: usize) {
        let opener = &mut self.openers[whose];
        let commit = self
            .directory
            .commit_path(opener.place.unwrap(), opener.session);
        opener.good = commit.is_ok();
        self.pass(whose);
    }

    /// The channel stands with what the Worker is told, whichever path it has.
    fn tell(&mut self, whose: usize) {
        let Opener {
            asks,
            channel,
            as_of,
            ..
        } = self.openers[whose];
        let topics = asks.iter().map(|number| topic(*number)).collect();
        let stand = self.directory.stand_with_all(channel, &topics, as_of);
        let Ok(paths) = stand else {
            self.openers[whose].good = false;
            return;
        };
        for session in paths {
            let topics = self.directory.topics_of(channel, session).unwrap();
            for fence in self.fences_over(channel, session) {
                self.fences.extend(&fence, topics);
            }
        }
        self.told.insert(channel, Told { asks, as_of });
    }

    fn fences_over(&self, channel: ChannelId, session: SessionId) -> Vec<Fence> {
        let owns = self.owns.iter();
        let owns = owns.filter(|own| own.channel == channel && own.session == session);
        let openers = self.openers.iter();
        let openers = openers.filter(|one| one.channel == channel && one.session == session);
        let owns = owns.map(|own| own.fence.clone());
        owns.chain(openers.filter_map(|one| one.fence.clone()))
            .collect()
    }

    fn pass(&mut self, whose: usize) {
        let opener = &mut self.openers[whose];
        let (channel, session) = (opener.channel, opener.session);
        if opener.good {
            let topics = self.directory.topics_of(channel, session);
            opener.fence = topics.map(|topics| self.fences.raise(topics));
            let (asks, as_of) = (opener.asks, opener.as_of);
            self.told.insert(channel, Told { asks, as_of });
        }
    }

    /// Whether one of these was revoked behind this number, and that was acknowledged.
    fn is_taken_back(&self, asks: Asks, as_of: i64) -> bool {
        let seen = usize::try_from(as_of).unwrap();
        let delivered = self.ledger[..self.delivered].iter();
        let mut since = delivered.skip(seen);
        since.any(|number| asks.contains(number))
    }

    /// What must hold after every turn.
    fn fault(&self) -> Option<&'static str> {
        // Another renewal may have had it stand with more, and with what is older.
        let mut openers = self.openers.iter();
        let is_shared = openers.any(|one| matches!(one.way, Way::Beside | Way::Refresh));
        for opener in &self.openers {
            let Some(fence) = &opener.fence else { continue };
            let acknowledged = self.is_taken_back(opener.asks, opener.as_of);
            if acknowledged && !fence.is_down() {
                return Some("frames pass after the acknowledgement");
            }
            if acknowledged && !opener.closed {
                return Some("a channel runs on after the acknowledgement");
            }
            if !is_shared && !acknowledged && (fence.is_down() || opener.closed) {
                return Some("what was granted in knowledge of a revocation was ended by it");
            }
        }
        let mut told = self.told.iter();
        let is_kept = |(of, told): (&ChannelId, &Told)| {
            self.is_taken_back(told.asks, told.as_of) && self.passes(*of)
        };
        told.any(is_kept)
            .then_some("the Worker keeps what was taken back from a channel that runs on")
    }

    /// Whether frames pass over any of the channel's paths.
    fn passes(&self, channel: ChannelId) -> bool {
        let owns = self.owns.iter().filter(|own| own.channel == channel);
        let openers = self.openers.iter().filter(|one| one.channel == channel);
        let fences = owns.map(|own| &own.fence);
        let mut fences = fences.chain(openers.filter_map(|one| one.fence.as_ref()));
        fences.any(|fence| !fence.is_down())
    }

    /// What must hold when nobody has anything to do any more.
    fn fault_at_last(&self) -> Option<&'static str> {
        for opener in &self.openers {
            let seen = usize::try_from(opener.as_of).unwrap();
            let runs = opener.fence.as_ref().is_some_and(|fence| !fence.is_down());
            if runs && opener.asks.iter().any(|number| !self.live[*number]) {
                return Some("a channel runs on what is no more");
            }
            let was_granted = opener.done >= 4 || (opener.done >= 2 && opener.steps == QUICKLY);
            let is_told = opener.way == Way::Refresh;
            if was_granted && seen == self.ledger.len() && !runs && !is_told && opener.asks == BOTH
            {
                return Some("what was granted, and not revoked since, did not open");
            }
        }
        None
    }
}

/// How many orders of turns there are, and the first that goes wrong.
type Explored = (usize, Option<(Vec<usize>, &'static str)>);

fn explore(openers: &[Plan], changes: &[Change]) -> Explored {
    let (mut count, mut found) = (0, None);
    let mut next = Some(Vec::new());
    while let Some(begun) = next {
        let (choices, wrong) = play(&begun, &mut World::new(openers, changes));
        count += 1;
        let order = || choices.iter().map(|(chosen, _)| *chosen).collect();
        found = found.or_else(|| wrong.map(|wrong| (order(), wrong)));
        next = follower(choices);
    }
    (count, found)
}

type Choices = Vec<(usize, usize)>;

/// Plays a world to its end: as it has begun, and from there on always whoever is first. What was
/// chosen, of how many.
fn play(begun: &[usize], world: &mut World) -> (Choices, Option<&'static str>) {
    let (mut choices, mut wrong) = (Choices::new(), None);
    loop {
        let ready = world.ready();
        if ready.is_empty() {
            return (choices, wrong.or_else(|| world.fault_at_last()));
        }
        let chosen = begun.get(choices.len()).copied().unwrap_or(0);
        world.turn(ready[chosen]);
        choices.push((chosen, ready.len()));
        wrong = wrong.or_else(|| world.fault());
    }
}

/// The beginning of the next order, if there is one.
fn follower(mut choices: Choices) -> Option<Vec<usize>> {
    while let Some((chosen, of)) = choices.pop() {
        if chosen + 1 < of {
            let kept = choices.iter().map(|(chosen, _)| *chosen);
            return Some(kept.chain([chosen + 1]).collect());
        }
    }
    None
}

const WAYS: [Way; 3] = [Way::Open, Way::Anew, Way::Known];

#[test]
fn one_that_opens_against_all_that_may_happen_to_two_topics() {
    let histories: [&[Change]; 4] = [
        &[Change::Revoke(0)],
        &[Change::Revoke(0), Change::GiveAgain(0)],
        &[Change::Revoke(0), Change::GiveAgain(0), Change::Revoke(1)],
        &[
            Change::Revoke(1),
            Change::Revoke(0),
            Change::GiveAgain(1),
            Change::GiveAgain(0),
        ],
    ];
    let mut orders = 0;
    for way in WAYS {
        for (changes, asks) in histories
            .into_iter()
            .flat_map(|it| [(it, BOTH), (it, FIRST)])
        {
            let (count, wrong) = explore(&[(way, asks, SLOWLY)], changes);
            assert_eq!(wrong, None, "{way:?} {asks:?} {changes:?}");
            orders += count;
        }
    }
    assert!(orders > 6_000, "{orders} orders were looked at");
}

#[test]
fn two_that_open_beside_each_other_against_one_that_is_given_again() {
    let changes = [Change::Revoke(0), Change::GiveAgain(0)];
    let mut orders = 0;
    for way in WAYS {
        let openers = [(way, BOTH, SLOWLY), (Way::Open, BOTH, QUICKLY)];
        let (count, wrong) = explore(&openers, &changes);
        assert_eq!(wrong, None, "{way:?}");
        orders += count;
    }
    assert!(orders > 10_000, "{orders} orders were looked at");
}

#[test]
fn two_that_renew_one_channel_over_two_paths_and_ask_for_different_things() {
    let mut orders = 0;
    let mut all_of = |first: Asks, second: Plan, changes: &[Change]| {
        let (count, wrong) = explore(&[(Way::Known, first, SLOWLY), second], changes);
        assert_eq!(wrong, None, "{first:?} {second:?} {changes:?}");
        orders += count;
    };
    for (first, second) in [(FIRST, BOTH), (BOTH, FIRST), (BOTH, BOTH)] {
        let beside = (Way::Beside, second, QUICKLY);
        all_of(first, beside, &[Change::Revoke(1)]);
        let refresh = (Way::Refresh, second, REFRESH);
        all_of(first, refresh, &[Change::Revoke(1)]);
    }
    let again = [Change::Revoke(1), Change::GiveAgain(1)];
    all_of(FIRST, (Way::Beside, BOTH, QUICKLY), &again);
    assert!(orders > 30_000, "{orders} orders were looked at");
}

#[test]
fn a_path_that_alone_stands_with_what_the_worker_was_told_is_found_out() {
    let (_, wrong) = explore(&[(Way::Known, BOTH, ALONE)], &[Change::Revoke(1)]);
    let kept = "the Worker keeps what was taken back from a channel that runs on";
    assert_eq!(wrong.map(|(_, why)| why), Some(kept));
}

#[test]
fn a_number_that_is_read_behind_the_rows_is_found_out() {
    let (_, wrong) = explore(&[(Way::Open, BOTH, NUMBER_LAST)], &[Change::Revoke(0)]);
    assert!(wrong.is_some());
}
