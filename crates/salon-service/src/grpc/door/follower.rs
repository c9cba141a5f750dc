//! A streaming call's own half: it asks the door what is next when its client can take more.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use salon_core::{CommandError, ErrorCode};
use salon_proto::link::frames::{self, Block, ReadBlock, Reply, SessionOpened};
use salon_proto::link::{gateway_frame, reply};
use salon_proto::v1::{self, ClientFrame, Entry, ServerFrame, client_frame::Command, server_frame::Event};
use tokio::time::{Instant, sleep, sleep_until};
use tonic::Status;

use super::Door;
use super::state::Next;
use super::subscriber::{Bell, End};
use crate::grpc::status;

/// How long after its token a session ends unless it was renewed, in milliseconds (PROTOCOL §3).
const RENEWAL_GRACE_MS: i64 = 25_000;
/// The pause before a block that could not be read is read again, in milliseconds.
const RETRY_MS: u64 = 250;
/// What the commands may cost together that are not answered yet: one each, and more for those with large answers.
const COST_MAX: usize = 64;
const COST_OF_PAGES: usize = 8;

/// What a stream tells its client next.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "passes through one match; a box would be an allocation for each frame")]
pub(in crate::grpc) enum Delivery {
    Frame(ServerFrame),
    Entry(Arc<Entry>),
    /// A command was answered that wanted no answer.
    Answered,
    /// A room is heard no longer: the membership has ended, or the room was deleted.
    Lost {
        room_deleted: bool,
    },
    /// The last one.
    End(Status),
}

/// Dropping it closes the session.
pub(in crate::grpc) struct Follower {
    door: Arc<Door>,
    number: u64,
    bell: Arc<Bell>,
    /// Taken and not yet delivered, in order.
    run: VecDeque<Arc<Entry>>,
    /// What is read from the store now, and what after that.
    reading: Option<Pin<Box<dyn Future<Output = Block> + Send>>>,
    wanted: VecDeque<(ReadBlock, String)>,
    serial: u64,
    /// What the commands cost that are not answered yet.
    in_flight: BTreeMap<u64, usize>,
    /// When the session ends unless it is renewed.
    expires: Option<Instant>,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Follower {
    pub(super) fn new(door: Arc<Door>, number: u64, bell: Arc<Bell>) -> Self {
        Self {
            door,
            number,
            bell,
            run: VecDeque::new(),
            reading: None,
            wanted: VecDeque::new(),
            serial: 0,
            in_flight: BTreeMap::new(),
            expires: None,
        }
    }

    /// Waits until the credential was looked at.
    pub(in crate::grpc) async fn opened(&mut self) -> Result<v1::Welcome, Status> {
        loop {
            let (opened, end) = {
                let state = self.door.state.lock();
                let subscriber = state.subscribers.get(&self.number);
                (subscriber.and_then(|subscriber| subscriber.opened.clone()), subscriber.and_then(|s| s.end.clone()))
            };
            match (opened, end) {
                (_, Some(end)) => return Err(ended(end)),
                (Some(Ok(SessionOpened { welcome, expires_at_ms, .. })), None) => {
                    self.expires_at(expires_at_ms);
                    return Ok(welcome.unwrap_or_default());
                }
                (Some(Err(error)), None) => return Err(status::from_wire(&error)),
                (None, None) => self.bell.wake.notified().await,
            }
        }
    }

    /// Joins a room as the first thing on this session.
    pub(in crate::grpc) async fn join(&mut self, join: v1::Join) -> Result<v1::JoinAck, Status> {
        self.command(ClientFrame { id: Some(1), command: Some(Command::Join(join)) }).await?;
        loop {
            match self.next().await {
                Delivery::Frame(ServerFrame {
                    event: Some(Event::Ack(v1::Ack { data: Some(v1::ack::Data::Join(ack)) })),
                    ..
                }) => {
                    return Ok(ack);
                }
                Delivery::Frame(ServerFrame { event: Some(Event::Error(error)), .. }) => return Err(status::from_wire(&error)),
                Delivery::End(status) => return Err(status),
                // Nothing of the room comes before its acknowledgement.
                Delivery::Frame(_) | Delivery::Entry(_) | Delivery::Answered | Delivery::Lost { .. } => {}
            }
        }
    }

    pub(in crate::grpc) async fn command(&mut self, frame: ClientFrame) -> Result<(), Status> {
        self.serial += 1;
        let serial = self.serial;
        self.in_flight.insert(serial, cost(&frame));
        let command = frames::Command { session: self.number, serial, frame: Some(frame) };
        self.door.send(gateway_frame::Frame::Command(command)).await
    }

    /// May the client give another command, or are there enough to be answered first?
    pub(in crate::grpc) fn takes_commands(&self) -> bool {
        self.in_flight.values().sum::<usize>() < COST_MAX
    }

    /// Nothing is to be answered, and nothing listened to.
    pub(in crate::grpc) fn is_done(&self) -> bool {
        self.in_flight.is_empty() && self.run.is_empty() && !self.door.state.lock().listens(self.number)
    }

    /// Waits for what is next. Can be dropped at any await without losing anything.
    pub(in crate::grpc) async fn next(&mut self) -> Delivery {
        loop {
            let held = self.door.service.revoked.holding();
            if let Some(delivery) = self.take(held) {
                return delivery;
            }
            if !held {
                self.begin_reading();
            }
            let (expires, reading) = (self.expires, &mut self.reading);
            let block = tokio::select! {
                biased;
                () = until(expires) => None,
                block = async { reading.as_mut()?.await.into() }, if reading.is_some() => block,
                () = self.door.service.revoked.released(), if held => None,
                () = self.bell.wake.notified() => None,
            };
            if let Some(block) = block {
                self.reading = None;
                let entries = self.door.state.lock().filled(self.number, block);
                self.run.extend(entries.into_iter().map(Arc::new));
            }
        }
    }

    /// What is there already.
    fn take(&mut self, held: bool) -> Option<Delivery> {
        if self.expires.is_some_and(|expires| expires <= Instant::now()) {
            let expired = CommandError::new(ErrorCode::Unauthenticated, "the token has expired: call again with another one");
            return Some(Delivery::End(status::status(&expired)));
        }
        if !self.bell.ended.load(Ordering::Acquire) && !self.run.is_empty() {
            return if held { None } else { self.run.pop_front().map(Delivery::Entry) };
        }
        loop {
            let next = self.door.state.lock().next(self.number, held);
            return match next {
                Next::End(end) => Some(Delivery::End(ended(end))),
                Next::Reply(reply) => Some(self.answered(reply)),
                Next::Run(run) => {
                    self.run = run.into();
                    self.run.pop_front().map(Delivery::Entry)
                }
                Next::CaughtUp(caught_up) => {
                    Some(Delivery::Frame(ServerFrame { id: None, event: Some(Event::CaughtUp(caught_up)) }))
                }
                Next::Read { block, epoch } => {
                    self.wanted.push_back((block, epoch));
                    continue;
                }
                Next::Lost { room_deleted } => Some(Delivery::Lost { room_deleted }),
                Next::Event(event) => Some(Delivery::Frame(Arc::unwrap_or_clone(event))),
                Next::Nothing => None,
            };
        }
    }

    fn answered(&mut self, reply: Reply) -> Delivery {
        self.in_flight.remove(&reply.serial);
        match reply.effect {
            Some(reply::Effect::Renewed(renewed)) => self.expires_at(renewed.expires_at_ms),
            // The door has attached and detached.
            Some(reply::Effect::Attach(_) | reply::Effect::Detach(_)) | None => {}
        }
        reply.frame.map_or(Delivery::Answered, Delivery::Frame)
    }

    fn begin_reading(&mut self) {
        if self.reading.is_some() {
            return;
        }
        let Some((read, epoch)) = self.wanted.pop_front() else { return };
        let door = Arc::clone(&self.door);
        self.reading = Some(Box::pin(async move {
            // The semaphore is never closed: `Err` cannot happen.
            let turn = door.block_reads.acquire().await;
            let mut block = Arc::clone(&door.service).read_block(read).await;
            drop(turn);
            if block.epoch != epoch {
                // Another life of this log: the service ends the session.
                block.entries.clear();
            }
            if block.entries.is_empty() {
                sleep(Duration::from_millis(RETRY_MS)).await;
            }
            block
        }));
    }

    fn expires_at(&mut self, at_ms: Option<i64>) {
        self.expires = at_ms.map(|at_ms| {
            let left_ms = at_ms.saturating_add(RENEWAL_GRACE_MS).saturating_sub(self.door.service.now().0);
            Instant::now() + Duration::from_millis(u64::try_from(left_ms).unwrap_or_default())
        });
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.door.leave(self.number);
    }
}

fn ended(end: End) -> Status {
    match end {
        End::Closed { code, reason, reconnect_after_ms } => status::closed(code, &reason, reconnect_after_ms),
        End::LinkLost => status::draining(),
    }
}

fn cost(frame: &ClientFrame) -> usize {
    match &frame.command {
        Some(Command::History(_) | Command::Rooms(_) | Command::Members(_)) => COST_OF_PAGES,
        Some(
            Command::Hello(_)
            | Command::Join(_)
            | Command::Leave(_)
            | Command::Part(_)
            | Command::Message(_)
            | Command::Edit(_)
            | Command::Delete(_)
            | Command::React(_)
            | Command::Read(_)
            | Command::Typing(_)
            | Command::Presence(_)
            | Command::Signal(_)
            | Command::Location(_)
            | Command::Ping(_),
        )
        | None => 1,
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
