//! What the HTTP side needs of the gateway behind it.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use salon_proto::link::frames::{ApiRequest, ApiResponse, SessionOpened};
use salon_proto::link::open_session::Credential;
use salon_proto::v1;

use crate::socket::Socket;

/// A session that the service has opened for a credential and that waits for its socket.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened(pub Box<SessionOpened>);

/// How the life of an accepted WebSocket begins.
#[derive(Debug, Clone, PartialEq)]
pub enum Start {
    /// With a session.
    Opened(Opened),
    /// With a credential still to come, in a `hello` (PROTOCOL §2).
    AwaitHello { peer: String },
    /// With its end: close 4503, for an Origin that may not connect (PROTOCOL §2).
    RefuseOrigin,
}

/// A session, or why there is none.
pub type OpenFuture<'a> = Pin<Box<dyn Future<Output = Result<Opened, v1::Error>> + Send + 'a>>;
/// A response of the service, or why there is none.
pub type CallFuture<'a> = Pin<Box<dyn Future<Output = Result<ApiResponse, v1::Error>> + Send + 'a>>;

/// The gateway as the HTTP side sees it.
///
/// Both futures may be dropped at any time, since a client may leave at any time: a session that the service opens
/// for nobody then has to be closed again.
pub trait Sessions: Debug + Send + Sync + 'static {
    /// Asks the service for a session. `peer` is the client's address.
    fn open(&self, credential: Credential, peer: String) -> OpenFuture<'_>;

    /// Takes over a socket behind its handshake. `leftover` was read from it already and comes first.
    fn accept(&self, socket: Box<dyn Socket>, leftover: Bytes, start: Start);

    /// The client of an opened session left before its socket was there.
    fn abandon(&self, opened: Opened);

    /// Carries a request to the service. The number of the request is the gateway's to give.
    fn call(&self, request: ApiRequest) -> CallFuture<'_>;

    /// Whether new WebSockets are refused, because this gateway is about to stop.
    fn draining(&self) -> bool;

    /// The gateway's metrics as Prometheus text.
    fn metrics_text(&self) -> String;
}
