//! What goes to a gateway, in order. Whoever sends never waits: entries are delivered under a log's lock.

use std::collections::VecDeque;

use parking_lot::Mutex;
use salon_proto::link::frames::Reply;
use salon_proto::link::service_frame::Frame;
use salon_proto::v1::{ack::Data, entry::Body, server_frame::Event};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// Frames that may wait for a gateway beyond what its channel holds. A gateway that far behind loses its link, and its
/// clients resume where they were.
const OVERFLOW_FRAMES_MAX: usize = 32 * 1024;
/// The same in bytes of content, roughly.
const OVERFLOW_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What a frame costs besides its content, in bytes, roughly.
const FRAME_BYTES: usize = 256;

pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    wake: Notify,
    /// The gateway has fallen too far behind.
    pub(crate) overloaded: CancellationToken,
}

struct Queue {
    /// `None` once the link is closed.
    channel: Option<mpsc::Sender<Frame>>,
    overflow: VecDeque<Frame>,
    overflow_bytes: usize,
}

impl Outbox {
    pub(crate) fn new(channel: mpsc::Sender<Frame>) -> Self {
        let queue = Queue { channel: Some(channel), overflow: VecDeque::new(), overflow_bytes: 0 };
        Self { queue: Mutex::new(queue), wake: Notify::new(), overloaded: CancellationToken::new() }
    }

    /// Sends what must arrive, in order, for as long as the link lives.
    pub(crate) fn send(&self, frame: Frame) {
        let mut queue = self.queue.lock();
        let Some(channel) = &queue.channel else { return };
        let frame = if queue.overflow.is_empty() {
            match channel.try_send(frame) {
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => return,
                Err(mpsc::error::TrySendError::Full(frame)) => frame,
            }
        } else {
            frame
        };
        queue.overflow_bytes += weight(&frame);
        queue.overflow.push_back(frame);
        if queue.overflow.len() > OVERFLOW_FRAMES_MAX || queue.overflow_bytes > OVERFLOW_BYTES_MAX {
            self.overloaded.cancel();
        }
        drop(queue);
        self.wake.notify_one();
    }

    /// Sends what is best effort: a gateway that is behind does not get it.
    pub(crate) fn offer(&self, frame: Frame) {
        let queue = self.queue.lock();
        if let Some(channel) = queue.channel.as_ref().filter(|_| queue.overflow.is_empty()) {
            // Dropping it is what best effort means.
            let _ = channel.try_send(frame);
        }
    }

    /// Moves what waits into the channel, for ever. Can be dropped at any await without losing a frame.
    pub(crate) async fn drain(&self) {
        loop {
            let waiting = {
                let queue = self.queue.lock();
                queue.channel.clone().filter(|_| !queue.overflow.is_empty())
            };
            let Some(channel) = waiting else {
                self.wake.notified().await;
                continue;
            };
            // Closed: the link's reader notices the same and ends the link.
            let Ok(permit) = channel.reserve().await else { return std::future::pending().await };
            let mut queue = self.queue.lock();
            if let Some(frame) = queue.overflow.pop_front() {
                queue.overflow_bytes -= weight(&frame);
                permit.send(frame);
            }
        }
    }

    /// Nothing is sent any more, and the gateway sees the end of the link.
    pub(crate) fn close(&self) {
        let mut queue = self.queue.lock();
        queue.channel = None;
        queue.overflow = VecDeque::new();
    }
}

/// Bytes of memory that a waiting frame holds, roughly: what can be large is counted.
fn weight(frame: &Frame) -> usize {
    let entry = |entry: &salon_proto::v1::Entry| match &entry.body {
        Some(Body::Message(message)) => message.content.len() + message.extra.as_ref().map_or(0, String::len),
        Some(Body::Edit(edit)) => edit.content.len(),
        Some(
            Body::Delete(_)
            | Body::React(_)
            | Body::Member(_)
            | Body::RoomChanged(_)
            | Body::Call(_)
            | Body::RoomAdded(_)
            | Body::RoomRemoved(_)
            | Body::Mention(_)
            | Body::Read(_)
            | Body::Notice(_),
        )
        | None => 0,
    };
    let entries = |entries: &[salon_proto::v1::Entry]| entries.iter().map(|e| FRAME_BYTES + entry(e)).sum();
    let content = match frame {
        Frame::Entry(log_entry) => log_entry.entry.as_ref().map_or(0, entry),
        Frame::Block(block) => entries(&block.entries),
        Frame::Reply(reply) => page(reply).map_or(0, entries),
        Frame::Api(response) => response.body.len(),
        Frame::Opened(_)
        | Frame::Refused(_)
        | Frame::RoomEvent(_)
        | Frame::SessionEvent(_)
        | Frame::End(_)
        | Frame::Detach(_) => 0,
    };
    FRAME_BYTES + content
}

/// The messages of a page of history: no other reply is large.
fn page(reply: &Reply) -> Option<&[salon_proto::v1::Entry]> {
    let Some(Event::Ack(ack)) = &reply.frame.as_ref()?.event else { return None };
    let Some(Data::History(page)) = &ack.data else { return None };
    Some(&page.messages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use salon_proto::link::frames::{DetachMember, SessionRefused};

    fn frame(session: u64) -> Frame {
        Frame::Refused(SessionRefused { session, error: None })
    }

    #[tokio::test]
    async fn a_slow_gateway_gets_everything_in_order_except_what_is_best_effort() {
        let (channel, mut gateway) = mpsc::channel(2);
        let outbox = Outbox::new(channel);
        for session in 0..5 {
            outbox.send(frame(session));
        }
        outbox.offer(Frame::Detach(DetachMember::default()));
        let mut got = Vec::new();
        while got.len() < 5 {
            tokio::select! {
                biased;
                frame = gateway.recv() => got.push(frame.unwrap()),
                () = outbox.drain() => {}
            }
        }
        assert_eq!(got, (0..5).map(frame).collect::<Vec<_>>());
        assert!(gateway.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_gateway_that_reads_nothing_loses_its_link() {
        let (channel, _gateway) = mpsc::channel(1);
        let outbox = Outbox::new(channel);
        for session in 0..=OVERFLOW_FRAMES_MAX as u64 {
            outbox.send(frame(session));
        }
        assert!(!outbox.overloaded.is_cancelled());
        outbox.send(frame(0));
        assert!(outbox.overloaded.is_cancelled());
    }
}
