//! Which processes belong to a terminal or a command, and how they end.
//!
//! A shell's jobs have groups of their own, so signalling one group is not enough. On a terminal
//! they share the session of its leader; what has left the session but still has a living parent
//! in it is found through that parent; and a command without a terminal marks its processes in
//! their environment, which children inherit.

use std::{collections::BTreeSet, fs, path::Path, thread, time::Duration};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};

/// A process and everything that it started.
#[derive(Clone, Debug)]
pub struct ProcessTree {
    /// The first process; it leads its process group, on a terminal its session too.
    pub leader: i32,
    /// `NAME=value` in the environment of every process of it, when there is such a mark.
    pub mark: Option<String>,
    /// Its leader has ended and was waited for, so that its id may have been given away.
    pub leaderless: bool,
}

/// One line of the process table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub id: i32,
    /// Who started it.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// Its session.
    pub session: i32,
}

impl ProcessTree {
    /// Asks every process to hang up, kills after `grace` what did not, and waits until all are
    /// gone. Blocks.
    pub fn end(&self, grace: Duration) {
        self.signal(Signal::SIGHUP);
        self.signal(Signal::SIGCONT);
        if self.gone_within(grace) {
            return;
        }
        for _ in 0..KILL_ROUNDS {
            // Again and again: a process may fork between the look and the signal.
            self.signal(Signal::SIGKILL);
            if self.gone_within(KILL_ROUND) {
                return;
            }
        }
        tracing::warn!(leader = self.leader, "processes survived being killed");
    }

    /// Sends a signal to every process of the tree.
    pub fn signal(&self, signal: Signal) {
        // A process that ended meanwhile is what was wanted.
        let Some(members) = self.members() else {
            // Without a process table, at least the group of the leader is reached.
            let _ = killpg(Pid::from_raw(self.leader), signal);
            return;
        };
        for process in members {
            let _ = kill(Pid::from_raw(process), signal);
        }
    }

    /// Its living processes; None where there is no process table to read.
    #[must_use]
    pub fn members(&self) -> Option<BTreeSet<i32>> {
        let table = process_table()?;
        // An id is given to a stranger only when nobody of its group or session is left; then
        // only the mark tells who is ours.
        let given_away = self.leaderless && table.iter().any(|process| process.id == self.leader);
        let leader = if given_away { NOBODY } else { self.leader };
        let marked = |process: &Process| {
            self.mark
                .as_ref()
                .is_some_and(|mark| is_marked(process.id, mark))
        };
        let roots = table
            .iter()
            .filter(|process| marked(process))
            .map(|process| process.id);
        Some(family(&table, leader, roots.collect()))
    }

    fn gone_within(&self, time: Duration) -> bool {
        let rounds = time.as_millis() / LOOK_AGAIN.as_millis();
        for _ in 0..=rounds {
            match self.members() {
                Some(members) if members.is_empty() => return true,
                None if killpg(Pid::from_raw(self.leader), None).is_err() => return true,
                Some(_) | None => thread::sleep(LOOK_AGAIN),
            }
        }
        false
    }
}

/// Everybody in the leader's group or session, the given roots, and all their descendants.
#[must_use]
pub fn family(table: &[Process], leader: i32, roots: BTreeSet<i32>) -> BTreeSet<i32> {
    let mut members = roots;
    let own = |process: &&Process| process.session == leader || process.group == leader;
    members.extend(table.iter().filter(own).map(|process| process.id));
    loop {
        let before = members.len();
        let children = table
            .iter()
            .filter(|process| members.contains(&process.parent));
        let children: Vec<i32> = children.map(|process| process.id).collect();
        members.extend(children);
        if members.len() == before {
            return members;
        }
    }
}

/// Living processes of this machine (proc(5)), zombies left out.
fn process_table() -> Option<Vec<Process>> {
    let entries = fs::read_dir("/proc").ok()?;
    let names = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    let ids = names.filter_map(|name| name.parse().ok());
    Some(
        ids.filter_map(|id| process(id, &fs::read_to_string(format!("/proc/{id}/stat")).ok()?))
            .collect(),
    )
}

/// Parses `/proc/ID/stat`. The second field is the program's name in brackets and may hold
/// anything, brackets included.
fn process(id: i32, stat: &str) -> Option<Process> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let state = fields.next()?;
    let mut number = || fields.next()?.parse().ok();
    let (parent, group, session) = (number()?, number()?, number()?);
    (!matches!(state, "Z" | "X")).then_some(Process {
        id,
        parent,
        group,
        session,
    })
}

fn is_marked(id: i32, mark: &str) -> bool {
    let path = format!("/proc/{id}/environ");
    fs::read(Path::new(&path)).is_ok_and(|environment| {
        environment
            .split(|byte| *byte == 0)
            .any(|entry| entry == mark.as_bytes())
    })
}

/// No process, group or session.
const NOBODY: i32 = -1;
/// How often it is looked whether they are gone.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
const KILL_ROUND: Duration = Duration::from_millis(200);
const KILL_ROUNDS: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    const fn line(id: i32, parent: i32, group: i32, session: i32) -> Process {
        Process {
            id,
            parent,
            group,
            session,
        }
    }

    #[test]
    fn jobs_in_their_own_groups_and_children_in_their_own_sessions_belong_to_it() {
        let table = [
            line(1, 0, 1, 1),
            line(50, 1, 50, 50),
            line(100, 50, 100, 100),
            line(101, 100, 101, 100),
            line(102, 101, 102, 102),
            line(103, 1, 101, 100),
            line(200, 1, 200, 200),
        ];
        let members = family(&table, 100, BTreeSet::new());
        assert_eq!(
            members.into_iter().collect::<Vec<_>>(),
            [100, 101, 102, 103]
        );
    }

    #[test]
    fn a_program_name_full_of_brackets_is_read_past() {
        let parsed = process(7, "7 (a) S 9 9 9) R 3 4 5 0 -1");
        assert_eq!(parsed, Some(line(7, 3, 4, 5)));
        assert_eq!(process(7, "7 (sh) Z 3 4 5 0"), None);
        assert_eq!(process(7, "nonsense"), None);
    }
}
