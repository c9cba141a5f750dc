//! A running gateway.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use salon_core::ports::{Clock, Randomness};
use salon_core::{CommandError, ErrorCode};
use salon_proto::link::GatewayEnd;
use salon_proto::link::frames::{ApiRequest, ApiResponse, OpenSession};
use salon_proto::link::gateway_frame;
use salon_proto::link::open_session::Credential;
use salon_proto::v1;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::GatewayConfig;
use crate::connection::{self, Connection};
use crate::dialect::Dialect;
use crate::http::{CallFuture, OpenFuture, Opened, Sessions, Start};
use crate::link::Link;
use crate::moment::Timeline;
use crate::registry::ConnectionId;
use crate::session::{Close, code};
use crate::shared::Shared;
use crate::socket::Socket;

/// How long [`Gateway::stop`] waits for what it has ended.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// All sessions of one node, in front of one service. It ends with [`Gateway::stop`].
pub struct Gateway {
    shared: Arc<Shared>,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Gateway {
    /// Starts the tasks that every connection relies on; they run on the current runtime.
    #[must_use]
    pub fn start(config: GatewayConfig, link: GatewayEnd, clock: Arc<dyn Clock>, rng: Arc<dyn Randomness>) -> Arc<Self> {
        let shared = Arc::new(Shared::new(config, link.to_service, clock, rng, Timeline::start()));
        let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(Link::new(Arc::clone(&shared), link.from_service).run(stopping.clone()));
        tasks.spawn(watch_deadlines(Arc::clone(&shared), stopping.clone()));
        Arc::new(Self { shared, tasks, stopping })
    }

    /// Takes no new sessions, tells every client when to come back (PROTOCOL §3, `closing`), lets it have the answers
    /// that are under way, and closes. Returns when all are gone, after `limit` at the latest.
    pub async fn drain(&self, limit: Duration) {
        self.shared.stop_accepting();
        let now = self.shared.timeline.now();
        // Half of the time is for answers, the rest for close handshakes.
        let until = now.after(limit / 2);
        for connection in self.shared.registry.connections() {
            connection.drain(until, &self.shared);
        }
        let gone = async {
            while !self.shared.registry.is_empty() {
                self.shared.registry.changed().await;
            }
        };
        if timeout(limit, gone).await.is_err() {
            for connection in self.shared.registry.connections() {
                connection.abort();
            }
        }
    }

    /// Ends everything that is left, at once. Returns when it has ended.
    pub async fn stop(&self) {
        self.shared.stop_accepting();
        for connection in self.shared.registry.connections() {
            connection.close(Close::at_once(code::DRAINING, "the gateway is stopping"), &self.shared);
            connection.abort();
        }
        self.stopping.cancel();
        self.tasks.close();
        // A connection may be waiting for a service that takes nothing any more.
        if timeout(STOP_WAIT, self.tasks.wait()).await.is_err() {
            tracing::warn!(tasks = self.tasks.len(), "some connections have not ended");
        }
    }

    /// Whether the service is there.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        !self.shared.is_lost()
    }

    fn connect(&self, id: ConnectionId, connection: Connection, leftover: &Bytes) {
        let connection = Arc::new(connection);
        if let Some(end) = self.shared.registry.connect(id, &connection) {
            connection.end_session(*end, &self.shared);
        }
        self.shared.metrics.connections.inc();
        if self.shared.is_draining() {
            connection.drain(self.shared.timeline.now(), &self.shared);
        }
        self.tasks.spawn(connection::run(connection, Arc::clone(&self.shared), leftover));
    }

    async fn open_session(&self, credential: Credential, peer: String) -> Result<Opened, v1::Error> {
        if self.shared.is_draining() {
            return Err(unavailable("this gateway is about to stop"));
        }
        let (id, answered) = self.shared.registry.ask();
        // From here on the number, and what the service may make of it, is given back unless somebody takes it over.
        let number = Number { id: Some(id), shared: &self.shared };
        let open = OpenSession { session: id.0, credential: Some(credential), peer };
        let answer = async {
            self.shared.to_service.send(gateway_frame::Frame::Open(open)).await.ok()?;
            answered.await.ok()
        };
        match timeout(self.shared.config.reply_timeout, answer).await {
            Ok(Some(Ok(opened))) => {
                number.hand_over();
                Ok(Opened(Box::new(opened)))
            }
            Ok(Some(Err(refused))) => Err(refused),
            Ok(None) | Err(_) => Err(unavailable("the service does not answer")),
        }
    }

    async fn request(&self, request: ApiRequest) -> Result<ApiResponse, v1::Error> {
        let (number, answered) = self.shared.calls.begin();
        let _forget = Call { number, shared: &self.shared };
        let request = ApiRequest { request: number, ..request };
        let answer = async {
            self.shared.to_service.send(gateway_frame::Frame::Api(request)).await.ok()?;
            answered.await.ok()
        };
        match timeout(self.shared.config.reply_timeout, answer).await {
            Ok(Some(response)) => Ok(response),
            Ok(None) | Err(_) => Err(unavailable("the service does not answer")),
        }
    }
}

impl Sessions for Gateway {
    fn open(&self, credential: Credential, peer: String) -> OpenFuture<'_> {
        Box::pin(self.open_session(credential, peer))
    }

    fn accept(&self, socket: Box<dyn Socket>, leftover: Bytes, start: Start) {
        let shared = &self.shared;
        let cx = shared.context(shared.timeline.now());
        let dialect = Dialect::NativeJson;
        match start {
            Start::Opened(Opened(opened)) => {
                let id = ConnectionId(opened.session);
                self.connect(id, Connection::open(dialect, socket, *opened, cx), &leftover);
            }
            Start::AwaitHello { peer } => {
                let id = shared.registry.reserve();
                self.connect(id, Connection::await_hello(id, dialect, socket, peer, cx), &leftover);
            }
            Start::RefuseOrigin => {
                let id = shared.registry.reserve();
                let connection = Connection::await_hello(id, dialect, socket, String::new(), cx);
                connection.close(Close::orderly(code::BAD_ORIGIN, "this origin may not connect"), shared);
                self.connect(id, connection, &leftover);
            }
        }
    }

    fn abandon(&self, opened: Opened) {
        self.shared.inbox.gone(ConnectionId(opened.0.session));
    }

    fn call(&self, request: ApiRequest) -> CallFuture<'_> {
        Box::pin(self.request(request))
    }

    fn draining(&self) -> bool {
        self.shared.is_draining()
    }

    fn metrics_text(&self) -> String {
        self.shared.metrics.text(self.shared.registry.census())
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").finish_non_exhaustive()
    }
}

/// A session's number that nobody uses yet. Dropped, it is given back, and the service is told.
struct Number<'a> {
    id: Option<ConnectionId>,
    shared: &'a Shared,
}

impl Number<'_> {
    fn hand_over(mut self) {
        self.id = None;
    }
}

impl Drop for Number<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.shared.inbox.gone(id);
        }
    }
}

/// A request that is waited for.
struct Call<'a> {
    number: u64,
    shared: &'a Shared,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.shared.calls.forget(self.number);
    }
}

async fn watch_deadlines(shared: Arc<Shared>, stopping: CancellationToken) {
    loop {
        let due = tokio::select! {
            biased;
            () = stopping.cancelled() => return,
            due = shared.wheel.next(shared.timeline) => due,
        };
        for id in due {
            if let Some(connection) = shared.registry.get(id) {
                connection.tick(&shared);
            }
        }
    }
}

fn unavailable(message: &'static str) -> v1::Error {
    let error = CommandError::new(ErrorCode::Unavailable, message);
    v1::Error {
        code: error.code.as_str().to_owned(),
        message: error.message,
        field: None,
        retryable: error.code.retryable(),
        retry_after_ms: None,
    }
}
