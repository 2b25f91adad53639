//! What an order leaves behind beside its rows: who did it, what it took back, who has to know.
//!
//! The order collects it; [`State::order`](crate::state::State::order) writes the first two as the
//! last statements of the same transaction, and tells the third once that is committed.

use schema::ids::{UserId, WorkerId, WorkspaceId};

use crate::{
    clock,
    error::{Fault, Refusal},
    store::{
        Connection, Store,
        audit::{self, Actor, Event, Object},
        ledger::{self, Reason},
    },
    topic::Topic,
    whereabouts::Whereabout,
};

/// Who gives an order.
#[derive(Debug, Clone)]
pub(crate) struct Author {
    pub(crate) actor: Actor,
    pub(crate) id: String,
    /// Where from; empty for nowhere.
    pub(crate) address: String,
}

/// One line of the audit log, before it has a number.
#[derive(Debug, Clone)]
struct Line {
    action: &'static str,
    object: Object,
    object_id: String,
    organisation: Option<String>,
    detail: &'static str,
}

/// Something that watchers of `/ws/events` are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum About {
    /// A Worker; what is true of it now is read when the notice is delivered.
    Worker(WorkerId),
    /// A workspace: its title, shares or owner. The same.
    Workspace(WorkspaceId),
    /// A workspace's layout.
    Layout(WorkspaceId),
    /// A Worker of the watcher's needs certificates.
    Grants(WorkerId),
    /// The watcher's organisations, members or invitations.
    Organisations,
    /// Where somebody's page is. Live only: never noted, never replayed from a cursor.
    Presence(Box<Whereabout>),
    /// More than is remembered.
    Everything,
}

/// Who has to be told what.
#[derive(Debug, Clone)]
pub(crate) struct News {
    pub(crate) users: Vec<UserId>,
    pub(crate) about: About,
}

/// What an order leaves behind.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    lines: Vec<Line>,
    pub(crate) revoked: Vec<(Topic, Reason)>,
    pub(crate) news: Vec<News>,
    /// Users whose open channels are to be told anew what they may do: it became more, or another
    /// thing, but not less.
    pub(crate) refresh: Vec<UserId>,
    /// Certificates that a Worker is to be shown at once, as they are stored.
    pub(crate) shown: Vec<(WorkerId, Vec<u8>)>,
    /// The ledger's number of the newest revocation, once it is written.
    pub(crate) newest: Option<i64>,
}

impl Notes {
    /// Writes down that it was done.
    pub(crate) fn audit(&mut self, action: &'static str, object: Object, object_id: &str) {
        self.audit_in(None, action, object, object_id, "");
    }

    /// The same, with a word about it and the organisation in which it was done.
    pub(crate) fn audit_in(
        &mut self,
        organisation: Option<&str>,
        action: &'static str,
        object: Object,
        object_id: &str,
        detail: &'static str,
    ) {
        self.lines.push(Line {
            action,
            object,
            object_id: object_id.to_owned(),
            organisation: organisation.map(str::to_owned),
            detail,
        });
    }

    /// Takes something back: whatever stands with it ends.
    pub(crate) fn revoke(&mut self, topic: Topic, reason: Reason) {
        self.revoked.push((topic, reason));
    }

    /// Tells these users' watchers, once it is committed.
    pub(crate) fn tell(&mut self, users: impl IntoIterator<Item = UserId>, about: About) {
        let users = users.into_iter().collect();
        self.news.push(News { users, about });
    }

    /// Writes audit log and ledger, in this order: the ledger's number is taken last.
    pub(crate) fn write(
        &mut self,
        conn: &mut Connection,
        author: &Author,
        now_ms: i64,
    ) -> Result<(), Fault> {
        for line in &self.lines {
            let event = Event {
                actor: author.actor,
                actor_id: &author.id,
                address: &author.address,
                action: line.action,
                object: line.object,
                object_id: &line.object_id,
                organisation: line.organisation.as_deref(),
                detail: line.detail,
            };
            audit::append(conn, &event, now_ms)?;
        }
        self.newest = ledger::append_all(conn, &self.revoked, now_ms)?;
        Ok(())
    }
}

/// Gives an order to the database alone: one transaction that writes down who gave it and what it
/// took back. Whoever has a Registry carries out the rest; other processes read the ledger.
pub(crate) async fn order<T, F>(
    store: &Store,
    author: Author,
    mut work: F,
) -> Result<(T, Notes), Refusal>
where
    T: Send + 'static,
    F: FnMut(&mut Connection, &mut Notes) -> Result<Result<T, Refusal>, Fault> + Send + 'static,
{
    let done = store.write(move |conn| {
        let mut notes = Notes::default();
        let answer = match work(conn, &mut notes)? {
            Ok(answer) => answer,
            Err(refusal) => return Ok(Err(refusal)),
        };
        notes.write(conn, &author, clock::unix_ms())?;
        Ok(Ok((answer, notes)))
    });
    done.await?
}
