//! MODEL: opens and renewals against revocations, in every order of their steps.
//!
//! What is true stands in rows and in the ledger; the Directory and the fences are the real ones. An
//! opener reads the ledger's number, then two rows one after the other, registers, looks once more,
//! and commits. An order revokes, or gives again, in one step. The tail delivers in order; a
//! revocation is acknowledged when it is delivered.

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
}

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

/// What an order does in one transaction.
#[derive(Debug, Clone, Copy)]
enum Change {
    Revoke(usize),
    GiveAgain(usize),
}

/// One that opens or renews.
struct Opener {
    way: Way,
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

struct World {
    directory: Directory,
    fences: Fences,
    live: [bool; 2],
    ledger: Vec<usize>,
    delivered: usize,
    openers: Vec<Opener>,
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
    fn new(openers: &[(Way, &'static [Step])], changes: &[Change]) -> Self {
        let mut world = Self {
            directory: Directory::new(Quotas::default()),
            fences: Fences::new(),
            live: [true; 2],
            ledger: Vec::new(),
            delivered: 0,
            openers: Vec::new(),
            changes: changes.to_vec(),
            changed: 0,
        };
        let worker = WorkerId::parse("w").unwrap();
        world.directory.admit_link(worker, 0).unwrap();
        for (number, (way, steps)) in openers.iter().enumerate() {
            world.add(u8::try_from(number).unwrap(), *way, steps);
        }
        world
    }

    fn add(&mut self, number: u8, way: Way, steps: &'static [Step]) {
        let session = self.session("c");
        let channel = ChannelId::from_bytes([number; 16]);
        if way == Way::Known {
            let other = Topic::Credential(CredentialId::parse("other").unwrap());
            let over = self.session("other");
            let asked = self.asked(channel, over, [other].into(), 0);
            let reservation = self.directory.reserve(asked).unwrap();
            self.directory.commit(reservation).unwrap();
        }
        self.openers.push(Opener {
            way,
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
            Step::FirstRow => self.openers[whose].good &= self.live[0],
            Step::SecondRow => self.openers[whose].good &= self.live[1],
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
        }
    }

    fn register(&mut self, whose: usize) {
        let Opener {
            way,
            channel,
            session,
            as_of,
            ..
        } = self.openers[whose];
        let asked = self.asked(channel, session, [topic(0), topic(1)].into(), as_of);
        let place = match way {
            Way::Open => self.directory.reserve(asked).ok(),
            Way::Anew | Way::Known => match self.directory.renew(asked) {
                Ok(Renewal::Known(place) | Renewal::Anew(place)) => Some(place),
                Err(_) => None,
            },
        };
        let opener = &mut self.openers[whose];
        opener.good = place.is_some();
        opener.place = place;
    }

    fn look(&mut self, whose: usize) {
        let opener = &mut self.openers[whose];
        let seen = usize::try_from(opener.as_of).unwrap();
        if self.ledger.len() > seen {
            opener.good = false;
            if opener.way != Way::Known {
                self.directory.release(opener.place.unwrap());
            }
        }
    }

    fn commit(&mut self, whose: usize) {
        let opener = &mut self.openers[whose];
        let place = opener.place.unwrap();
        let goes_on = match opener.way {
            Way::Open | Way::Anew => self.directory.commit(place).is_ok(),
            Way::Known => self.directory.commit_path(place, opener.session).is_ok(),
        };
        opener.good = goes_on;
        if goes_on {
            let topics = self.directory.topics_of(opener.channel, opener.session);
            opener.fence = topics.map(|topics| self.fences.raise(topics));
        }
    }

    /// What must hold after every turn.
    fn fault(&self) -> Option<&'static str> {
        for opener in &self.openers {
            let Some(fence) = &opener.fence else { continue };
            let seen = usize::try_from(opener.as_of).unwrap();
            let acknowledged = self.delivered > seen;
            if acknowledged && !fence.is_down() {
                return Some("frames pass after the acknowledgement");
            }
            if acknowledged && !opener.closed {
                return Some("a channel runs on after the acknowledgement");
            }
            if !acknowledged && (fence.is_down() || opener.closed) {
                return Some("what was granted in knowledge of a revocation was ended by it");
            }
        }
        None
    }

    /// What must hold when nobody has anything to do any more.
    fn fault_at_last(&self) -> Option<&'static str> {
        for opener in &self.openers {
            let seen = usize::try_from(opener.as_of).unwrap();
            let runs = opener.fence.as_ref().is_some_and(|fence| !fence.is_down());
            if runs && self.live != [true; 2] {
                return Some("a channel runs on what is no more");
            }
            let was_granted = opener.done >= 4 || (opener.done >= 2 && opener.steps == QUICKLY);
            if was_granted && seen == self.ledger.len() && !runs {
                return Some("what was granted, and not revoked since, did not open");
            }
        }
        None
    }
}

/// How many orders of turns there are, and the first that goes wrong.
type Explored = (usize, Option<(Vec<usize>, &'static str)>);

fn explore(openers: &[(Way, &'static [Step])], changes: &[Change]) -> Explored {
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
        for changes in histories {
            let (count, wrong) = explore(&[(way, SLOWLY)], changes);
            assert_eq!(wrong, None, "{way:?} {changes:?}");
            orders += count;
        }
    }
    assert!(orders > 3_000, "{orders} orders were looked at");
}

#[test]
fn two_that_open_beside_each_other_against_one_that_is_given_again() {
    let changes = [Change::Revoke(0), Change::GiveAgain(0)];
    let mut orders = 0;
    for way in WAYS {
        let openers = [(way, SLOWLY), (Way::Open, QUICKLY)];
        let (count, wrong) = explore(&openers, &changes);
        assert_eq!(wrong, None, "{way:?}");
        orders += count;
    }
    assert!(orders > 10_000, "{orders} orders were looked at");
}

#[test]
fn a_number_that_is_read_behind_the_rows_is_found_out() {
    let (_, wrong) = explore(&[(Way::Open, NUMBER_LAST)], &[Change::Revoke(0)]);
    assert!(wrong.is_some());
}
