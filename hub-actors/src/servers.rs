//! The two servers behind the one port, and the numbers they run with.

use std::{
    num::NonZeroUsize, ops::RangeInclusive, sync::Arc, thread::available_parallelism,
    time::Duration,
};

use actix_server::Server;
use futures_util::StreamExt as _;
use tokio::{
    net::{TcpStream, UnixStream},
    sync::mpsc,
};
use tokio_stream::wrappers::ReceiverStream;

use crate::{
    config::ms,
    edge::{self, Patience},
    grpc::{
        AccountDoor, AdministrationDoor, CallDoor, DelegationDoor, GuardLayer, LinkDoor,
        OrganisationDoor, RegistrationDoor, Services, TokenDoor, WorkerDoor, WorkspaceDoor,
    },
    http,
    http2::{Admitted, Handover, Places},
    listen::{Listener, SocketFile},
    start::StartError,
    state::State,
};

/// Bytes that a Worker may have under way to us: per stream, and per connection.
const STREAM_WINDOW: u32 = 2 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// The largest DATA frame of HTTP/2 that a peer may send: several messages of a link. In frames of
/// the protocol's 16 KiB a frame of a channel costs two to five system calls.
const DATA_FRAME_MAX: u32 = 256 * 1024;
/// Threads: each carries connections of both protocols and the actors behind them, so that most of
/// what happens to a frame happens on one. As many as there are cores, within reason.
const THREADS: RangeInclusive<usize> = 2..=8;

pub(crate) fn serve_http(
    state: &Arc<State>,
    listener: Listener,
) -> Result<(Server, Option<SocketFile>), StartError> {
    let times = &state.config.timeouts;
    let patience = Patience {
        head: ms(times.request_head_ms),
        stall: ms(times.write_stall_ms),
        linkless: ms(times.linkless_ms),
    };
    let (places, behind) = (Places::new(), Arc::clone(state));
    let http2 = move || {
        let (http2, connections) = Handover::new(places.clone());
        serve_grpc(&behind, connections);
        http2
    };
    let state = Arc::clone(state);
    let app = move || http::app(Arc::clone(&state));
    let server = Server::build().workers(threads()).disable_signals();
    Ok(match listener {
        Listener::Tcp(listener, _) => {
            let doors =
                move || edge::edge::<TcpStream, _, _, _>(app.clone(), http2.clone(), patience);
            (server.listen("public", listener, doors)?.run(), None)
        }
        Listener::Unix(listener, file) => {
            let doors =
                move || edge::edge::<UnixStream, _, _, _>(app.clone(), http2.clone(), patience);
            (
                server.listen_uds("public", listener, doors)?.run(),
                Some(file),
            )
        }
    })
}

fn threads() -> usize {
    let cores = available_parallelism().map_or(*THREADS.start(), NonZeroUsize::get);
    cores.clamp(*THREADS.start(), *THREADS.end())
}

/// tonic on the thread that calls this, beside the HTTP/1.1 server: it ends with its thread.
fn serve_grpc(state: &Arc<State>, connections: mpsc::Receiver<Admitted>) {
    let services = Services(Arc::clone(state));
    let link = LinkDoor(services.clone());
    let calls = CallDoor(services);
    let router = tonic::transport::Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(DATA_FRAME_MAX)
        .max_concurrent_streams(128)
        .http2_max_header_list_size(16 * 1024)
        .http2_keepalive_interval(Some(Duration::from_secs(20)))
        .http2_keepalive_timeout(Some(Duration::from_secs(20)))
        .layer(GuardLayer(Arc::clone(state)))
        .add_service(link)
        .add_service(RegistrationDoor(calls.clone()))
        .add_service(AccountDoor(calls.clone()))
        .add_service(OrganisationDoor(calls.clone()))
        .add_service(WorkspaceDoor(calls.clone()))
        .add_service(WorkerDoor(calls.clone()))
        .add_service(TokenDoor(calls.clone()))
        .add_service(DelegationDoor(calls.clone()))
        .add_service(AdministrationDoor(calls));
    let sockets = ReceiverStream::new(connections)
        .filter_map(|admitted| async { admitted.attach().ok().map(Ok::<_, std::io::Error>) });
    actix_rt::spawn(async move {
        if let Err(error) = router.serve_with_incoming(Box::pin(sockets)).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the gRPC server ended"
            );
        }
    });
}
