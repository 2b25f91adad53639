//! Network namespaces without names: they go when nobody is in them any more, whatever became of
//! the test.

use std::{fs::File, os::fd::AsRawFd as _, process::Command, thread};

use nix::sched::{CloneFlags, setns, unshare};

/// Addresses of the one wire between [`Cells::here`] and [`Cells::there`].
pub(crate) const HERE: &str = "10.99.0.1";
const THERE: &str = "10.99.0.2";

/// Two network namespaces and a wire between them.
pub(crate) struct Cells {
    here: File,
    there: File,
}

impl Cells {
    /// Makes both.
    pub(crate) fn new() -> Self {
        let cells = Self {
            here: namespace(),
            there: namespace(),
        };
        let there = format!(
            "/proc/{}/fd/{}",
            std::process::id(),
            cells.there.as_raw_fd()
        );
        cells.here(|| {
            run(&["ip", "link", "set", "lo", "up"]);
            run(&[
                "ip", "link", "add", "near", "type", "veth", "peer", "name", "far",
            ]);
            run(&["ip", "link", "set", "far", "netns", &there]);
            raise("near", HERE);
        });
        cells.there(|| {
            run(&["ip", "link", "set", "lo", "up"]);
            raise("far", THERE);
        });
        cells
    }

    /// Does something in the Hub's namespace; what it starts stays there.
    pub(crate) fn here<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        within(&self.here, work)
    }

    /// Does something at the other end of the wire.
    pub(crate) fn there<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        within(&self.there, work)
    }

    /// Nothing passes the wire any more, in either direction, and nobody is told.
    pub(crate) fn part(&self) {
        self.refuse(&["iifname", "far"], &["oifname", "far"]);
    }

    /// Nothing passes any more of the connection that has this port at the other end.
    pub(crate) fn silence(&self, port: u16) {
        let port = port.to_string();
        self.refuse(&["tcp", "dport", &port], &["tcp", "sport", &port]);
    }

    /// Everything passes again.
    pub(crate) fn heal(&self) {
        self.there(|| run(&["nft", "flush", "ruleset"]));
    }

    /// Ends every connection at the other end with a reset.
    pub(crate) fn reset(&self) {
        self.there(|| run(&["ss", "-K", "dst", HERE]));
    }

    /// Local ports of established connections from the other end to the Hub.
    pub(crate) fn connections(&self) -> Vec<u16> {
        let listed = self.there(|| run(&["ss", "-Htn", "state", "established", "dst", HERE]));
        let port = |line: &str| {
            let local = line.split_whitespace().nth(2)?;
            local.rsplit(':').next()?.parse().ok()
        };
        listed.lines().filter_map(port).collect()
    }

    fn refuse(&self, incoming: &[&str], outgoing: &[&str]) {
        let hook = |name: &str| {
            let text =
                format!("add chain inet cut {name} {{ type filter hook {name} priority 0; }}");
            run(&["nft", &text]);
        };
        self.there(|| {
            run(&["nft", "add table inet cut"]);
            for (name, what) in [("input", incoming), ("output", outgoing)] {
                hook(name);
                let text = format!("add rule inet cut {name} {} drop", what.join(" "));
                run(&["nft", &text]);
            }
        });
    }
}

fn namespace() -> File {
    let made = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).expect("these tests run as root");
        File::open("/proc/thread-self/ns/net").expect("our own")
    });
    made.join().expect("it does not panic")
}

/// On a thread of its own, since a thread that went somewhere else stays there.
fn within<T: Send>(namespace: &File, work: impl FnOnce() -> T + Send) -> T {
    let done = thread::scope(|scope| {
        let going = scope.spawn(|| {
            setns(namespace, CloneFlags::CLONE_NEWNET).expect("these tests run as root");
            work()
        });
        going.join()
    });
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn raise(link: &str, address: &str) {
    run(&[
        "ip",
        "address",
        "add",
        &format!("{address}/24"),
        "dev",
        link,
    ]);
    run(&["ip", "link", "set", link, "up"]);
}

fn run(words: &[&str]) -> String {
    let ran = Command::new(words[0]).args(&words[1..]).output();
    let ran = ran.unwrap_or_else(|error| panic!("{words:?}: {error}"));
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{words:?}: {said}");
    String::from_utf8_lossy(&ran.stdout).into_owned()
}
