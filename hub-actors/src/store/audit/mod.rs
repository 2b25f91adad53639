//! The audit log: who did what to whom, from where. Each entry carries the hash of the one before,
//! so that what is changed, cut out or put in between shows. Whoever owns the database could write
//! the whole chain anew; the newest hash, kept elsewhere, shows that as well, and a cut at the end.
//!
//! Never a secret, never free text: actions and kinds are from closed lists, a detail too.

use blake2::{Blake2b, Digest as _, digest::consts::U32};
use diesel::{
    EscapeExpressionMethods as _, ExpressionMethods as _, Insertable, OptionalExtension as _,
    QueryDsl as _, Queryable, RunQueryDsl as _, TextExpressionMethods as _,
};

use super::{Connection, tables::audit_log};
use crate::error::Fault;

#[cfg(test)]
mod tests;

/// Who did it; `audit_log.actor_kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Actor {
    /// Somebody with an account. Id: the user's.
    User,
    /// A Worker. Id: its own.
    Worker,
    /// `leapmux admin` on the Hub's machine. Id: the name of the operating system's user.
    Operator,
    /// Somebody who was not signed in.
    Anonymous,
}

impl Actor {
    /// Every one.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 4] = [Self::User, Self::Worker, Self::Operator, Self::Anonymous];

    const fn label(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Worker => "worker",
            Self::Operator => "operator",
            Self::Anonymous => "anonymous",
        }
    }
}

/// What it was done to; `audit_log.object_kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Object {
    /// An account.
    User,
    /// An organisation.
    Organisation,
    /// A workspace.
    Workspace,
    /// A Worker.
    Worker,
    /// A login, token or delegation.
    Credential,
    /// A registration key.
    RegistrationKey,
    /// An invitation.
    Invitation,
    /// A provider of sign-in.
    OauthProvider,
    /// A setting of the Hub.
    Setting,
    /// The keys of what is sealed at rest.
    EncryptionKey,
    /// The database as a whole.
    Database,
}

impl Object {
    /// Every one.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 11] = [
        Self::User,
        Self::Organisation,
        Self::Workspace,
        Self::Worker,
        Self::Credential,
        Self::RegistrationKey,
        Self::Invitation,
        Self::OauthProvider,
        Self::Setting,
        Self::EncryptionKey,
        Self::Database,
    ];

    const fn label(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Organisation => "organisation",
            Self::Workspace => "workspace",
            Self::Worker => "worker",
            Self::Credential => "credential",
            Self::RegistrationKey => "registration_key",
            Self::Invitation => "invitation",
            Self::OauthProvider => "oauth_provider",
            Self::Setting => "setting",
            Self::EncryptionKey => "encryption_key",
            Self::Database => "database",
        }
    }
}

/// What is written down.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event<'a> {
    pub(crate) actor: Actor,
    pub(crate) actor_id: &'a str,
    /// Where the request came from; empty where it came from nowhere.
    pub(crate) address: &'a str,
    /// A word of our own, like `login.failed`: constants only.
    pub(crate) action: &'static str,
    pub(crate) object: Object,
    pub(crate) object_id: &'a str,
    pub(crate) organisation: Option<&'a str>,
    /// Words of our own again, like a role or a reason.
    pub(crate) detail: &'static str,
}

/// One entry, as it is stored and exported.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable, serde::Serialize)]
#[diesel(table_name = audit_log)]
pub(crate) struct Entry {
    /// 1 and up, without gaps.
    pub(crate) seq: i64,
    pub(crate) at_ms: i64,
    pub(crate) actor_kind: String,
    pub(crate) actor_id: String,
    pub(crate) address: String,
    pub(crate) action: String,
    pub(crate) object_kind: String,
    pub(crate) object_id: String,
    pub(crate) organisation_id: Option<String>,
    pub(crate) detail: String,
    #[serde(serialize_with = "as_hex")]
    pub(crate) previous_hash: Vec<u8>,
    #[serde(serialize_with = "as_hex")]
    pub(crate) hash: Vec<u8>,
}

fn as_hex<S: serde::Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&hex(bytes))
}

/// Hashes as people compare them.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// And back; nothing where it is no hash.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    let byte = |pair: &[u32]| match pair {
        [high, low] => u8::try_from(high * 16 + low).ok(),
        _ => None,
    };
    digits.chunks(2).map(byte).collect()
}

/// How far a chain goes: to be kept elsewhere, and shown to [`verify`] again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// 0 where there is no entry.
    pub(crate) seq: i64,
    /// 32 bytes.
    pub(crate) hash: Vec<u8>,
}

impl Head {
    /// Of a log without entries.
    pub(crate) fn none() -> Self {
        Self {
            seq: 0,
            hash: NOTHING.to_vec(),
        }
    }
}

/// What is before the first entry.
const NOTHING: [u8; 32] = [0; 32];
/// In front of what is hashed.
const LABEL: &[u8] = b"leapmux audit v1";

impl Entry {
    /// BLAKE2b-256 (RFC 7693) over label, previous hash, the two numbers as 8 bytes big-endian, and
    /// each text behind its length, 8 bytes big-endian; no organisation is not an empty one.
    fn compute(&self) -> Vec<u8> {
        let mut hash = Blake2b::<U32>::new();
        hash.update(LABEL);
        hash.update(&self.previous_hash);
        hash.update(self.seq.to_be_bytes());
        hash.update(self.at_ms.to_be_bytes());
        let texts = [
            &self.actor_kind,
            &self.actor_id,
            &self.address,
            &self.action,
            &self.object_kind,
            &self.object_id,
            &self.detail,
        ];
        for text in texts.into_iter().chain(&self.organisation_id) {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
        hash.finalize().to_vec()
    }
}

/// Writes one down. To be called inside [`super::Store::write`]: there nobody else does meanwhile.
pub(crate) fn append(conn: &mut Connection, event: &Event<'_>, now_ms: i64) -> Result<i64, Fault> {
    let before = head(conn)?;
    let mut entry = Entry {
        seq: before.seq + 1,
        at_ms: now_ms,
        actor_kind: event.actor.label().to_owned(),
        actor_id: event.actor_id.to_owned(),
        address: event.address.to_owned(),
        action: event.action.to_owned(),
        object_kind: event.object.label().to_owned(),
        object_id: event.object_id.to_owned(),
        organisation_id: event.organisation.map(str::to_owned),
        detail: event.detail.to_owned(),
        previous_hash: before.hash,
        hash: Vec::new(),
    };
    entry.hash = entry.compute();
    let insert = diesel::insert_into(audit_log::table).values(&entry);
    insert.execute(conn)?;
    Ok(entry.seq)
}

/// How far the chain goes.
pub(crate) fn head(conn: &mut Connection) -> Result<Head, Fault> {
    let newest = audit_log::table
        .order(audit_log::seq.desc())
        .select((audit_log::seq, audit_log::hash))
        .first::<(i64, Vec<u8>)>(conn)
        .optional()?;
    Ok(match newest {
        None => Head::none(),
        Some((seq, hash)) => Head { seq, hash },
    })
}

/// Which entries to read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter<'a> {
    /// Only those of one organisation.
    pub(crate) organisation: Option<&'a str>,
    /// Only what this one did.
    pub(crate) actor: Option<&'a str>,
    /// Only what was done to this one.
    pub(crate) object: Option<&'a str>,
}

/// At most `limit` entries behind `seq`, oldest first: what `audit export` walks through.
pub(crate) fn read_after(
    conn: &mut Connection,
    filter: &Filter<'_>,
    seq: i64,
    limit: i64,
) -> Result<Vec<Entry>, Fault> {
    let mut query = audit_log::table.into_boxed();
    query = query.filter(audit_log::seq.gt(seq));
    if let Some(organisation) = filter.organisation {
        query = query.filter(audit_log::organisation_id.eq(organisation));
    }
    if let Some(actor) = filter.actor {
        query = query.filter(audit_log::actor_id.eq(actor));
    }
    if let Some(object) = filter.object {
        query = query.filter(audit_log::object_id.eq(object));
    }
    Ok(query.order(audit_log::seq.asc()).limit(limit).load(conn)?)
}

/// Which entries to look at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Search<'a> {
    /// Only those whose action begins with this.
    pub(crate) action: Option<&'a str>,
    /// Only what this one did.
    pub(crate) actor: Option<&'a str>,
    /// Only what was done to this one.
    pub(crate) object: Option<&'a str>,
    /// Only those of one organisation.
    pub(crate) organisation: Option<&'a str>,
    /// Only those with a lower number.
    pub(crate) before: Option<i64>,
}

/// At most `limit` entries, newest first.
pub(crate) fn read_before(
    conn: &mut Connection,
    search: &Search<'_>,
    limit: i64,
) -> Result<Vec<Entry>, Fault> {
    let mut query = audit_log::table.into_boxed();
    if let Some(action) = search.action {
        let pattern = format!(
            "{}%",
            action
                .replace('\\', r"\\")
                .replace('%', r"\%")
                .replace('_', r"\_")
        );
        query = query.filter(audit_log::action.like(pattern).escape('\\'));
    }
    if let Some(actor) = search.actor {
        query = query.filter(audit_log::actor_id.eq(actor));
    }
    if let Some(object) = search.object {
        query = query.filter(audit_log::object_id.eq(object));
    }
    if let Some(organisation) = search.organisation {
        query = query.filter(audit_log::organisation_id.eq(organisation));
    }
    if let Some(before) = search.before {
        query = query.filter(audit_log::seq.lt(before));
    }
    Ok(query.order(audit_log::seq.desc()).limit(limit).load(conn)?)
}

/// What is wrong with a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    /// An entry is missing, or there is one too many.
    #[error("entry {0} is missing, or stands where it does not belong")]
    Missing(i64),
    /// An entry is not what was written.
    #[error("entry {0} was changed")]
    Changed(i64),
    /// The chain is shorter than it once was, or another one.
    #[error("the log does not contain the head that was shown, entry {0}")]
    Head(i64),
}

/// Entries that are looked at together.
const PAGE: i64 = 1_000;

/// A walk along the whole chain, page by page, so that others get at the database in between.
#[derive(Debug, Clone)]
pub(crate) struct Walk {
    at: Head,
    known: Option<Head>,
    met: bool,
}

impl Walk {
    /// From the beginning. `known` is a head from before that must be in it.
    pub(crate) fn new(known: Option<Head>) -> Self {
        let at = Head::none();
        let met = known.as_ref().is_none_or(|known| *known == at);
        Self { at, known, met }
    }

    /// How far it is whole.
    pub(crate) const fn head(&self) -> &Head {
        &self.at
    }

    /// Walks one page; how it ended, where it did.
    pub(crate) fn step(
        &mut self,
        conn: &mut Connection,
    ) -> Result<Option<Result<(), Broken>>, Fault> {
        let page = read_after(conn, &Filter::default(), self.at.seq, PAGE)?;
        if page.is_empty() {
            let missed = self.known.as_ref().filter(|_| !self.met);
            return Ok(Some(
                missed.map_or(Ok(()), |head| Err(Broken::Head(head.seq))),
            ));
        }
        for entry in page {
            if let Some(broken) = judge(&self.at, &entry) {
                return Ok(Some(Err(broken)));
            }
            self.at = Head {
                seq: entry.seq,
                hash: entry.hash,
            };
            self.met |= self.known.as_ref() == Some(&self.at);
        }
        Ok(None)
    }
}

/// Walks the whole chain; where it ends. `known` is a head from before that must be in it.
pub(crate) fn verify(
    conn: &mut Connection,
    known: Option<&Head>,
) -> Result<Result<Head, Broken>, Fault> {
    let mut walk = Walk::new(known.cloned());
    loop {
        if let Some(end) = walk.step(conn)? {
            return Ok(end.map(|()| walk.at));
        }
    }
}

fn judge(before: &Head, entry: &Entry) -> Option<Broken> {
    if entry.seq != before.seq + 1 {
        return Some(Broken::Missing(before.seq + 1));
    }
    let fits = entry.previous_hash == before.hash && entry.hash == entry.compute();
    (!fits).then_some(Broken::Changed(entry.seq))
}
