//! The cheapest relay there is without help of the kernel: bytes from one TCP connection to
//! another through two buffers of 64 KiB. It runs in its own process, so that its CPU time is its
//! own.

use std::{
    env,
    io::Write as _,
    net::{Ipv4Addr, SocketAddr},
    process::Command,
    time::Duration,
};

use anyhow::Context as _;
use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional_with_sizes},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::plain::take_whole;
use crate::hub::{
    cost::Cost,
    process::{self, Owned},
};

const BUFFER: usize = 64 * 1024;
const SAID: &str = "Splice: ";
/// Longer than any bench: what is left behind ends all the same.
const LIFE: Duration = Duration::from_secs(2 * 60 * 60);

/// A splice process, and the echo behind it.
pub(super) struct Splice {
    process: Owned,
    address: SocketAddr,
    _far: JoinSet<()>,
}

impl Splice {
    /// Starts both on free ports of loopback.
    pub(super) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let upstream = listener.local_addr()?;
        let mut far = JoinSet::new();
        far.spawn(echo_all(listener));
        let mut command = Command::new(env::current_exe().context("this binary's own path")?);
        command
            .arg("splice")
            .arg("--upstream")
            .arg(upstream.to_string());
        let (process, said) = process::start(command, &[SAID]).await?;
        let address = said.first().context("its address")?.parse()?;
        Ok(Self {
            process,
            address,
            _far: far,
        })
    }

    /// A new connection through it.
    pub(super) async fn connect(&self) -> anyhow::Result<TcpStream> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// What it has cost so far.
    pub(super) fn cost(&self) -> anyhow::Result<Cost> {
        Cost::of(self.process.id())
    }
}

/// The splice process itself: ends with its standard input, which its parent holds.
///
/// # Errors
///
/// It cannot listen.
pub(crate) async fn run(upstream: SocketAddr) -> anyhow::Result<()> {
    anyhow::ensure!(upstream.ip().is_loopback(), "splices are for loopback only");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    writeln!(std::io::stdout(), "{SAID}{}", listener.local_addr()?)?;
    let (mut stdin, mut byte) = (tokio::io::stdin(), [0]);
    tokio::select! {
        // End of file or an error: nobody is there any more.
        _ = stdin.read(&mut byte) => {}
        () = tokio::time::sleep(LIFE) => {}
        () = splice_all(listener, upstream) => {}
    }
    // The read of standard input cannot be cancelled; the process ends anyway.
    std::process::exit(0)
}

async fn splice_all(listener: TcpListener, upstream: SocketAddr) {
    let mut connections = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        connections.spawn(splice(near, upstream));
    }
}

async fn splice(mut near: TcpStream, upstream: SocketAddr) {
    let Ok(mut far) = TcpStream::connect(upstream).await else {
        return;
    };
    if near.set_nodelay(true).is_ok() && far.set_nodelay(true).is_ok() {
        // However it ends, both sides see it end.
        let _ = copy_bidirectional_with_sizes(&mut near, &mut far, BUFFER, BUFFER).await;
    }
}

async fn echo_all(listener: TcpListener) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        connections.spawn(echo(stream));
    }
}

/// What a Worker would do: takes whole frames, sends each back.
async fn echo(mut stream: TcpStream) {
    let mut buffer = BytesMut::with_capacity(BUFFER);
    if stream.set_nodelay(true).is_err() {
        return;
    }
    while matches!(stream.read_buf(&mut buffer).await, Ok(1..)) {
        let (_, whole) = take_whole(&mut buffer);
        if stream.write_all(&whole).await.is_err() {
            return;
        }
        buffer.reserve(BUFFER);
    }
}
