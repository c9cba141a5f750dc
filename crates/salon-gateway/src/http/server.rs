//! The listener and its connections.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use super::Front;
use super::admission::{Full, Place};
use super::peer::Peer;
use super::respond::Body;
use super::route::route;
use super::upgrade::Handover;
use crate::socket::TcpSocket;

/// Pause after the kernel had no file or memory for a new connection: those that are open have to end first.
const ACCEPT_BACK_OFF: Duration = Duration::from_millis(200);
/// What a request in progress gets when its connection is to end.
const FINISH_TIMEOUT: Duration = Duration::from_secs(5);
/// How long, and for how many bytes, a closed connection is still read: closing with unread input would reset it, and
/// the client might not see the answer that says why.
const LINGER_TIMEOUT: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 256 * 1024;

const NO_PLACE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
const NO_PLACE_FOR_PEER: &[u8] =
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// Serves HTTP on a listener until [`Front`]'s token is cancelled, and returns when its last HTTP connection has
/// ended, a few seconds later at most. What became a WebSocket is the gateway's and not waited for.
pub async fn serve(listener: TcpListener, front: Arc<Front>) {
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = front.stopping.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => match admit(&front, address) {
                Ok(place) => drop(tasks.spawn(connection(stream, address, place, Arc::clone(&front)))),
                Err(full) => refuse(&stream, full),
            },
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections for a moment");
                sleep(ACCEPT_BACK_OFF).await;
            }
        }
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
}

fn admit(front: &Front, address: SocketAddr) -> Result<Place, Full> {
    let ip = address.ip().to_canonical();
    front.admission.admit(ip, ip.is_loopback() || front.config.trusted_proxies.contains(&ip))
}

/// Says no and hangs up, at once and without a task.
fn refuse(stream: &TcpStream, full: Full) {
    let answer = match full {
        Full::Total => NO_PLACE,
        Full::Peer => NO_PLACE_FOR_PEER,
    };
    tracing::debug!(?full, "connection refused");
    // If it cannot be said, hanging up says enough.
    let _ = socket2::SockRef::from(stream).send(answer);
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

/// One HTTP connection. It ends with its last request, or hands its socket over after a handshake and ends.
async fn connection(stream: TcpStream, address: SocketAddr, place: Place, front: Arc<Front>) {
    // Without it an answer in two segments waits for the client's delayed acknowledgement. It fails on dead sockets.
    let _ = stream.set_nodelay(true);
    let handover = Arc::new(Handover::new(Arc::clone(&front.sessions)));
    let exchange = Exchange { front: Arc::clone(&front), peer: Peer::new(address), handover: Arc::clone(&handover) };
    let mut http = http_settings(&front).serve_connection(TokioIo::new(stream), exchange);
    let ending = pin!(async {
        tokio::select! {
            biased;
            () = front.stopping.cancelled() => {}
            () = sleep(front.config.limits.connection_life_max) => {}
        }
    });
    let mut result = tokio::select! {
        biased;
        result = poll_fn(|cx| http.poll_without_shutdown(cx)) => Some(result),
        () = ending => None,
    };
    if result.is_none() {
        Pin::new(&mut http).graceful_shutdown();
        result = timeout(FINISH_TIMEOUT, poll_fn(|cx| http.poll_without_shutdown(cx))).await.ok();
    }
    match result {
        Some(Ok(())) => {}
        Some(Err(error)) => {
            tracing::debug!(%address, %error, "HTTP connection failed");
            if !error.is_timeout() && !error.is_parse() {
                return;
            }
        }
        None => return,
    }
    let parts = http.into_parts();
    let stream = parts.io.into_inner();
    match handover.take() {
        Some(start) => match TcpSocket::new(stream, place) {
            // The buffer that HTTP read into is larger than what is left in it: do not keep it.
            Ok(socket) => front.sessions.accept(Box::new(socket), Bytes::copy_from_slice(&parts.read_buf), start),
            Err(_dead) => handover.give_back(Some(start)),
        },
        None => linger(stream).await,
    }
}

fn http_settings(front: &Front) -> http1::Builder {
    let limits = &front.config.limits;
    let mut settings = http1::Builder::new();
    settings
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_read_timeout)
        .max_buf_size(limits.head_bytes_max)
        .max_headers(limits.headers_max);
    settings
}

/// Hangs up so that the client can still read the last answer.
async fn linger(mut stream: TcpStream) {
    let drained = async {
        let mut waste = [0; 1024];
        let mut drained_bytes = 0;
        stream.shutdown().await?;
        while drained_bytes < LINGER_BYTES_MAX {
            match stream.read(&mut waste).await? {
                0 => break,
                bytes => drained_bytes += bytes,
            }
        }
        io::Result::Ok(())
    };
    // However it ends, it is over.
    let _ = timeout(LINGER_TIMEOUT, drained).await;
}

/// Answers the requests of one connection.
struct Exchange {
    front: Arc<Front>,
    peer: Peer,
    handover: Arc<Handover>,
}

impl Service<Request<Incoming>> for Exchange {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (front, peer, handover) = (Arc::clone(&self.front), self.peer, Arc::clone(&self.handover));
        Box::pin(async move { Ok(route(&front, peer, &handover, request).await) })
    }
}
