//! What Channel actors say to the parts around them, caught and put into the queues.

use std::sync::{Arc, Mutex, PoisonError};

use actix::{Actor, Addr, Context, Handler};
use channel_actors::{
    BrowserSide, LinkSide, PathId, Refusal,
    fence::Fence,
    guard::ChannelReport,
    lane::Passing,
    messages::{
        Close, ControlFromBrowser, ControlFromWorker, ControlToBrowser, ControlToWorker,
        MeetBrowser, MeetWorker, PassRenewal, PathForgotten, PathGone, ToBrowser, ToWorker,
    },
    post::tell_addr,
};
use schema::{ids::ChannelId, wire::control::Body};

use crate::{
    opening::Order,
    tells::{Part, Tell, ToChannel, ToLink, ToRegistry, ToSession},
    world::World,
};

/// Said by an actor of one life of the Hub.
pub(crate) struct Said {
    life: u64,
    number: u64,
    to: Part,
    what: What,
}

enum What {
    Meet(ChannelId),
    Frame(Passing),
    Control(Body),
    Forgotten(PathForgotten),
    Gone(ChannelReport),
    Passed(Box<Order>, Option<Result<(), Refusal>>),
}

/// Where it is put down.
pub(crate) type Notes = Arc<Mutex<Vec<Said>>>;

/// The recipient of one Channel's words for one part.
struct Ear {
    notes: Notes,
    life: u64,
    number: u64,
    to: Part,
}

impl Ear {
    fn hear(&self, what: What) {
        let (life, number, to) = (self.life, self.number, self.to);
        note(
            &self.notes,
            Said {
                life,
                number,
                to,
                what,
            },
        );
    }
}

fn note(notes: &Notes, said: Said) {
    notes
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(said);
}

impl Actor for Ear {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(1 << 20);
    }
}

macro_rules! hears {
    ($($message:ident => |$it:ident| $what:expr),+ $(,)?) => { $(
        impl Handler<$message> for Ear {
            type Result = ();

            fn handle(&mut self, $it: $message, _: &mut Context<Self>) {
                self.hear($what);
            }
        }
    )+ };
}

hears! {
    MeetBrowser => |it| What::Meet(it.channel),
    MeetWorker => |it| What::Meet(it.channel),
    ToBrowser => |it| What::Frame(it.0),
    ToWorker => |it| What::Frame(it.0),
    ControlToBrowser => |it| What::Control(it.0),
    ControlToWorker => |it| What::Control(it.0),
    PathForgotten => |it| What::Forgotten(it),
}

impl World {
    fn ear(&self, number: u64, to: Part) -> Addr<Ear> {
        let (notes, life) = (self.notes.clone(), self.hub.life);
        Ear {
            notes,
            life,
            number,
            to,
        }
        .start()
    }

    pub(crate) fn browser_side(
        &self,
        number: u64,
        key: u64,
        path: PathId,
        fence: Fence,
    ) -> BrowserSide {
        let ear = self.ear(number, Part::Session(key));
        BrowserSide {
            path,
            fence,
            frames: ear.clone().recipient(),
            control: ear.clone().recipient(),
            meet: ear.recipient(),
        }
    }

    pub(crate) fn link_side(&self, number: u64, key: u64) -> LinkSide {
        let ear = self.ear(number, Part::Link(key));
        LinkSide {
            frames: ear.clone().recipient(),
            control: ear.clone().recipient(),
            meet: ear.recipient(),
        }
    }

    pub(crate) fn forgetting(&self, number: u64) -> actix::Recipient<PathForgotten> {
        self.ear(number, Part::Registry).recipient()
    }

    /// What its guard does with a channel's report.
    pub(crate) fn reporting(&self, number: u64) -> impl FnOnce(ChannelReport) + Send + use<> {
        let (notes, life) = (self.notes.clone(), self.hub.life);
        move |report| {
            let (to, what) = (Part::Registry, What::Gone(report));
            note(
                &notes,
                Said {
                    life,
                    number,
                    to,
                    what,
                },
            );
        }
    }

    pub(crate) fn channel_hears(&mut self, number: u64, tell: ToChannel) {
        if matches!(tell, ToChannel::PassRenewal(..)) {
            return self.pass_renewal(number, tell);
        }
        // Who is gone hears nothing.
        let Some(actor) = self.actors.get_mut(&number) else {
            return;
        };
        match tell {
            ToChannel::FromBrowser(frame) => tell_addr(&actor.addr, frame),
            ToChannel::ControlFromBrowser(path, body) => {
                tell_addr(&actor.addr, ControlFromBrowser { path, body });
            }
            ToChannel::FromWorker(frame) => tell_addr(&actor.addr, frame),
            ToChannel::ControlFromWorker(body) => {
                if let Body::Renewed(renewed) = &body {
                    actor.epoch = actor.epoch.max(renewed.serial);
                }
                tell_addr(&actor.addr, ControlFromWorker(body));
            }
            ToChannel::PathGone(path, reason) => {
                tell_addr(&actor.addr, PathGone { path, reason });
            }
            ToChannel::Close(reason) => tell_addr(&actor.addr, Close { reason }),
            ToChannel::PassRenewal(..) => {}
        }
    }

    fn pass_renewal(&mut self, number: u64, tell: ToChannel) {
        let ToChannel::PassRenewal(order, fence) = tell else {
            return;
        };
        let (notes, life) = (self.notes.clone(), self.hub.life);
        let gone = move |order, answer| {
            let (to, what) = (Part::Registry, What::Passed(order, answer));
            note(
                &notes,
                Said {
                    life,
                    number,
                    to,
                    what,
                },
            );
        };
        let Some(addr) = self.actors.get(&number).map(|actor| actor.addr.clone()) else {
            return gone(order, None);
        };
        if !fence.is_down() {
            self.check_rising(&order);
        }
        self.stirred = true;
        let path = PathId(order.session);
        let browser = self.browser_side(number, order.key, path, fence);
        let renewal = order.renewal();
        let asked = addr.send(PassRenewal { browser, renewal });
        actix_rt::spawn(async move {
            let answer = asked.await.ok();
            gone(order, answer);
        });
    }

    /// Lets the actors do what they were told, and puts what they say into the queues.
    pub(crate) async fn hear_actors(&mut self) {
        self.stirred = false;
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        loop {
            let said =
                std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner));
            if said.is_empty() {
                break;
            }
            for said in said {
                self.pass_on(said);
            }
            tokio::task::yield_now().await;
        }
    }

    fn pass_on(&mut self, said: Said) {
        let Said {
            life,
            number,
            to,
            what,
        } = said;
        if let What::Gone(_) = what {
            self.actors.remove(&number);
        }
        if life != self.hub.life {
            // A killed process says nothing.
            return;
        }
        let from = Part::Channel(number);
        let tell = match (to, what) {
            (Part::Session(_), What::Meet(channel)) => {
                Tell::Session(ToSession::Meet { number, channel })
            }
            (Part::Session(_), What::Frame(frame)) => Tell::Session(ToSession::Frame(frame)),
            (Part::Session(_), What::Control(body)) => Tell::Session(ToSession::Control(body)),
            (Part::Link(_), What::Meet(channel)) => Tell::Link(ToLink::Meet { number, channel }),
            (Part::Link(_), What::Frame(frame)) => Tell::Link(ToLink::Frame(frame)),
            (Part::Link(_), What::Control(body)) => Tell::Link(ToLink::Control(body)),
            (_, What::Forgotten(it)) => Tell::Registry(ToRegistry::Forgotten(it)),
            (_, What::Gone(report)) => Tell::Registry(ToRegistry::ChannelGone(report)),
            (_, What::Passed(order, answer)) => Tell::Registry(ToRegistry::Passed(order, answer)),
            (_, What::Meet(_) | What::Frame(_) | What::Control(_)) => return,
        };
        self.tell(from, to, tell);
    }
}
