//! Connections: how many there may be, how soon they have to say something, when they end.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic_web::GrpcWebLayer;
use tower::Layer as _;

use super::calls::Calls;
use super::config::GrpcConfig;
use super::connection::Connection;
use super::preface::Prefaced;
use super::web::Origins;

/// The pause after a failure to accept, out of file descriptors for instance, in milliseconds.
const ACCEPT_BACK_OFF_MS: u64 = 100;
/// Headers of one call, in bytes.
const HEADERS_BYTES_MAX: u32 = 16 * 1024;
/// What an HTTP/1 connection buffers, in bytes.
const HTTP1_BUFFER_BYTES_MAX: usize = 32 * 1024;
/// What a client may send without being asked for more, per call and per connection, in bytes.
const CALL_WINDOW_BYTES: u32 = 128 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 512 * 1024;
/// What waits in HTTP/2 for a client that does not read, per call, in bytes: the rest stays a cursor.
const SEND_BUFFER_BYTES_MAX: usize = 32 * 1024;

/// The door as connections need it.
#[derive(Debug)]
pub(super) struct Entrance {
    pub(super) config: GrpcConfig,
    pub(super) origins: Arc<[String]>,
    pub(super) routes: Routes,
    /// No new calls, and those that are open end.
    pub(super) stopping: CancellationToken,
    /// Nothing is waited for any more.
    pub(super) kill: CancellationToken,
    pub(super) tasks: TaskTracker,
    places: Arc<Places>,
}

impl Entrance {
    pub(super) fn new(config: GrpcConfig, routes: Routes, stopping: CancellationToken) -> Arc<Self> {
        let places = Arc::new(Places {
            connections_max: config.connections_max,
            connections_per_peer_max: config.connections_per_peer_max,
            taken: Mutex::default(),
        });
        let origins = config.origins.clone().into();
        let (kill, tasks) = (CancellationToken::new(), TaskTracker::new());
        Arc::new(Self { config, origins, routes, stopping, kill, tasks, places })
    }

    /// Accepts until the stop.
    pub(super) async fn accept(self: &Arc<Self>, listener: &TcpListener) {
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.stopping.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => match Places::take(&self.places, address) {
                    Some(place) => {
                        self.tasks.spawn(serve(Arc::clone(self), stream, place));
                    }
                    // Hanging up says enough; a polite refusal would need the connection that there is no place for.
                    None => tracing::debug!(%address, "a gRPC connection too many"),
                },
                Err(error) if concerns_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept gRPC connections for a moment");
                    tokio::time::sleep(Duration::from_millis(ACCEPT_BACK_OFF_MS)).await;
                }
            }
        }
    }
}

/// The peer gave up before it was accepted; the next one may be fine.
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

async fn serve(entrance: Arc<Entrance>, stream: TcpStream, place: Place) {
    // Without it an answer in two segments waits for the client's delayed acknowledgement. It fails on dead sockets.
    let _ = stream.set_nodelay(true);
    let config = &entrance.config;
    let connection = Connection::new(place.peer, entrance.kill.child_token());
    let calls = Calls::new(entrance.routes.clone(), Arc::clone(&connection), config.call_timeout, entrance.stopping.clone());
    let service = Origins::new(GrpcWebLayer::new().layer(calls), Arc::clone(&entrance.origins));
    let settings = http_settings(config, &entrance.tasks);
    let io = TokioIo::new(Prefaced::new(stream, config.handshake_timeout));
    let mut http = pin!(settings.serve_connection(io, TowerToHyperService::new(service)));
    let end = tokio::select! {
        biased;
        () = connection.kill.cancelled() => return,
        () = connection.stalled(config.stall_timeout) => return,
        () = entrance.stopping.cancelled() => None,
        end = http.as_mut() => Some(end),
        () = connection.idle(config.idle_timeout) => None,
    };
    let end = match end {
        Some(end) => end,
        None => {
            // New calls are refused with GOAWAY, those that are open are answered.
            http.as_mut().graceful_shutdown();
            let last_resort = tokio::time::sleep(config.drain_timeout);
            tokio::select! {
                biased;
                () = connection.kill.cancelled() => return,
                end = http.as_mut() => end,
                () = last_resort => return,
            }
        }
    };
    if let Err(error) = end {
        tracing::debug!(peer = %place.peer, error, "a gRPC connection has failed");
    }
}

fn http_settings(config: &GrpcConfig, tasks: &TaskTracker) -> auto::Builder<Tracked> {
    let mut settings = auto::Builder::new(Tracked(tasks.clone()));
    settings.http1().timer(TokioTimer::new()).header_read_timeout(config.handshake_timeout).max_buf_size(HTTP1_BUFFER_BYTES_MAX);
    settings
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(config.keep_alive_every)
        .keep_alive_timeout(config.keep_alive_timeout)
        .max_concurrent_streams(config.calls_per_connection_max)
        .max_header_list_size(HEADERS_BYTES_MAX)
        .initial_stream_window_size(CALL_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES_MAX);
    settings
}

/// Where hyper runs the calls of an HTTP/2 connection.
#[derive(Debug, Clone)]
struct Tracked(TaskTracker);

impl<F> hyper::rt::Executor<F> for Tracked
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, call: F) {
        self.0.spawn(call);
    }
}

/// Counts connections, in all and per address.
#[derive(Debug)]
struct Places {
    connections_max: usize,
    connections_per_peer_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_peer: BTreeMap<IpAddr, usize>,
}

/// A connection's place; dropping it frees the place.
#[derive(Debug)]
struct Place {
    places: Arc<Places>,
    peer: IpAddr,
}

impl Places {
    fn take(places: &Arc<Self>, address: SocketAddr) -> Option<Place> {
        let peer = address.ip().to_canonical();
        let mut taken = places.taken.lock();
        let of_peer = taken.by_peer.get(&peer).copied().unwrap_or_default();
        let full = taken.total >= places.connections_max || (!peer.is_loopback() && of_peer >= places.connections_per_peer_max);
        if full {
            return None;
        }
        taken.total += 1;
        taken.by_peer.insert(peer, of_peer + 1);
        drop(taken);
        Some(Place { places: Arc::clone(places), peer })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock();
        taken.total -= 1;
        if let Some(count) = taken.by_peer.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                taken.by_peer.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_all_and_per_address() {
        let places = Arc::new(Places { connections_max: 3, connections_per_peer_max: 1, taken: Mutex::default() });
        let from = |ip: [u8; 4]| Places::take(&places, (ip, 5000).into());
        let one = from([192, 0, 2, 1]).unwrap();
        assert!(from([192, 0, 2, 1]).is_none());
        let _two = from([127, 0, 0, 1]).unwrap();
        let _three = from([127, 0, 0, 1]).unwrap();
        assert!(from([192, 0, 2, 2]).is_none());
        drop(one);
        assert!(from([192, 0, 2, 2]).is_some());
        assert_eq!(places.taken.lock().by_peer.len(), 1);
    }
}
