//! The one task of a connection. It sleeps until there is input, or until a blocked socket takes something again.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::input::Input;
use super::{Connection, Life};
use crate::session::{Close, code};
use crate::shared::Shared;

/// Attempts to write in one go of a task, against sockets that promise more than they take.
const DRAINS_PER_POLL_MAX: u32 = 4;

/// What RFC 6455 §7.1.5 calls a connection that ended without a close frame.
const LOST: &str = "1006";

enum Ready {
    Input,
    Over,
}

/// Runs a connection to its end. `leftover` was read from the socket before and comes first.
pub(crate) fn run(connection: Arc<Connection>, shared: Arc<Shared>, leftover: &Bytes) -> impl Future<Output = ()> + use<> {
    let mut input = Input::new(shared.config.limits.frame_bytes_max, leftover);
    connection.begin(&shared);
    async move {
        while let Ready::Input = poll_fn(|cx| connection.poll(cx, &shared, input.has_unread())).await {
            // From the end, so that a future that waits for the link holds no frame beside the list.
            let mut frames = connection.read(&mut input, &shared);
            frames.reverse();
            while !frames.is_empty() {
                let Ok(place) = shared.to_service.reserve().await else {
                    connection.close(Close::orderly(code::DRAINING, "the service is gone; come back"), &shared);
                    break;
                };
                if let Some(frame) = frames.pop() {
                    place.send(frame);
                }
            }
        }
        connection.state.lock().count(&shared.metrics, LOST);
        connection.socket.close();
        shared.inbox.gone(connection.id);
    }
}

impl Connection {
    /// From now on deadlines are watched.
    fn begin(&self, shared: &Shared) {
        self.arm(&mut self.state.lock(), shared);
    }

    fn poll(&self, cx: &mut Context<'_>, shared: &Shared, has_unread: bool) -> Poll<Ready> {
        let context = shared.context(shared.timeline.now());
        let state = &mut *self.state.lock();
        if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            state.waker = Some(cx.waker().clone());
        }
        let mut drains = 0;
        while state.outbox.is_blocked() && state.life != Life::Over {
            match self.socket.poll_write_ready(cx) {
                Poll::Ready(Ok(())) if drains < DRAINS_PER_POLL_MAX => {
                    drains += 1;
                    if self.drain_outbox(state, context.now).is_err() {
                        state.end();
                    }
                }
                Poll::Ready(Ok(())) => {
                    cx.waker().wake_by_ref();
                    break;
                }
                Poll::Ready(Err(_)) => state.end(),
                Poll::Pending => break,
            }
        }
        if state.hub_waits && !state.outbox.is_blocked() {
            state.hub_waits = false;
            shared.inbox.writable(self.id);
        }
        let closed = state.life == Life::Closing { answered: true } && !state.outbox.is_blocked();
        if state.life == Life::Over || closed {
            return Poll::Ready(Ready::Over);
        }
        if !state.to_service.is_empty() {
            return Poll::Ready(Ready::Input);
        }
        if !state.wants_input(context) {
            return Poll::Pending;
        }
        if has_unread {
            return Poll::Ready(Ready::Input);
        }
        match self.socket.poll_read_ready(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(Ready::Input),
            Poll::Ready(Err(_)) => {
                state.end();
                Poll::Ready(Ready::Over)
            }
            Poll::Pending => Poll::Pending,
        }
    }

    /// What the task does when it is woken, without the task. True when the connection is over.
    #[cfg(test)]
    pub(crate) fn wake_up(&self, shared: &Shared) -> bool {
        let ready = self.poll(&mut Context::from_waker(std::task::Waker::noop()), shared, false);
        matches!(ready, Poll::Ready(Ready::Over))
    }
}
