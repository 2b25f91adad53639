//! A tab's Unix socket: in a folder that only the Worker's user may enter, named like nothing that could
//! be guessed, there for as long as the tab's program runs.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use tokio::{
    net::{UnixListener, UnixStream},
    task::{JoinHandle, JoinSet},
};

use schema::wire::DelegationRefusal;

use super::{
    Delegations, Tab,
    visit::{SharedPurse, Visit},
};
use crate::{entropy, private_file};

/// Where the sockets are.
pub(super) struct Folder {
    path: PathBuf,
    /// Made for this process alone; removed with it.
    is_ours: bool,
}

/// The socket of one tab. Dropping it closes it, and ends the trust in whoever came by it.
pub(crate) struct Door {
    path: String,
    tab: Tab,
    purse: SharedPurse,
    serving: JoinHandle<()>,
}

impl Folder {
    /// In the Worker's own folder, or where names may be no longer than so many bytes, in the system's
    /// folder for what is temporary.
    pub(super) fn make(data_dir: &Path) -> io::Result<Self> {
        let own = fs::canonicalize(data_dir)?.join("run");
        let fits = own.as_os_str().len() + NAME_LEN <= ADDRESS_MAX;
        let path = match fits {
            true => own,
            false => std::env::temp_dir().join(format!("leapmux-{}", entropy::name())),
        };
        private_file::make_folder(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o700))?;
        sweep(&path);
        Ok(Self {
            path,
            is_ours: !fits,
        })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.is_ours {
            // Empty, unless a program still runs; the system clears what is left.
            let _ = fs::remove_dir(&self.path);
        }
    }
}

impl Door {
    /// Opens it; wants a tokio runtime. None where there can be none, which is logged.
    pub(crate) fn open(delegations: &Delegations, tab: Tab) -> Option<Self> {
        let folder = delegations.0.folder.as_ref()?;
        // A path that is no text can be in no variable of a client's.
        let path = folder
            .path
            .join(entropy::name())
            .into_os_string()
            .into_string()
            .ok()?;
        let listener = listen(Path::new(&path))
            .inspect_err(|error| tracing::warn!(%error, "a program gets no delegations"))
            .ok()?;
        let purse = SharedPurse::default();
        let visits = receive(delegations.clone(), tab.clone(), purse.clone(), listener);
        #[expect(clippy::disallowed_methods, reason = "ended by drop")]
        let serving = tokio::task::spawn(visits);
        Some(Self {
            path,
            tab,
            purse,
            serving,
        })
    }

    /// Gets a bearer now, for programs that will ask when nobody is there any more.
    pub(crate) async fn fill(&self, delegations: &Delegations) -> Result<(), DelegationRefusal> {
        let visit = self.visit(delegations);
        visit.bearer().await.map(drop)
    }

    fn visit(&self, delegations: &Delegations) -> Visit {
        Visit {
            delegations: delegations.clone(),
            tab: self.tab.clone(),
            purse: self.purse.clone(),
            room: true,
        }
    }

    /// What a program finds it by.
    pub(crate) fn variables(&self) -> [(String, String); 2] {
        [
            (SOCKET.to_owned(), self.path.clone()),
            (WORKSPACE.to_owned(), self.tab.workspace.as_str().to_owned()),
        ]
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.serving.abort();
        // Somebody may have cleared it away.
        let _ = fs::remove_file(&self.path);
    }
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Takes in whoever comes, as many at a time as there may be. Dropping it sends everybody away.
async fn receive(delegations: Delegations, tab: Tab, purse: SharedPurse, listener: UnixListener) {
    let mut visits = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if is_ours(&stream) => {
                    let room = visits.len() < VISITS;
                    let guest = Visit {
                        delegations: delegations.clone(),
                        tab: tab.clone(),
                        purse: purse.clone(),
                        room,
                    };
                    visits.spawn(guest.receive(stream));
                }
                Ok((stream, _)) => drop(stream),
                Err(error) => {
                    tracing::warn!(%error, "a delegation's socket");
                    // Out of descriptors, most likely; others may give some back.
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_) = visits.join_next() => {}
        }
    }
}

/// Whether the other side runs as the Worker's user.
fn is_ours(stream: &UnixStream) -> bool {
    let ours = nix::unistd::getuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == ours)
}

/// Removes what a Worker left behind that was killed: sockets on which nobody listens.
fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        if std::os::unix::net::UnixStream::connect(&path)
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        {
            // Somebody was faster.
            let _ = fs::remove_file(&path);
        }
    }
}

/// The variable with the socket's path.
const SOCKET: &str = "LEAPMUX_DELEGATION";
/// The variable with the workspace's id.
const WORKSPACE: &str = "LEAPMUX_WORKSPACE";
/// A slash and a name.
const NAME_LEN: usize = 33;
/// Of a Unix socket: 108 bytes on Linux, 104 elsewhere, with a zero at the end.
const ADDRESS_MAX: usize = 103;
/// Programs of one tab at a time.
const VISITS: usize = 32;
/// After an accept that failed.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(200);
