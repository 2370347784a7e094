//! Connections, and the orderly stop: what is under way is finished, nothing new is taken.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::clients::Clients;
use super::listen::{Accepted, Listener};
use super::{Call, Relay, own_answer};

/// How often sessions are looked at for idleness.
const LOOK: Duration = Duration::from_secs(1);

/// Serves until the process is told to stop (`SIGTERM`, `SIGINT`); told twice, it does not wait for what is under way.
pub(super) async fn serve<R: Relay>(listener: Listener, relay: R, clients: &Clients) {
    let relay = Arc::new(relay);
    let graceful = GracefulShutdown::new();
    let (mut terminate, mut interrupt) =
        (told(SignalKind::terminate()), told(SignalKind::interrupt()));
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(Accepted::Port(stream, peer)) => connection(stream, peer, &relay, clients, &graceful),
                Ok(Accepted::Socket(stream, peer)) => connection(stream, peer, &relay, clients, &graceful),
                // Out of files, or who connected is gone: the next one may fare better.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            _ = look.tick() => clients.end_idle(),
            () = stop(&mut terminate) => break,
            () = stop(&mut interrupt) => break,
        }
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = stop(&mut terminate) => {}
        () = stop(&mut interrupt) => {}
    }
}

fn told(kind: SignalKind) -> Option<Signal> {
    signal(kind).ok()
}

async fn stop(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

fn connection<R, S>(
    stream: S,
    peer: String,
    relay: &Arc<R>,
    clients: &Clients,
    graceful: &GracefulShutdown,
) where
    R: Relay,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (relay, clients) = (Arc::clone(relay), clients.clone());
    let peer: Arc<str> = peer.into();
    let service = service_fn(move |request: Request<Incoming>| {
        let (relay, clients, peer) = (Arc::clone(&relay), clients.clone(), Arc::clone(&peer));
        async move {
            let (mut parts, body) = request.into_parts();
            if parts.headers.contains_key(http::header::UPGRADE)
                || parts.method == http::Method::CONNECT
            {
                let why = "it relays no upgraded connections (a websocket, a tunnel): they would not be recorded";
                return Ok::<_, Infallible>(own_answer(
                    StatusCode::NOT_IMPLEMENTED,
                    clients.relay(),
                    why,
                ));
            }
            let client = clients.of(&peer, &mut parts.headers);
            let call = Call {
                parts,
                body,
                client,
                relay: clients.relay(),
            };
            Ok(relay.answer(call).await)
        }
    });
    let mut server = auto::Builder::new(TokioExecutor::new());
    // An answer's date is the server's, where it has one.
    server.http1().auto_date_header(false);
    server.http2().auto_date_header(false);
    let served = server
        .serve_connection(TokioIo::new(stream), service)
        .into_owned();
    let watched = graceful.watch(served);
    tokio::spawn(async move {
        // What went wrong between two programs is for the two to tell.
        let _ = watched.await;
    });
}
