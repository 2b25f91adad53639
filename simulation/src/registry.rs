//! The Registry: who came, who went, and what becomes of the others. As `hub-actors/src/registry`.

use std::time::Duration;

use channel_actors::{CloseReason, relay::Ending};
use hub_actors::brains::{End, Offender};
use schema::ids::CredentialId;

use crate::{
    opening::Question,
    tells::{Part, Tell, ToLink, ToRegistry, ToSession},
    world::{Control, World},
};

impl World {
    pub(crate) fn registry_hears(&mut self, tell: ToRegistry) {
        match tell {
            ToRegistry::Admit { socket } => self.admit(socket),
            ToRegistry::MeetSession { key } => self.meet_session(key),
            ToRegistry::MeetLink { key } => self.meet_link(key),
            ToRegistry::SessionGone { number } => self.session_gone(number),
            ToRegistry::LinkGone { worker, number } => self.link_gone(worker, number),
            ToRegistry::Order(order) => self.carry_out(*order),
            ToRegistry::Passed(order, answer) => self.passed(*order, answer),
            ToRegistry::ChannelGone(report) => self.channel_gone(&report),
            ToRegistry::Forgotten(it) => self.path_forgotten(it),
            ToRegistry::Revoked(credential) => self.revoked(credential),
        }
    }

    fn admit(&mut self, socket: u64) {
        let Some(client) = self.client_of(socket) else {
            return;
        };
        let (user, credential) = (
            self.clients[client].user.clone(),
            self.clients[client].credential.clone(),
        );
        match self.hub.directory.admit_session(user, credential.clone()) {
            Ok(number) => {
                let life = self.hub.life;
                self.ask_database(Question::Session {
                    life,
                    socket,
                    number,
                    credential,
                });
            }
            Err(_) => self.turn_away(socket),
        }
    }

    /// The last look at its credential: a revocation in between finds the place.
    pub(crate) fn session_admitted(&mut self, socket: u64, number: u64, live: bool) {
        if !live || !self.begin_session(socket, number) {
            self.session_gone(number);
            self.turn_away(socket);
        }
    }

    fn meet_session(&mut self, key: u64) {
        let Some(session) = self.hub.sessions.get(&key) else {
            return;
        };
        let number = session.number;
        let met = self.hub.directory.may_stay(number);
        if session.is_here() {
            self.hub.known_sessions.insert(number, key);
        }
        self.tell(
            Part::Registry,
            Part::Session(key),
            Tell::Session(ToSession::Met(met)),
        );
    }

    fn meet_link(&mut self, key: u64) {
        let Some(link) = self.hub.links.get(&key) else {
            return;
        };
        let worker = link.worker;
        let id = self.workers[worker].id.clone();
        let Ok(admitted) = self.hub.directory.admit_link(id.clone()) else {
            return self.tell(
                Part::Registry,
                Part::Link(key),
                Tell::Link(ToLink::Welcome(None)),
            );
        };
        if let Some((old, channels)) = admitted.replaced {
            self.close_channels(&channels, CloseReason::ConnectionLost);
            self.depart_link(&id, old, End::Replaced, Duration::ZERO);
        }
        let number = admitted.link;
        if self.hub.links.get(&key).is_some_and(|link| link.is_over()) {
            // It broke while it was being asked.
            return self.link_gone(worker, number);
        }
        self.hub.known_links.insert(id, (number, key));
        let welcome = ToLink::Welcome(Some((worker, number)));
        self.tell(Part::Registry, Part::Link(key), Tell::Link(welcome));
    }

    fn session_gone(&mut self, number: u64) {
        let channels = self.hub.directory.session_gone(number);
        self.close_path(number, &channels, CloseReason::ConnectionLost);
        self.hub.known_sessions.remove(&number);
    }

    fn link_gone(&mut self, worker: usize, number: u64) {
        let id = self.workers[worker].id.clone();
        if let Some(channels) = self.hub.directory.link_gone(&id, number) {
            self.close_channels(&channels, CloseReason::ConnectionLost);
            self.hub.known_links.remove(&id);
        }
    }

    fn channel_gone(&mut self, report: &channel_actors::guard::ChannelReport) {
        self.hub.channels.remove(&report.channel);
        if report.ending == Ending::Closed(CloseReason::Internal) {
            self.find("a Channel died without saying why");
        }
        let path = report.path.map(|path| path.0);
        let gone = self
            .hub
            .directory
            .channel_gone(report.channel, path, report.offender);
        match gone {
            Some(Offender::Session(session)) => {
                self.happened.offenders += 1;
                self.depart(session, End::Offender, Duration::from_secs(60));
            }
            Some(Offender::Link(..)) => {
                self.find("a Worker that keeps to the rules is an offender")
            }
            None => {}
        }
    }

    fn path_forgotten(&mut self, forgotten: channel_actors::messages::PathForgotten) {
        let (channel, session) = (forgotten.channel, forgotten.path.0);
        self.hub.directory.forget_path(channel, session);
        if !self.hub.known_sessions.contains_key(&session)
            && let Some(known) = self.hub.channels.get_mut(&channel)
        {
            known.fences.remove(&session);
        }
    }

    /// Every fence falls before anybody is told anything.
    fn revoked(&mut self, credential: CredentialId) {
        let now = self.now();
        let revoked = self.hub.directory.revoke(credential.clone(), now);
        if self.setting.control == Control::ForgetsTheFencesOfTheEnded {
            for (channel, session) in &revoked.paths {
                let known = self.hub.channels.get(channel);
                if let Some(fence) = known.and_then(|known| known.fences.get(session)) {
                    fence.fall();
                }
            }
        } else {
            self.hub.raised.fall(&credential);
        }
        self.fallen.insert(credential);
        for (channel, session) in revoked.paths {
            self.close_path(session, &[channel], CloseReason::Revoked);
        }
        for session in revoked.sessions {
            self.depart(session, End::Revoked, Duration::ZERO);
        }
        if matches!(
            self.setting.control,
            Control::ChecksBeforeItRegisters | Control::LeavesNoTombstone
        ) {
            self.lift_tombstone(now);
        }
    }

    /// For the negative control: what a revocation leaves behind would save it.
    fn lift_tombstone(&mut self, now: std::time::Instant) {
        const LONG: Duration = Duration::from_secs(3_600);
        let nobody = CredentialId::parse("nobody").expect("letters");
        let _ = self.hub.directory.revoke(nobody, now + LONG);
    }
}
