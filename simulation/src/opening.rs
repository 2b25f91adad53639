//! How a channel comes to be, or is renewed: the Registry's half, as `hub-actors/src/registry` has it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use channel_actors::{
    Begin, Channel, ChannelParts, PathId, Refusal, RefusalReason, Renewal, guard::Guard,
};
use hub_actors::brains::{self, Asked, Reservation};
use schema::{
    ids::{ChannelId, CredentialId, UserId, WorkerId},
    wire,
};

use crate::{
    database::garden,
    hub::{Actor, KnownChannel},
    pace::Due,
    tells::{Part, Tell, ToChannel, ToRegistry, ToSession},
    world::{Control, World},
};

/// An open or a renewal on its way through the Hub.
#[derive(Clone)]
pub(crate) struct Order {
    pub(crate) life: u64,
    /// The Session, by its number in this world and by the directory's.
    pub(crate) key: u64,
    pub(crate) session: u64,
    pub(crate) channel: ChannelId,
    pub(crate) worker: WorkerId,
    pub(crate) user: UserId,
    pub(crate) credential: CredentialId,
    pub(crate) wish: Wish,
    pub(crate) tries: u32,
}

#[derive(Clone)]
pub(crate) enum Wish {
    Open {
        open: wire::Open,
        claim: Arc<AtomicBool>,
    },
    Renew(wire::Renew),
}

/// What the database is asked, and why.
#[derive(Clone)]
pub(crate) enum Question {
    /// May this user route to this Worker, and does the credential hold?
    Grant(Order),
    /// Does it still hold, now that the channel has a place?
    Again(Order, Held),
    /// The negative control: it holds, and only now the channel gets its place.
    TooEarly(Order),
    Session {
        life: u64,
        socket: u64,
        number: u64,
        credential: CredentialId,
    },
}

#[derive(Clone, Copy)]
pub(crate) enum Held {
    Open(Reservation),
    Renew(brains::Renewal),
}

impl Order {
    fn asked(&self) -> Asked {
        Asked {
            channel: self.channel,
            session: self.session,
            worker: self.worker.clone(),
            user: self.user.clone(),
            credential: self.credential.clone(),
        }
    }

    pub(crate) fn renewal(&self) -> Renewal {
        let renew = match &self.wish {
            Wish::Renew(renew) => renew.clone(),
            Wish::Open { .. } => wire::Renew::default(),
        };
        Renewal {
            access: wire::AccessChanged {
                channel_id: renew.channel_id.clone(),
                change: 0,
                workspaces: garden(),
                certificates: Vec::new(),
            },
            renew,
        }
    }
}

impl World {
    pub(crate) fn ask_database(&mut self, question: Question) {
        let wait = self.store_delay();
        self.after(wait, Due::Read(Box::new(question)));
    }

    fn store_delay(&mut self) -> u64 {
        let early = self.setting.control == Control::ChecksBeforeItRegisters;
        // A database that is slow more often brings the negative control to light sooner.
        let slow = self.one_in(if early { 2 } else { 8 });
        self.draw(if slow { 50..1_500 } else { 0..15 })
    }

    /// What is true is true in this moment; the answer is heard later.
    pub(crate) fn read(&mut self, question: Box<Question>) {
        let wall = self.wall();
        let live = match &*question {
            Question::Grant(order) => self.database.is_live(&order.credential, wall),
            Question::Again(order, _) | Question::TooEarly(order) => {
                self.database.is_live(&order.credential, wall)
            }
            Question::Session { credential, .. } => self.database.is_live(credential, wall),
        };
        let wait = self.store_delay();
        self.after(wait, Due::Answer(question, live));
    }

    pub(crate) fn answered(&mut self, question: Question, live: bool) {
        match question {
            Question::Session {
                life,
                socket,
                number,
                ..
            } if life == self.hub.life => {
                self.session_admitted(socket, number, live);
            }
            Question::Grant(order) if order.life == self.hub.life => self.granted(order, live),
            Question::Again(order, held) if order.life == self.hub.life => {
                self.looked_again(order, held, live);
            }
            Question::TooEarly(order) if order.life == self.hub.life => {
                self.registered_late(order, live);
            }
            // Of a Hub that is no more.
            _ => {}
        }
    }

    fn granted(&mut self, order: Order, live: bool) {
        let refused = if !live {
            RefusalReason::Credential
        } else if !self.database.may_route(&order.user, &order.worker) {
            RefusalReason::NotFound
        } else {
            let from = Part::Session(order.key);
            let order = ToRegistry::Order(Box::new(order));
            return self.tell(from, Part::Registry, Tell::Registry(order));
        };
        self.refuse_order(&order, refused.into());
    }

    pub(crate) fn refuse_order(&mut self, order: &Order, refusal: Refusal) {
        let tell = match &order.wish {
            Wish::Open { .. } => ToSession::NotOpened(order.channel, refusal),
            Wish::Renew(renew) => ToSession::NotRenewed(order.channel, renew.serial, refusal),
        };
        self.tell(
            Part::Registry,
            Part::Session(order.key),
            Tell::Session(tell),
        );
    }

    /// Registers first and looks at the credential second.
    pub(crate) fn carry_out(&mut self, order: Order) {
        if self.setting.control == Control::ChecksBeforeItRegisters {
            return self.ask_database(Question::TooEarly(order));
        }
        match self.register(&order) {
            Ok(held) => self.ask_database(Question::Again(order, held)),
            Err(refusal) => self.refuse_order(&order, refusal),
        }
    }

    fn register(&mut self, order: &Order) -> Result<Held, Refusal> {
        let asked = order.asked();
        match order.wish {
            Wish::Open { .. } => self.hub.directory.reserve(asked).map(Held::Open),
            Wish::Renew(_) => self.hub.directory.renew(asked).map(Held::Renew),
        }
    }

    fn registered_late(&mut self, order: Order, live: bool) {
        let held = if live {
            self.register(&order)
        } else {
            Err(RefusalReason::Credential.into())
        };
        match held {
            Ok(held) => self.looked_again(order, held, true),
            Err(refusal) => self.refuse_order(&order, refusal),
        }
    }

    fn looked_again(&mut self, order: Order, held: Held, live: bool) {
        match held {
            Held::Renew(brains::Renewal::Known(_)) if !live => {
                self.refuse_order(&order, RefusalReason::Credential.into());
            }
            Held::Open(reservation) | Held::Renew(brains::Renewal::Anew(reservation)) if !live => {
                self.hub.directory.release(reservation);
                self.refuse_order(&order, RefusalReason::Credential.into());
            }
            Held::Open(reservation) | Held::Renew(brains::Renewal::Anew(reservation)) => {
                if let Err(reason) = self.begin_channel(&order, reservation) {
                    self.hub.directory.release(reservation);
                    self.refuse_order(&order, reason.into());
                }
            }
            Held::Renew(brains::Renewal::Known(reservation)) => {
                self.order_renewal(order, reservation);
            }
        }
    }

    fn begin_channel(
        &mut self,
        order: &Order,
        reservation: Reservation,
    ) -> Result<(), RefusalReason> {
        let link = self.hub.directory.commit(reservation)?;
        let offline = RefusalReason::WorkerOffline;
        let link = self.hub.link_of(&order.worker, link).ok_or(offline)?;
        if !self.hub.known_sessions.contains_key(&order.session) {
            return Err(offline);
        }
        let begin = match &order.wish {
            Wish::Open { claim, .. } if claim.swap(true, Ordering::AcqRel) => {
                return Err(RefusalReason::Busy);
            }
            Wish::Open { open, .. } => Begin::Open(incoming(order, open)),
            Wish::Renew(_) => Begin::Renew(order.renewal()),
        };
        self.check_rising(order);
        self.start_channel(order, link, begin);
        Ok(())
    }

    fn start_channel(&mut self, order: &Order, link: u64, begin: Begin) {
        self.last_number += 1;
        let number = self.last_number;
        let fence = self.hub.raised.raise(&order.credential);
        let path = PathId(order.session);
        let parts = ChannelParts {
            channel: order.channel,
            worker: order.worker.clone(),
            user: order.user.clone(),
            credential: order.credential.clone(),
            begin,
            browser: self.browser_side(number, order.key, path, fence.clone()),
            link: self.link_side(number, link),
            forgotten: self.forgetting(number),
            guard: Guard::new(order.channel, self.reporting(number)),
            limits: self.limits.clone(),
            budget: self.budget.clone(),
        };
        let actor = Actor {
            addr: Channel::start(parts),
            epoch: 0,
        };
        self.actors.insert(number, actor);
        self.stirred = true;
        let fences = BTreeMap::from([(order.session, fence)]);
        let known = KnownChannel { number, fences };
        self.hub.channels.insert(order.channel, known);
    }

    /// Another session of the client, or the same, asks for new keys of a channel that is here.
    fn order_renewal(&mut self, order: Order, reservation: Reservation) {
        match self.hub.directory.commit_path(reservation, order.session) {
            Ok(()) => {}
            Err(Some(reason)) => return self.refuse_order(&order, reason.into()),
            Err(None) => return self.again(order),
        }
        let Some(known) = self.hub.channels.get_mut(&order.channel) else {
            return self.again(order);
        };
        let (number, raised) = (known.number, &mut self.hub.raised);
        let raised = || raised.raise(&order.credential);
        let fence = known
            .fences
            .entry(order.session)
            .or_insert_with(raised)
            .clone();
        if !self.hub.known_sessions.contains_key(&order.session) {
            return self.refuse_order(&order, RefusalReason::Credential.into());
        }
        let order = ToChannel::PassRenewal(Box::new(order), fence);
        self.tell(Part::Registry, Part::Channel(number), Tell::Channel(order));
    }

    /// What a Channel said to a renewal that was passed to it.
    pub(crate) fn passed(&mut self, order: Order, answer: Option<Result<(), Refusal>>) {
        match answer {
            Some(Ok(())) => {}
            Some(Err(refusal)) => self.refuse_order(&order, refusal),
            None => self.again(order),
        }
    }

    fn again(&mut self, mut order: Order) {
        match order.tries.checked_sub(1) {
            Some(tries) => {
                order.tries = tries;
                self.carry_out(order);
            }
            None => self.refuse_order(&order, RefusalReason::Busy.into()),
        }
    }
}

fn incoming(order: &Order, open: &wire::Open) -> wire::Incoming {
    wire::Incoming {
        channel_id: open.channel_id.clone(),
        user_id: order.user.as_str().to_owned(),
        organisation_id: "home".to_owned(),
        workspaces: garden(),
        noise: open.noise.clone(),
        max_message_bytes: open.max_message_bytes,
        certificates: Vec::new(),
        delegated: false,
    }
}
