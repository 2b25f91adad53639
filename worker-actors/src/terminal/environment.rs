//! The shell and the environment that a program is given.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::PathBuf,
};

use nix::unistd::{User, getuid};

/// The person as whom the Worker runs.
#[derive(Clone, Debug)]
pub struct Person {
    /// Login name.
    pub name: String,
    /// Home folder.
    pub home: PathBuf,
    /// Login shell.
    pub shell: PathBuf,
}

/// What programs inherit: the Worker's own environment without what belongs to the Worker or to
/// the terminal it was started from.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Person {
    /// From the system's user database, `SHELL` and `HOME` before it.
    #[must_use]
    pub fn of_this_process(environment: &Environment) -> Self {
        let user = User::from_uid(getuid()).ok().flatten();
        let set = |name: &str| {
            environment
                .get(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let (name, home, shell) = user.map_or_else(
            || (String::from("unknown"), PathBuf::from("/"), PathBuf::new()),
            |user| (user.name, user.dir, user.shell),
        );
        let shell = set("SHELL").unwrap_or(shell);
        let usable = shell.is_absolute() && shell.exists();
        Self {
            name,
            home: set("HOME").unwrap_or(home),
            shell: if usable {
                shell
            } else {
                PathBuf::from("/bin/sh")
            },
        }
    }
}

impl Environment {
    /// What programs may see of the given variables.
    pub fn inherited(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self(
            variables
                .into_iter()
                .filter(|(name, _)| !is_private(name))
                .collect(),
        )
    }

    /// The Worker's own variables, filtered.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self::inherited(std::env::vars_os())
    }

    /// One variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// The environment with some more variables; what no system could take is left out.
    #[must_use]
    pub fn with<N, V>(&self, more: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        let mut variables = self.0.clone();
        let more = more
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        variables.extend(more.filter(|(name, value)| is_settable(name, value)));
        Self(variables)
    }

    /// What every program knows: whose it is.
    #[must_use]
    pub fn for_command(&self, person: &Person) -> Self {
        self.with([
            (OsString::from("HOME"), OsString::from(&person.home)),
            ("USER".into(), person.name.clone().into()),
            ("LOGNAME".into(), person.name.clone().into()),
            ("SHELL".into(), person.shell.clone().into()),
        ])
    }

    /// What a terminal tells about itself besides.
    #[must_use]
    pub fn for_terminal(&self, person: &Person) -> Self {
        let mut environment = self.for_command(person).with([
            (OsString::from("TERM"), OsString::from("xterm-256color")),
            ("COLORTERM".into(), "truecolor".into()),
            ("TERM_PROGRAM".into(), "leapmux".into()),
        ]);
        let languages = ["LC_ALL", "LC_CTYPE", "LANG"];
        if languages
            .iter()
            .all(|name| environment.get(name).is_none_or(OsStr::is_empty))
        {
            // Without any, programs draw question marks where letters should be.
            environment.0.insert("LANG".into(), "C.UTF-8".into());
        }
        environment
    }

    /// What a program's processes are known by. It comes last: what a client sets must not hide
    /// them.
    #[must_use]
    pub fn marked(&self, (name, value): (&str, &str)) -> Self {
        self.with([(name, value)])
    }

    /// All variables, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }
}

/// Of the Worker, or of the terminal that it was started from.
fn is_private(name: &OsStr) -> bool {
    let text = name.to_string_lossy();
    text.starts_with("LEAPMUX_")
        || matches!(
            text.as_ref(),
            "COLUMNS"
                | "LINES"
                | "TMUX"
                | "TMUX_PANE"
                | "STY"
                | "WINDOW"
                | "WINDOWID"
                | "VTE_VERSION"
                | "TERM_PROGRAM_VERSION"
                | "TERM_SESSION_ID"
                | "NOTIFY_SOCKET"
                | "INVOCATION_ID"
                | "JOURNAL_STREAM"
                | "LISTEN_FDS"
                | "LISTEN_PID"
                | "RUST_BACKTRACE"
                | "RUST_LOG"
        )
}

fn is_settable(name: &OsStr, value: &OsStr) -> bool {
    let (name, value) = (name.as_encoded_bytes(), value.as_encoded_bytes());
    !name.is_empty() && !name.contains(&b'=') && !name.contains(&0) && !value.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Environment {
        Environment::inherited(
            pairs
                .iter()
                .map(|(name, value)| (name.into(), value.into())),
        )
    }

    #[test]
    fn nothing_of_the_worker_is_inherited() {
        let environment = pairs(&[
            ("LEAPMUX_WORKER_TOKEN", "secret"),
            ("PATH", "/bin"),
            ("TMUX", "x"),
        ]);
        assert_eq!(environment.iter().count(), 1);
        assert_eq!(environment.get("PATH"), Some(OsStr::new("/bin")));
    }

    #[test]
    fn a_terminal_says_what_it_is_and_speaks_unicode() {
        let person = Person {
            name: "ada".into(),
            home: "/home/ada".into(),
            shell: "/bin/sh".into(),
        };
        let environment = pairs(&[("LC_ALL", "")])
            .for_terminal(&person)
            .with([("LEAPMUX_TERMINAL", "somebody else's")])
            .marked(("LEAPMUX_TERMINAL", "t1"));
        assert_eq!(environment.get("TERM"), Some(OsStr::new("xterm-256color")));
        assert_eq!(environment.get("COLORTERM"), Some(OsStr::new("truecolor")));
        assert_eq!(environment.get("LANG"), Some(OsStr::new("C.UTF-8")));
        assert_eq!(environment.get("LEAPMUX_TERMINAL"), Some(OsStr::new("t1")));
    }

    #[test]
    fn variables_that_no_system_could_take_are_left_out() {
        let environment = pairs(&[]).with([("A=B", "x"), ("", "x"), ("C", "a\0b"), ("D", "ok")]);
        assert_eq!(environment.iter().count(), 1);
    }
}
