//! Every metric of the Hub: name, unit, labels, and a zero for each series at start.
//!
//! Labels are closed lists; an id, an address or a text of a peer never stands in one. What a
//! channel counts is declared beside it, in `channel_actors::figures`.

use std::{sync::OnceLock, time::Duration};

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::{
    config::Mode, error::Quota, messages::Census, rpc::Method, store::ledger::Reason, topic,
};

const BUILD_INFO: &str = "leapmux_hub_build_info";
const READY: &str = "leapmux_hub_ready";
const DRAINING: &str = "leapmux_hub_draining";
const HTTP_REQUESTS: &str = "leapmux_hub_http_requests_total";
const RPC_REQUESTS: &str = "leapmux_hub_rpc_requests_total";
const RPC_DURATION: &str = "leapmux_hub_rpc_request_duration_seconds";
const STRANGERS: &str = "leapmux_hub_strangers_total";
const STRAY_FRAMES: &str = "leapmux_hub_stray_frames_total";
const SESSIONS: &str = "leapmux_hub_sessions";
const SESSION_CONNECTS: &str = "leapmux_hub_session_connects_total";
const SESSION_DISCONNECTS: &str = "leapmux_hub_session_disconnects_total";
const LINKS: &str = "leapmux_hub_links";
const DIRECTORY: &str = "leapmux_hub_directory_entries";
const WAITING: &str = "leapmux_hub_relay_waiting_bytes";
const LINK_CONNECTS: &str = "leapmux_hub_link_connects_total";
const LINK_DISCONNECTS: &str = "leapmux_hub_link_disconnects_total";
const SIGN_INS: &str = "leapmux_hub_sign_ins_total";
const MAILS: &str = "leapmux_hub_mails_total";
const PASSWORD_HASHES: &str = "leapmux_hub_password_hashes_total";
const QUOTA_REFUSALS: &str = "leapmux_hub_quota_refusals_total";
const REGISTRATION_KEYS: &str = "leapmux_hub_registration_keys_total";
const REVOCATIONS: &str = "leapmux_hub_revocations_total";
const REVOCATION_DURATION: &str = "leapmux_hub_revocation_fence_duration_seconds";
const REVOCATION_DELAY: &str = "leapmux_hub_revocation_delay_duration_seconds";
const LEDGER_UNSEEN: &str = "leapmux_hub_ledger_unseen_seconds";
const LAPSES: &str = "leapmux_hub_ledger_lapses_total";

/// SLO thresholds stand on bucket edges: 250 ms for a call, 1 s for a revocation.
const BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// Implements `ALL` and `label` for a closed list of labels.
macro_rules! labels {
    ($(#[doc = $doc:literal] $name:ident { $($(#[doc = $item:literal])? $variant:ident = $label:literal),+ $(,)? })+) => { $(
        #[doc = $doc]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name { $($(#[doc = $item])? $variant),+ }

        impl $name {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub(crate) const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }
        }
    )+ };
}

labels! {
    #[doc = "What a WebSocket is for."]
    SessionKind { Relay = "relay", Events = "events" }
    #[doc = "How a WebSocket upgrade ended."]
    SessionConnect {
        Ok = "ok", Credential = "credential", Quota = "quota", Draining = "draining",
        Protocol = "protocol", Error = "error",
    }
    #[doc = "Why a WebSocket ended."]
    SessionEnd {
        Client = "client", Silent = "silent", Protocol = "protocol", Offender = "offender",
        Foreign = "foreign_channel", Revoked = "revoked", Draining = "draining", Slow = "slow", Error = "error",
        Lapsed = "lapsed",
    }
    #[doc = "How a Worker's attempt to link ended."]
    LinkConnect {
        Ok = "ok", Credential = "credential", Quota = "quota", Hello = "hello", Draining = "draining", Error = "error",
    }
    #[doc = "Why a link ended."]
    LinkEnd {
        Worker = "worker", Silent = "silent", Replaced = "replaced", Protocol = "protocol",
        Offender = "offender", Draining = "draining", Slow = "slow", Error = "error",
        Deregistered = "deregistered", Revoked = "revoked", Lapsed = "lapsed",
    }
    #[doc = "How a sign-in ended."]
    SignIn { Ok = "ok", Wrong = "wrong", Limited = "limited", Locked = "locked" }
    #[doc = "What became of a registration key."]
    KeyFate { Created = "created", Used = "used", Revoked = "revoked", Refused = "refused" }
    #[doc = "What became of a mail."]
    MailFate { Sent = "sent", Refused = "refused", GivenUp = "given_up", Dropped = "dropped" }
    #[doc = "How a call came in."]
    Protocol { ConnectJson = "connect_json", ConnectProto = "connect_proto", Grpc = "grpc" }
    #[doc = "Which door of HTTP/1.1 was used."]
    Route { Rpc = "rpc", Relay = "ws_relay", Events = "ws_events", Oauth = "oauth", Page = "page" }
    #[doc = "Why a frame found no channel: it came too late, or its channel is not this connection's."]
    Stray { Late = "late", Foreign = "foreign" }
    #[doc = "What was strange about a request."]
    Strange { Host = "host", Origin = "origin", CrossSite = "cross_site" }
}

/// Installs the recorder of this process, once, and describes every metric of a Hub.
///
/// `None` when the process has a recorder of its own.
pub(crate) fn install(mode: Mode) -> Option<PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    let handle = HANDLE.get_or_init(|| {
        let suffix = Matcher::Suffix("_duration_seconds".to_owned());
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(suffix, &BUCKETS)
            .ok()?;
        let handle = builder.install_recorder().ok();
        // Once a process: a second Hub in it must not reset the gauges of the first.
        describe();
        zero();
        channel_actors::figures::register();
        handle
    });
    gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION"), "mode" => mode.label()).set(1);
    handle.clone()
}

fn describe() {
    describe_gauge!(BUILD_INFO, "Constant 1; the version is a label");
    describe_gauge!(READY, "1 while new work is taken");
    describe_gauge!(DRAINING, "1 from the begin of a drain");
    describe_counter!(
        HTTP_REQUESTS,
        Unit::Count,
        "HTTP/1.1 requests by door and class of status"
    );
    describe_counter!(
        RPC_REQUESTS,
        Unit::Count,
        "Unary calls by method, code and protocol"
    );
    describe_histogram!(RPC_DURATION, Unit::Seconds, "Time to answer a unary call");
    describe_counter!(
        STRANGERS,
        Unit::Count,
        "Requests refused by Host, Origin or fetch metadata"
    );
    describe_counter!(
        STRAY_FRAMES,
        Unit::Count,
        "Frames dropped since no channel of theirs lives"
    );
    describe_gauge!(SESSIONS, "Open WebSockets");
    describe_counter!(
        SESSION_CONNECTS,
        Unit::Count,
        "WebSocket upgrades by outcome"
    );
    describe_counter!(
        SESSION_DISCONNECTS,
        Unit::Count,
        "Ended WebSockets by reason"
    );
    describe_gauge!(LINKS, "Workers linked now");
    describe_gauge!(
        DIRECTORY,
        "Entries of the directory by table, at this scrape"
    );
    describe_gauge!(
        WAITING,
        Unit::Bytes,
        "Frames that wait for a socket, at this scrape"
    );
    describe_counter!(LINK_CONNECTS, Unit::Count, "Attempts to link by outcome");
    describe_counter!(LINK_DISCONNECTS, Unit::Count, "Ended links by reason");
    describe_counter!(SIGN_INS, Unit::Count, "Sign-ins by outcome");
    describe_counter!(MAILS, Unit::Count, "Mails by what became of them");
    describe_counter!(PASSWORD_HASHES, Unit::Count, "Passwords hashed or compared");
    describe_counter!(QUOTA_REFUSALS, Unit::Count, "Requests refused for a quota");
    describe_counter!(
        REGISTRATION_KEYS,
        Unit::Count,
        "Registration keys by what became of them"
    );
    describe_counter!(
        REVOCATIONS,
        Unit::Count,
        "Revocations by what was revoked and why"
    );
    describe_histogram!(
        REVOCATION_DELAY,
        Unit::Seconds,
        "From the time that is written in a revocation to its last fence down, by whose it was"
    );
    describe_gauge!(
        LEDGER_UNSEEN,
        Unit::Seconds,
        "Since the ledger of revocations was last read to its end"
    );
    describe_counter!(
        LAPSES,
        Unit::Count,
        "Everybody was let go since revocations were missed, or could not be read"
    );
    describe_histogram!(
        REVOCATION_DURATION,
        Unit::Seconds,
        "From a committed revocation to the last fence down"
    );
}

fn zero() {
    gauge!(READY).increment(0);
    gauge!(DRAINING).increment(0);
    gauge!(LINKS).increment(0);
    directory(Census::default());
    gauge!(LEDGER_UNSEEN).increment(0);
    counter!(LAPSES).absolute(0);
    for topic in topic::Kind::ALL {
        for reason in Reason::ALL {
            let labels = [("topic", topic.label()), ("reason", reason.label())];
            counter!(REVOCATIONS, &labels).increment(0);
        }
    }
    Strange::ALL
        .iter()
        .for_each(|one| counter!(STRANGERS, "reason" => one.label()).increment(0));
    for kind in SessionKind::ALL {
        gauge!(SESSIONS, "kind" => kind.label()).increment(0);
    }
    zero_counter(
        SESSION_CONNECTS,
        "result",
        SessionConnect::ALL.iter().map(|one| one.label()),
    );
    zero_counter(
        SESSION_DISCONNECTS,
        "reason",
        SessionEnd::ALL.iter().map(|one| one.label()),
    );
    zero_counter(
        LINK_CONNECTS,
        "result",
        LinkConnect::ALL.iter().map(|one| one.label()),
    );
    zero_counter(
        LINK_DISCONNECTS,
        "reason",
        LinkEnd::ALL.iter().map(|one| one.label()),
    );
    zero_counter(
        STRAY_FRAMES,
        "reason",
        Stray::ALL.iter().map(|one| one.label()),
    );
    zero_counter(
        SIGN_INS,
        "result",
        SignIn::ALL.iter().map(|one| one.label()),
    );
    zero_counter(MAILS, "result", MailFate::ALL.iter().map(|one| one.label()));
    counter!(PASSWORD_HASHES).increment(0);
    zero_counter(
        QUOTA_REFUSALS,
        "quota",
        Quota::ALL.iter().map(|one| one.label()),
    );
    zero_counter(
        REGISTRATION_KEYS,
        "result",
        KeyFate::ALL.iter().map(|one| one.label()),
    );
    for route in Route::ALL {
        for class in CLASSES {
            counter!(HTTP_REQUESTS, "route" => route.label(), "code" => class).increment(0);
        }
    }
    for method in Method::ALL {
        for protocol in Protocol::ALL {
            let labels = [
                ("method", method.name()),
                ("protocol", protocol.label()),
                ("code", "ok"),
            ];
            counter!(RPC_REQUESTS, &labels).increment(0);
        }
    }
}

fn zero_counter(name: &'static str, key: &'static str, labels: impl Iterator<Item = &'static str>) {
    labels.for_each(|label| counter!(name, key => label).increment(0));
}

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// One HTTP/1.1 request was answered.
pub(crate) fn http_request(route: Route, status: u16) {
    let class = CLASSES
        .get(usize::from(status / 100).saturating_sub(1))
        .unwrap_or(&"5xx");
    counter!(HTTP_REQUESTS, "route" => route.label(), "code" => *class).increment(1);
}

/// One unary call was answered.
pub(crate) fn rpc(method: Method, protocol: Protocol, code: tonic::Code, took: Duration) {
    let labels = [
        ("method", method.name()),
        ("protocol", protocol.label()),
        ("code", crate::rpc::code_name(code)),
    ];
    counter!(RPC_REQUESTS, &labels).increment(1);
    histogram!(RPC_DURATION, "method" => method.name()).record(took);
}

pub(crate) fn stranger(reason: Strange) {
    counter!(STRANGERS, "reason" => reason.label()).increment(1);
}

pub(crate) fn stray_frame(reason: Stray) {
    counter!(STRAY_FRAMES, "reason" => reason.label()).increment(1);
}

pub(crate) fn session_connect(result: SessionConnect) {
    counter!(SESSION_CONNECTS, "result" => result.label()).increment(1);
}

pub(crate) fn session_began(kind: SessionKind) {
    gauge!(SESSIONS, "kind" => kind.label()).increment(1);
}

pub(crate) fn session_ended(kind: SessionKind, reason: SessionEnd) {
    gauge!(SESSIONS, "kind" => kind.label()).decrement(1);
    counter!(SESSION_DISCONNECTS, "reason" => reason.label()).increment(1);
}

/// An open that was refused before it had an actor to count it.
pub(crate) fn open_refused(reason: channel_actors::RefusalReason) {
    counter!(channel_actors::figures::OPENS, "result" => reason.label()).increment(1);
}

pub(crate) fn link_connect(result: LinkConnect) {
    counter!(LINK_CONNECTS, "result" => result.label()).increment(1);
}

pub(crate) fn link_began() {
    gauge!(LINKS).increment(1);
}

pub(crate) fn link_ended(reason: LinkEnd) {
    gauge!(LINKS).decrement(1);
    counter!(LINK_DISCONNECTS, "reason" => reason.label()).increment(1);
}

/// Counted anew for each scrape: nothing on the way of a frame keeps count of it.
pub(crate) fn directory(census: Census) {
    let tables = [
        ("sessions", census.sessions),
        ("watchers", census.watchers),
        ("links", census.links),
        ("channels", census.channels),
        ("opening", census.opening),
        ("topics", census.topics),
    ];
    for (table, entries) in tables {
        gauge!(DIRECTORY, "table" => table).set(entries as f64);
    }
    gauge!(WAITING).set(census.waiting_bytes as f64);
}

pub(crate) fn sign_in(result: SignIn) {
    counter!(SIGN_INS, "result" => result.label()).increment(1);
}

/// A mail was handed over, or will not be.
pub(crate) fn mail(fate: MailFate) {
    counter!(MAILS, "result" => fate.label()).increment(1);
}

/// A password was hashed or compared, also one for nobody.
pub(crate) fn password_hashed() {
    counter!(PASSWORD_HASHES).increment(1);
}

pub(crate) fn quota_refusal(quota: Quota) {
    counter!(QUOTA_REFUSALS, "quota" => quota.label()).increment(1);
}

pub(crate) fn registration_key(fate: KeyFate) {
    counter!(REGISTRATION_KEYS, "result" => fate.label()).increment(1);
}

/// All fences of a revocation are down.
pub(crate) fn revocation(topic: topic::Kind, reason: Reason, took: Duration) {
    let labels = [("topic", topic.label()), ("reason", reason.label())];
    counter!(REVOCATIONS, &labels).increment(1);
    histogram!(REVOCATION_DURATION).record(took);
}

/// So long after it was written, by this Hub or by another process.
pub(crate) fn revocation_delay(is_own: bool, delay: Duration) {
    let origin = if is_own { "own" } else { "other" };
    histogram!(REVOCATION_DELAY, "origin" => origin).record(delay);
}

/// The ledger was last read to its end so long ago.
pub(crate) fn ledger_unseen(since: Duration) {
    gauge!(LEDGER_UNSEEN).set(since.as_secs_f64());
}

/// Everybody was let go.
pub(crate) fn lapsed() {
    counter!(LAPSES).increment(1);
}

pub(crate) fn ready(is_ready: bool) {
    gauge!(READY).set(if is_ready { 1 } else { 0 });
}

pub(crate) fn draining() {
    gauge!(DRAINING).set(1);
}
