//! The two servers behind the one port, and the numbers they run with.

use std::{sync::Arc, time::Duration};

use actix_server::Server;
use futures_util::StreamExt as _;
use schema::wire::{
    account_service_server::AccountServiceServer, worker_link_server::WorkerLinkServer,
    worker_registration_server::WorkerRegistrationServer,
    worker_service_server::WorkerServiceServer,
};
use tokio::{
    net::{TcpStream, UnixStream},
    sync::{mpsc, oneshot},
};
use tokio_stream::wrappers::ReceiverStream;

use crate::{
    config::ms,
    edge::{self, Patience},
    grpc::{GuardLayer, Services},
    http,
    http2::{Admitted, Handover},
    listen::{Listener, SocketFile},
    start::StartError,
    state::State,
};

/// The largest message of a link: a control message and its envelope.
const LINK_MESSAGE_MAX: usize = schema::frame::CONTROL_MAX + 64;
/// The largest message of a unary call over gRPC.
const CALL_MESSAGE_MAX: usize = 256 * 1024;
/// Bytes that a Worker may have under way to us: per stream, and per connection.
const STREAM_WINDOW: u32 = 2 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// Threads of tonic's runtime, and of the HTTP/1.1 server.
const THREADS: usize = 2;

/// tonic's own runtime: its connections are many threads' work, an actor's are one's.
pub(crate) struct Grpc {
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) shutdown: oneshot::Sender<()>,
}

pub(crate) fn serve_http(
    state: &Arc<State>,
    listener: Listener,
    http2: Handover,
) -> Result<(Server, Option<SocketFile>), StartError> {
    let times = &state.config.timeouts;
    let patience = Patience {
        head: ms(times.request_head_ms),
        stall: ms(times.write_stall_ms),
        linkless: ms(times.linkless_ms),
    };
    let state = Arc::clone(state);
    let app = move || http::app(Arc::clone(&state));
    let server = Server::build().workers(THREADS).disable_signals();
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

pub(crate) fn serve_grpc(
    state: &Arc<State>,
    connections: mpsc::Receiver<Admitted>,
) -> Result<Grpc, StartError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("grpc")
        .enable_all()
        .build()?;
    let (shutdown, asked) = oneshot::channel::<()>();
    let services = Services(Arc::clone(state));
    let link = WorkerLinkServer::new(services.clone()).max_decoding_message_size(LINK_MESSAGE_MAX);
    let registration =
        WorkerRegistrationServer::new(services.clone()).max_decoding_message_size(CALL_MESSAGE_MAX);
    let accounts =
        AccountServiceServer::new(services.clone()).max_decoding_message_size(CALL_MESSAGE_MAX);
    let workers = WorkerServiceServer::new(services).max_decoding_message_size(CALL_MESSAGE_MAX);
    let router = tonic::transport::Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(128)
        .http2_max_header_list_size(16 * 1024)
        .http2_keepalive_interval(Some(Duration::from_secs(20)))
        .http2_keepalive_timeout(Some(Duration::from_secs(20)))
        .layer(GuardLayer(Arc::clone(state)))
        .add_service(link)
        .add_service(registration)
        .add_service(accounts)
        .add_service(workers);
    let sockets = ReceiverStream::new(connections).filter_map(|admitted| async {
        // Attached here, on this runtime's reactor.
        admitted.attach().ok().map(Ok::<_, std::io::Error>)
    });
    // Owned by the runtime, which the first thread shuts down.
    runtime.spawn(async move {
        let asked = async {
            let _either_way = asked.await;
        };
        let served = router
            .serve_with_incoming_shutdown(Box::pin(sockets), asked)
            .await;
        if let Err(error) = served {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the gRPC server ended"
            );
        }
    });
    Ok(Grpc { runtime, shutdown })
}
