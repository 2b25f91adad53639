//! A password for somebody: typed twice without echo, or read from a file or standard input. Never an
//! argument, which every user of the machine can see.

use std::{
    fs::File,
    io::{IsTerminal as _, Read, Write as _},
    os::fd::AsFd as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use clap::Args;
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// More bytes than a password may have, or a secret of a provider's.
const LIMIT: u64 = 8 * 1024;

/// The secret that a provider gave us, in the same ways.
#[derive(Args)]
pub(super) struct Secret {
    /// Read the client secret from this file; without it, from the terminal or standard input
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
}

impl Secret {
    /// The secret, without the end of its line.
    pub(super) fn read(&self) -> anyhow::Result<Zeroizing<String>> {
        match &self.client_secret_file {
            Some(path) => from_file(path),
            None if std::io::stdin().is_terminal() => {
                let _silence = Silence::keep().context("this terminal's settings")?;
                ask("Client secret: ")
            }
            None => line(std::io::stdin()).context("the client secret on standard input"),
        }
    }
}

#[derive(Args)]
pub(super) struct Options {
    /// Read the password from this file; without it, from the terminal or standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl Options {
    /// The password, without the end of its line.
    pub(super) fn read(&self, username: &str) -> anyhow::Result<Zeroizing<String>> {
        match &self.password_file {
            Some(path) => from_file(path),
            None if std::io::stdin().is_terminal() => from_terminal(username),
            None => line(std::io::stdin()).context("the password on standard input"),
        }
    }
}

fn from_file(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let said = || path.display().to_string();
    line(File::open(path).with_context(said)?).with_context(said)
}

fn line(from: impl Read) -> anyhow::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    from.take(LIMIT + 1).read_to_string(&mut text)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        bail!("there is nothing in it");
    }
    if line.contains(['\n', '\r']) || line.len() as u64 > LIMIT {
        bail!("it is not one line, or a very long one");
    }
    Ok(Zeroizing::new(line.to_owned()))
}

fn from_terminal(username: &str) -> anyhow::Result<Zeroizing<String>> {
    let silence = Silence::keep().context("this terminal's settings")?;
    let first = ask(&format!("Password for {username}: "))?;
    let second = ask("The same again: ")?;
    drop(silence);
    if *first != *second {
        bail!("the two passwords differ; nothing was changed");
    }
    Ok(first)
}

fn ask(prompt: &str) -> anyhow::Result<Zeroizing<String>> {
    let mut out = std::io::stderr();
    write!(out, "{prompt}")?;
    out.flush()?;
    let mut text = Zeroizing::new(String::with_capacity(1024));
    let read = std::io::stdin().read_line(&mut text);
    // The Enter that ended it was not shown either.
    writeln!(out)?;
    if read? == 0 {
        bail!("no password was typed");
    }
    Ok(Zeroizing::new(
        text.trim_end_matches(['\n', '\r']).to_owned(),
    ))
}

/// A terminal that does not show what is typed, until this is dropped.
struct Silence {
    before: Termios,
}

impl Silence {
    fn keep() -> nix::Result<Self> {
        let before = tcgetattr(std::io::stdin().as_fd())?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(std::io::stdin().as_fd(), SetArg::TCSAFLUSH, &silent)?;
        Ok(Self { before })
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // Nothing is left to be done about a terminal that is gone.
        let _ = tcsetattr(std::io::stdin().as_fd(), SetArg::TCSAFLUSH, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_one_line_and_keeps_its_spaces() {
        let read = |text: &str| line(text.as_bytes()).map(|line| line.to_string());
        assert_eq!(read(" a b \n").unwrap(), " a b ");
        assert_eq!(read("a\r\n").unwrap(), "a");
        assert!(read("\n").is_err() && read("").is_err() && read("a\nb\n").is_err());
        assert!(read(&"a".repeat(9_000)).is_err());
    }
}
