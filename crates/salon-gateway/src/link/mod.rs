//! The gateway's end of the link, and the one task that owns the hub: it takes what the service says, in order, and
//! what connections report, and lets the hub write.

use std::collections::VecDeque;
use std::sync::Arc;

use salon_proto::link::frames::{CloseSession, Reply, SessionEvent};
use salon_proto::link::{gateway_frame, reply, service_frame};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::connection::Connection;
use crate::dialect::Encoding;
use crate::hub::Hub;
use crate::moment::Moment;
use crate::registry::ConnectionId;
use crate::session::{Close, code};
use crate::shared::Shared;

/// Frames that are taken from the link at once, before the hub writes.
const BATCH_FRAMES_MAX: usize = 256;

pub(crate) struct Link {
    shared: Arc<Shared>,
    from_service: mpsc::Receiver<service_frame::Frame>,
    hub: Hub,
    /// For the service, while the link is full. Bounded by the reads in flight and by the connections.
    outgoing: VecDeque<gateway_frame::Frame>,
}

impl Link {
    pub(crate) fn new(shared: Arc<Shared>, from_service: mpsc::Receiver<service_frame::Frame>) -> Self {
        let hub = Hub::new(&shared.config, Arc::clone(&shared.metrics));
        Self { shared, from_service, hub, outgoing: VecDeque::new() }
    }

    /// Runs until the gateway stops. Without a service there is nobody to ask who may still hear what: all sessions end.
    pub(crate) async fn run(mut self, stopping: CancellationToken) {
        let mut frames = Vec::with_capacity(BATCH_FRAMES_MAX);
        let mut linked = true;
        loop {
            let due = self.shared.timeline.instant(self.hub.due().min(self.shared.timeline.now().after(IDLE_MAX)));
            tokio::select! {
                biased;
                () = stopping.cancelled() => return,
                received = self.from_service.recv_many(&mut frames, BATCH_FRAMES_MAX), if linked => linked = received > 0,
                () = self.shared.inbox.notified() => {}
                place = self.shared.to_service.reserve(), if linked && !self.outgoing.is_empty() => {
                    if let (Ok(place), Some(frame)) = (place, self.outgoing.pop_front()) {
                        place.send(frame);
                    }
                }
                () = tokio::time::sleep_until(due) => {}
                () = tokio::task::yield_now(), if self.hub.has_work() => {}
            }
            let now = self.shared.timeline.now();
            for frame in frames.drain(..) {
                self.take(frame, now);
            }
            if !linked {
                self.lose();
            }
            self.news(now);
            self.hub.step(now);
            self.act();
        }
    }

    fn take(&mut self, frame: service_frame::Frame, now: Moment) {
        use service_frame::Frame;
        match frame {
            Frame::Opened(opened) => self.answer(ConnectionId(opened.session), Ok(opened)),
            Frame::Refused(refused) => self.answer(ConnectionId(refused.session), Err(refused.error.unwrap_or_default())),
            Frame::Reply(reply) => self.reply(reply, now),
            Frame::Entry(entry) => self.hub.entry(entry, now),
            Frame::RoomEvent(event) => self.hub.event(event, now),
            Frame::SessionEvent(event) => self.session_event(event, now),
            Frame::End(end) => {
                let id = ConnectionId(end.session);
                self.hub.remove(id, now);
                if let Some((connection, end)) = self.shared.registry.end(id, end) {
                    connection.end_session(end, &self.shared);
                }
            }
            Frame::Block(block) => self.hub.block(block, now),
            Frame::Api(response) => self.shared.calls.answer(response),
            Frame::Detach(fence) => self.hub.fence(&fence, now),
        }
    }

    fn answer(&self, id: ConnectionId, answer: crate::registry::Answer) {
        if let Some((connection, answer)) = self.shared.registry.answer(id, answer) {
            connection.answered(answer, &self.shared);
        }
    }

    /// The answer goes out before an attachment takes effect, and after a detachment has: nothing of a room is sent
    /// before the one or behind the other.
    fn reply(&mut self, reply: Reply, now: Moment) {
        let id = ConnectionId(reply.session);
        let Some(connection) = self.shared.registry.get(id) else { return };
        if let Some(reply::Effect::Detach(detach)) = &reply.effect {
            self.hub.detach(id, &detach.log, now);
        }
        let in_time = connection.reply(reply.serial, reply.frame.as_ref(), &self.shared);
        if !in_time {
            self.shared.metrics.late_replies.inc();
        }
        match reply.effect {
            Some(reply::Effect::Attach(attach)) if in_time => self.hub.attach(&connection, &attach, now),
            // The client believes that nobody knows; the service believes that it listens. They have to start again.
            Some(reply::Effect::Attach(_)) => self.come_back(&connection, "an answer came too late"),
            Some(reply::Effect::Renewed(renewed)) => connection.renewed(renewed, &self.shared),
            Some(reply::Effect::Detach(_)) | None => {}
        }
    }

    fn session_event(&self, event: SessionEvent, now: Moment) {
        let Some(frame) = event.frame else { return };
        let mut printed = [(); Encoding::COUNT].map(|()| None);
        for session in event.sessions {
            let Some(connection) = self.shared.registry.get(ConnectionId(session)) else { continue };
            let encoding = connection.encoding();
            let bytes = printed[encoding.index()].get_or_insert_with(|| encoding.print(&frame));
            if connection.event(bytes, now) {
                self.shared.metrics.frames_out.inc();
                self.shared.metrics.bytes_out.inc_by(bytes.len() as u64);
            } else {
                self.shared.metrics.ephemeral_dropped.inc();
            }
        }
    }

    /// What connections report.
    fn news(&mut self, now: Moment) {
        let news = self.shared.inbox.take();
        for id in news.writable {
            self.hub.writable(id);
        }
        for id in news.gone {
            self.hub.remove(id, now);
            if self.shared.registry.release(id) {
                self.outgoing.push_back(gateway_frame::Frame::Close(CloseSession { session: id.0 }));
            }
        }
    }

    /// Does what the hub asks for.
    fn act(&mut self) {
        self.outgoing.extend(self.hub.take_reads().into_iter().map(gateway_frame::Frame::ReadBlock));
        for (connection, close) in self.hub.take_closes() {
            connection.close(close, &self.shared);
        }
        while let Some(frame) = self.outgoing.pop_front() {
            match self.shared.to_service.try_send(frame) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(frame)) => return self.outgoing.push_front(frame),
                Err(mpsc::error::TrySendError::Closed(_)) => {}
            }
        }
    }

    /// The service is gone.
    fn lose(&self) {
        if self.shared.is_lost() {
            return;
        }
        tracing::error!("the link to the service is lost; all sessions are ended");
        self.shared.lose();
        for connection in self.shared.registry.connections() {
            self.come_back(&connection, "the service is gone");
        }
    }

    fn come_back(&self, connection: &Connection, reason: &'static str) {
        connection.come_back(Close::orderly(code::DRAINING, reason), &self.shared);
    }
}

/// The longest time between two looks at the clock.
const IDLE_MAX: std::time::Duration = std::time::Duration::from_secs(60);
