//! The door is a small gateway: every streaming call is a session on one in-process link to the service, so that
//! commands, lanes, presence, fences and revocations are those of WebSockets.
//!
//! A stream has no queue. It is a set of cursors, and it pulls: when its client can take more, it looks how far each log
//! has moved, takes a run of entries from the log's tail, which all streams share, or reads a block from the store where
//! the tail does not reach back. A client that does not read is never asked about, and costs what a cursor costs.
//!
//! One lock guards all of it ([`State`]); it is never held across an await, and runs are short.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use salon_core::CommandError;
use salon_proto::link::frames::{CloseSession, OpenSession};
use salon_proto::link::{GatewayEnd, gateway_frame, in_process, open_session::Credential, service_frame};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::Status;

mod follower;
mod state;
mod subscriber;
mod tail;

pub(super) use follower::{Delivery, Follower};
pub(super) use subscriber::Interest;

use super::connection::Connection;
use super::status;
use crate::Service;
use state::State;
use subscriber::{Bell, Subscriber};

/// Frames that are taken from the link at once.
const BATCH_FRAMES_MAX: usize = 256;
/// Blocks that are read from the store at the same time, over all streams.
const BLOCK_READS_MAX: usize = 16;
/// How often it is looked whether streams that had to end have ended, in milliseconds.
const OVERDUE_EVERY_MS: u64 = 250;

pub(super) struct Door {
    service: Arc<Service>,
    sessions_max: usize,
    state: Mutex<State>,
    block_reads: Semaphore,
    /// What a stream leaves behind when it ends, and what has to be done whatever the caller does.
    tasks: TaskTracker,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").finish_non_exhaustive()
    }
}

impl Door {
    pub(super) fn new(service: Arc<Service>, sessions_max: usize) -> Arc<Self> {
        Arc::new(Self {
            service,
            sessions_max,
            state: Mutex::default(),
            block_reads: Semaphore::new(BLOCK_READS_MAX),
            tasks: TaskTracker::new(),
        })
    }

    pub(super) fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// Keeps the link until told to close, or the service stops. A link that is lost takes its sessions with it: their
    /// clients resume on the next one.
    pub(super) async fn run(&self, closing: CancellationToken) {
        while !closing.is_cancelled() && !self.service.stopping.is_cancelled() {
            let (GatewayEnd { to_service, from_service }, service_end) = in_process();
            self.service.serve_link(service_end);
            self.state.lock().link = Some(to_service);
            self.take_frames(from_service, &closing).await;
            self.state.lock().link_lost();
        }
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn take_frames(&self, mut from_service: mpsc::Receiver<service_frame::Frame>, closing: &CancellationToken) {
        let mut ticks = tokio::time::interval(Duration::from_millis(OVERDUE_EVERY_MS));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(BATCH_FRAMES_MAX);
        loop {
            tokio::select! {
                biased;
                () = closing.cancelled() => return,
                _ = ticks.tick() => self.state.lock().end_overdue(Instant::now()),
                taken = from_service.recv_many(&mut batch, BATCH_FRAMES_MAX) => {
                    if taken == 0 {
                        return;
                    }
                    let (now, mut state) = (Instant::now(), self.state.lock());
                    for frame in batch.drain(..) {
                        state.take(frame, now);
                    }
                }
            }
        }
    }

    /// Opens a session for a streaming call. It is open when [`Follower::opened`] returns.
    pub(super) async fn open(
        self: &Arc<Self>,
        token: String,
        connection: &Arc<Connection>,
        interest: Interest,
    ) -> Result<Follower, Status> {
        let number = self.service.next_number();
        let bell = Arc::new(Bell::default());
        let link = {
            let mut state = self.state.lock();
            let link = state.link.clone().ok_or_else(status::draining)?;
            if state.subscribers.len() >= self.sessions_max {
                return Err(status::too_many("too many streams are open: try another server, or later"));
            }
            state.subscribers.insert(number, Subscriber::new(Arc::clone(&bell), Arc::clone(connection), interest));
            link
        };
        // From here on dropping it closes the session.
        let follower = Follower::new(Arc::clone(self), number, bell);
        let open = OpenSession { session: number, credential: Some(Credential::Token(token)), peer: connection.peer.to_string() };
        // On this very link: with it, the session would be lost.
        link.send(gateway_frame::Frame::Open(open)).await.map_err(|_| status::draining())?;
        Ok(follower)
    }

    async fn send(&self, frame: gateway_frame::Frame) -> Result<(), Status> {
        let link = self.state.lock().link.clone();
        let link = link.ok_or_else(status::draining)?;
        link.send(frame).await.map_err(|_| status::draining())
    }

    /// The stream is over, whoever ended it.
    fn leave(self: &Arc<Self>, number: u64) {
        let link = {
            let mut state = self.state.lock();
            // What the service has ended is over there, too.
            if state.remove(number) { state.link.clone() } else { None }
        };
        let Some(link) = link else { return };
        let close = gateway_frame::Frame::Close(CloseSession { session: number });
        match link.try_send(close) {
            // Closed: the sessions ended with the link.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
            Err(mpsc::error::TrySendError::Full(close)) => {
                self.tasks.spawn(async move {
                    let _ = link.send(close).await;
                });
            }
        }
    }

    /// Does something that is not to stop half way when its caller hangs up: between storing an entry and telling of it.
    pub(super) async fn to_the_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, CommandError>> + Send + 'static,
    ) -> Result<T, CommandError> {
        let (tell, told) = tokio::sync::oneshot::channel();
        self.tasks.spawn(async move {
            // Nobody may be there to be told.
            let _ = tell.send(work.await);
        });
        told.await.unwrap_or_else(|_| Err(CommandError::unavailable("the server is being stopped: the outcome is unknown")))
    }
}
