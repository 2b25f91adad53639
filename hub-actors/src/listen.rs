//! Where the Hub listens: an address, or a socket file that is private from birth.

use std::{
    fmt, fs,
    io::{self, ErrorKind},
    net::{SocketAddr, TcpListener, ToSocketAddrs as _},
    os::unix::{
        fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
};

use crate::{clock, config::HubConfig};

/// Why a door cannot be opened. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The text is no address.
    #[error("it is neither ADDRESS:PORT nor unix:PATH")]
    NotAnAddress,
    /// Another program has the port.
    #[error("the port is taken; stop what listens there or choose another")]
    PortTaken,
    /// A running Hub has the socket file.
    #[error("somebody listens on this socket; stop it or choose another path")]
    SocketTaken,
    /// Something else than a socket stands there.
    #[error("a file that is no socket stands there; move it away")]
    NotASocket,
    /// The path does not fit into a socket address.
    #[error("the path is too long for a socket; at most about 80 bytes")]
    PathTooLong,
    /// The operating system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// A door that stands open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// An address with its real port.
    Tcp(SocketAddr),
    /// A socket file.
    Unix(PathBuf),
}

impl Bound {
    /// The address, where there is one.
    #[must_use]
    pub const fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }

    /// Whether only programs of this machine can reach it.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "http://{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A listener of either kind.
pub(crate) enum Listener {
    Tcp(TcpListener, SocketAddr),
    Unix(UnixListener, SocketFile),
}

impl Listener {
    /// Opens the door that [`HubConfig::listen`] names.
    pub(crate) fn open(listen: &str) -> Result<Self, ListenError> {
        match listen.strip_prefix("unix:") {
            Some(path) => open_unix(Path::new(path)),
            None => open_tcp(listen).map(|(listener, address)| Self::Tcp(listener, address)),
        }
    }

    pub(crate) fn bound(&self) -> Bound {
        match self {
            Self::Tcp(_, address) => Bound::Tcp(*address),
            Self::Unix(_, file) => Bound::Unix(file.path.clone()),
        }
    }
}

/// Opens an address; the port may be 0.
pub(crate) fn open_tcp(listen: &str) -> Result<(TcpListener, SocketAddr), ListenError> {
    let mut addresses = listen
        .to_socket_addrs()
        .map_err(|_| ListenError::NotAnAddress)?;
    let address = addresses.next().ok_or(ListenError::NotAnAddress)?;
    let listener = TcpListener::bind(address).map_err(|error| {
        let is_taken = error.kind() == ErrorKind::AddrInUse;
        if is_taken {
            ListenError::PortTaken
        } else {
            ListenError::Io(error)
        }
    })?;
    listener.set_nonblocking(true)?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

/// A socket file of ours; removed when dropped, unless somebody else's stands there by then.
pub(crate) struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            // A leftover is stale, and the next start replaces it.
            let _gone = fs::remove_file(&self.path);
        }
    }
}

/// Binds inside a folder that only we can enter and moves the socket out when its mode is right:
/// a socket that is bound first and protected second is open for a moment.
fn open_unix(path: &Path) -> Result<Listener, ListenError> {
    refuse_foreign(path)?;
    let nursery = nursery(path)?;
    let listener = bind_private(&nursery, path);
    let cleaned = fs::remove_dir_all(&nursery);
    let listener = listener?;
    cleaned?;
    listener.set_nonblocking(true)?;
    let inode = fs::symlink_metadata(path)?.ino();
    Ok(Listener::Unix(
        listener,
        SocketFile {
            path: path.to_owned(),
            inode,
        },
    ))
}

fn refuse_foreign(path: &Path) -> Result<(), ListenError> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if !found.file_type().is_socket() {
        return Err(ListenError::NotASocket);
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        Ok(_) | Err(_) => Err(ListenError::SocketTaken),
    }
}

fn nursery(path: &Path) -> Result<PathBuf, ListenError> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let name = clock::random::<4>().map_err(|_| io::Error::from(ErrorKind::Other))?;
    let name = format!(".lm{:08x}", u32::from_be_bytes(name));
    let nursery = parent.unwrap_or_else(|| Path::new(".")).join(name);
    fs::DirBuilder::new().mode(0o700).create(&nursery)?;
    Ok(nursery)
}

fn bind_private(nursery: &Path, path: &Path) -> Result<UnixListener, ListenError> {
    let inside = nursery.join("s");
    let listener = UnixListener::bind(&inside).map_err(|error| {
        let is_long = error.kind() == ErrorKind::InvalidInput;
        if is_long {
            ListenError::PathTooLong
        } else {
            ListenError::Io(error)
        }
    })?;
    fs::set_permissions(&inside, fs::Permissions::from_mode(0o600))?;
    fs::rename(&inside, path)?;
    Ok(listener)
}

/// Whether everybody on the network could reach a Hub that lets everybody in.
pub(crate) fn exposes_solo(config: &HubConfig, bound: &Bound) -> bool {
    config.mode == crate::config::Mode::Solo && !bound.is_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_file_is_private_and_goes_with_its_listener() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.sock");
        let listener = open_unix(&path)
            .map_err(|error| error.to_string())
            .ok()
            .unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        UnixStream::connect(&path).unwrap();
        drop(listener);
        assert!(!path.exists());
    }

    #[test]
    fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let first = open_unix(&path)
            .map_err(|error| error.to_string())
            .ok()
            .unwrap();
        assert!(matches!(open_unix(&path), Err(ListenError::SocketTaken)));
        drop(first);
    }

    #[test]
    fn a_file_that_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.sock");
        fs::write(&path, "notes").unwrap();
        assert!(matches!(open_unix(&path), Err(ListenError::NotASocket)));
        assert_eq!(fs::read(&path).unwrap(), b"notes");
    }

    #[test]
    fn a_taken_port_is_named() {
        let (_held, address) = open_tcp("127.0.0.1:0").unwrap();
        assert!(matches!(
            open_tcp(&address.to_string()),
            Err(ListenError::PortTaken)
        ));
        assert!(matches!(
            open_tcp("nowhere"),
            Err(ListenError::NotAnAddress)
        ));
    }
}
