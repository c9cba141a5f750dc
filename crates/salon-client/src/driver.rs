//! The one task of a client: connects, moves frames between the socket and the machine, waits, connects again.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{BoxFuture, OptionFuture};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{Sink, SinkExt as _, StreamExt as _};
use http::Uri;
use salon_proto::v1::client_frame::Command;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Bytes, Error as WsError, Message};
use tokio_util::sync::CancellationToken;

use crate::config::{ClientConfig, Credential, CredentialError};
use crate::handshake::{self, Failure};
use crate::machine::{Machine, ReplyTo};
use crate::{ConnectionState, Connector, Error, Event, StopReason};

/// How long a goodbye may take.
const CLOSE_MAX: Duration = Duration::from_secs(1);
/// Heartbeat until the server has told its own (PROTOCOL §2).
const HEARTBEAT_DEFAULT: Duration = Duration::from_secs(25);
/// A server that says nothing for this many heartbeats is gone.
const SILENT_HEARTBEATS: f64 = 2.5;
/// Refusals of a fresh credential, in a row, after which there is no hope.
const UNAUTHORISED_MAX: u32 = 2;
/// Wait before a refused credential is replaced.
const UNAUTHORISED_WAIT: Duration = Duration::from_millis(100);

/// What the application asks of the task.
#[derive(Debug)]
pub(crate) enum Request {
    Command(Box<Command>, ReplyTo),
    Tell(Box<Command>),
}

pub(crate) struct Driver<C: Connector> {
    pub(crate) config: ClientConfig,
    pub(crate) connector: C,
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) state: watch::Sender<ConnectionState>,
    pub(crate) stopping: CancellationToken,
}

/// How a connection, or the attempt to make one, ended.
enum Ended {
    Again { code: Option<u16>, reason: String, after: Option<Duration> },
    Unauthorised,
    Stop(StopReason),
}

/// What an attempt or a wait came to; the application may end either.
enum Outcome<T> {
    Done(T),
    Closed,
}

type Halves<S> = (SplitSink<WebSocketStream<S>, Message>, SplitStream<WebSocketStream<S>>);

impl<C: Connector> Driver<C> {
    pub(crate) async fn run(mut self) {
        let mut machine = Machine::new(self.config.command_timeout, Arc::clone(&self.config.clock), self.config.tap.clone());
        let reason = match handshake::parse_url(&self.config.url) {
            Ok(url) => self.stay_connected(&mut machine, &url).await,
            Err(reason) => reason,
        };
        machine.stop(&Error::Stopped(reason.clone()));
        self.tell_state(&mut machine, ConnectionState::Stopped(reason.clone()));
        self.requests.close();
        while let Ok(request) = self.requests.try_recv() {
            if let Request::Command(_, reply) = request {
                // Whoever asked may be gone.
                let _ = reply.send(Err(Error::Stopped(reason.clone())));
            }
        }
        // After `close` nobody reads events; otherwise the application learns why there are no more.
        while machine.has_event() {
            tokio::select! {
                biased;
                permit = self.events.reserve() => match permit {
                    Ok(_) => deliver(&mut machine, permit),
                    Err(_) => break,
                },
                () = self.stopping.cancelled() => break,
            }
        }
    }

    async fn stay_connected(&mut self, machine: &mut Machine, url: &Uri) -> StopReason {
        let (mut failures, mut unauthorised) = (0, 0);
        loop {
            self.tell_state(machine, ConnectionState::Connecting);
            let started = Instant::now();
            let ended = self.connection(machine, url).await;
            if started.elapsed() >= self.config.backoff.stable_after {
                (failures, unauthorised) = (0, 0);
            }
            failures += 1;
            let random = self.config.rng.next_u64();
            let (code, reason, retry_in) = match ended {
                Ended::Stop(reason) => return reason,
                Ended::Unauthorised => {
                    unauthorised += 1;
                    if unauthorised >= UNAUTHORISED_MAX || matches!(self.config.credential, Credential::Token(_)) {
                        return StopReason::Handshake { status: 401 };
                    }
                    (None, "the credential was refused".to_owned(), UNAUTHORISED_WAIT)
                }
                Ended::Again { code, reason, after: Some(after) } => (code, reason, self.config.backoff.asked_for(after, random)),
                Ended::Again { code, reason, after: None } => (code, reason, self.config.backoff.delay(failures, random)),
            };
            tracing::debug!(code, reason, ?retry_in, "waiting to reconnect");
            self.tell_state(machine, ConnectionState::Waiting { code, reason, retry_in });
            if let Outcome::Closed = self.meanwhile(machine, tokio::time::sleep(retry_in)).await {
                return StopReason::Closed;
            }
        }
    }

    /// One connection, from the attempt to its end.
    async fn connection(&mut self, machine: &mut Machine, url: &Uri) -> Ended {
        let config = self.config.clone();
        // The attempt borrows the connector, the wait for it borrows the rest.
        let attempt = match self.attempt(machine, &config, url).await {
            Outcome::Done(attempt) => attempt,
            Outcome::Closed => return Ended::Stop(StopReason::Closed),
        };
        let (socket, hello) = match attempt {
            Ok(open) => open,
            Err(Failure::Again { reason, after }) => return Ended::Again { code: None, reason, after },
            Err(Failure::Unauthorised) => return Ended::Unauthorised,
            Err(Failure::Stop(reason)) => return Ended::Stop(reason),
        };
        machine.connected(hello);
        let (mut sink, mut stream) = socket.split();
        let ended = self.converse(machine, &mut sink, &mut stream).await;
        let code = match &ended {
            Ended::Again { code, .. } => *code,
            Ended::Stop(StopReason::Refused { code, .. }) => Some(*code),
            Ended::Unauthorised | Ended::Stop(_) => None,
        };
        let closing = machine.disconnected(code);
        goodbye(sink, stream, matches!(ended, Ended::Stop(StopReason::Closed))).await;
        match ended {
            Ended::Again { code, reason, after } => {
                let announced = closing.and_then(|closing| closing.reconnect_after_ms).map(Duration::from_millis);
                Ended::Again { code, reason, after: announced.or(after) }
            }
            other @ (Ended::Unauthorised | Ended::Stop(_)) => other,
        }
    }

    async fn attempt(&mut self, machine: &mut Machine, config: &ClientConfig, url: &Uri) -> Outcome<Attempt<C>> {
        let Self { connector, requests, events, stopping, .. } = self;
        meanwhile(machine, requests, events, stopping, handshake::open(config, url, connector)).await
    }

    async fn meanwhile<F: Future>(&mut self, machine: &mut Machine, wait: F) -> Outcome<F::Output> {
        meanwhile(machine, &mut self.requests, &self.events, &self.stopping, wait).await
    }

    /// Moves frames until the connection ends.
    async fn converse(
        &mut self,
        machine: &mut Machine,
        sink: &mut SplitSink<WebSocketStream<C::Stream>, Message>,
        stream: &mut SplitStream<WebSocketStream<C::Stream>>,
    ) -> Ended {
        let mut life = Life::start(self.config.connect_timeout);
        let mut flushed = true;
        let mut renewal: Option<BoxFuture<'static, Result<Option<String>, CredentialError>>> = None;
        loop {
            let now = Instant::now();
            if machine.tick(now) {
                renewal = self.renewal();
            }
            if life.wants_pong(now, flushed && !machine.has_frame()) && sink.feed(Message::Pong(Bytes::new())).await.is_err() {
                return broken("the connection broke");
            }
            flushed &= !life.take_fed();
            let has_event = machine.has_event();
            let deadline = life.deadline(has_event).min(machine.deadline().unwrap_or_else(far_from_now));
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return Ended::Stop(StopReason::Closed),
                permit = self.events.reserve(), if has_event => {
                    deliver(machine, permit);
                    life.heard();
                }
                request = self.requests.recv(), if machine.accepts_commands() => match request {
                    Some(request) => take_request(machine, request),
                    None => return Ended::Stop(StopReason::Closed),
                },
                renewed = OptionFuture::from(renewal.as_mut()), if renewal.is_some() => {
                    renewal = None;
                    finish_renewal(machine, renewed);
                }
                sent = poll_fn(|cx| push(machine, sink, cx)), if !flushed || machine.has_frame() => {
                    if let Err(error) = sent {
                        // What the server said before it hung up explains more than the failed write.
                        return drain_for_close(machine, stream).await.unwrap_or_else(|| broken(&error.to_string()));
                    }
                    flushed = true;
                    life.wrote();
                }
                message = stream.next(), if !has_event => {
                    life.heard();
                    if let Some(ended) = self.incoming(machine, message, &mut life) {
                        return ended;
                    }
                    // The library answers pings and closes when it is flushed.
                    flushed = false;
                }
                () = tokio::time::sleep_until(deadline) => {
                    if life.is_over(Instant::now(), has_event) {
                        return broken("the server is silent");
                    }
                }
            }
        }
    }

    fn renewal(&self) -> Option<BoxFuture<'static, Result<Option<String>, CredentialError>>> {
        match &self.config.credential {
            Credential::Token(_) => None,
            Credential::Provider(provider) => {
                let provider = Arc::clone(provider);
                Some(Box::pin(async move { provider.renew().await }))
            }
        }
    }

    fn incoming(&self, machine: &mut Machine, message: Option<Result<Message, WsError>>, life: &mut Life) -> Option<Ended> {
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => return None,
            Some(Ok(Message::Binary(_))) => return Some(broken("a binary frame, which this subprotocol does not have")),
            Some(Ok(Message::Close(frame))) => return Some(closed(frame)),
            Some(Err(error)) => return Some(broken(&error.to_string())),
            None => return Some(broken("the connection ended without a close frame")),
        };
        let welcomed = machine.welcome().is_some();
        if let Err(error) = machine.received(Instant::now(), &text) {
            return Some(broken(&error.to_string()));
        }
        if let Some(welcome) = machine.welcome().filter(|_| !welcomed) {
            life.welcomed(Duration::from_millis(u64::from(welcome.heartbeat_ms)));
            self.state.send_replace(ConnectionState::Open(Box::new(welcome.clone())));
        }
        None
    }

    fn tell_state(&self, machine: &mut Machine, state: ConnectionState) {
        self.state.send_replace(state.clone());
        machine.announce(state);
    }
}

type Attempt<C> = Result<handshake::Open<<C as Connector>::Stream>, Failure>;

/// Waits for something while there is no connection: the application is still served.
async fn meanwhile<F: Future>(
    machine: &mut Machine,
    requests: &mut mpsc::Receiver<Request>,
    events: &mpsc::Sender<Event>,
    stopping: &CancellationToken,
    wait: F,
) -> Outcome<F::Output> {
    let mut wait = pin!(wait);
    loop {
        machine.tick(Instant::now());
        let deadline = machine.deadline().unwrap_or_else(far_from_now);
        tokio::select! {
            biased;
            () = stopping.cancelled() => return Outcome::Closed,
            permit = events.reserve(), if machine.has_event() => deliver(machine, permit),
            request = requests.recv(), if machine.accepts_commands() => match request {
                Some(request) => take_request(machine, request),
                None => return Outcome::Closed,
            },
            done = &mut wait => return Outcome::Done(done),
            () = tokio::time::sleep_until(deadline) => {}
        }
    }
}

/// Hands one event over; without an application that listens it is dropped.
fn deliver(machine: &mut Machine, permit: Result<mpsc::Permit<'_, Event>, mpsc::error::SendError<()>>) {
    if let (Some(event), Ok(permit)) = (machine.next_event(), permit) {
        permit.send(event);
    }
}

fn take_request(machine: &mut Machine, request: Request) {
    match request {
        Request::Command(command, reply) => machine.request(Instant::now(), *command, reply),
        Request::Tell(command) => machine.tell(*command),
    }
}

fn finish_renewal(machine: &mut Machine, renewed: Option<Result<Option<String>, CredentialError>>) {
    match renewed {
        Some(Ok(Some(token))) => machine.hello(token),
        Some(Err(CredentialError::Unavailable(_))) => machine.renew_later(Instant::now()),
        // It expires, the server closes with 4003, and the next connection asks for another credential.
        Some(Ok(None) | Err(CredentialError::Refused(_))) | None => {}
    }
}

/// Writes what the machine has to say. May be dropped at any time: a frame leaves the machine only into the sink.
fn push<S>(machine: &mut Machine, sink: &mut S, cx: &mut Context<'_>) -> Poll<Result<(), WsError>>
where
    S: Sink<Message, Error = WsError> + Unpin,
{
    while machine.has_frame() {
        match sink.poll_ready_unpin(cx) {
            Poll::Ready(Ok(())) => {
                let Some(text) = machine.next_frame() else { break };
                sink.start_send_unpin(Message::text(text))?;
            }
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => return Poll::Pending,
        }
    }
    sink.poll_flush_unpin(cx)
}

/// After a failed write: reads what is left, for a close frame may be among it.
async fn drain_for_close<S>(machine: &mut Machine, stream: &mut S) -> Option<Ended>
where
    S: futures_util::Stream<Item = Result<Message, WsError>> + Unpin,
{
    let read = async {
        loop {
            match stream.next().await {
                Some(Ok(Message::Close(frame))) => return Some(closed(frame)),
                // Acknowledgements on the way out still count; whatever else it was will be resumed.
                Some(Ok(Message::Text(text))) => drop(machine.received(Instant::now(), &text)),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    };
    tokio::time::timeout(CLOSE_MAX, read).await.ok().flatten()
}

/// Ends a connection in the way of RFC 6455 §7, without insisting.
async fn goodbye<S>(sink: SplitSink<WebSocketStream<S>, Message>, stream: SplitStream<WebSocketStream<S>>, ours: bool)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let (mut sink, mut stream): Halves<S> = (sink, stream);
    let bye = async {
        if ours {
            let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
            sink.send(Message::Close(Some(frame))).await?;
            while let Some(Ok(_)) = stream.next().await {}
        }
        sink.close().await
    };
    // The connection is over either way.
    let _ = tokio::time::timeout(CLOSE_MAX, bye).await;
}

fn closed(frame: Option<CloseFrame>) -> Ended {
    let Some(frame) = frame else { return broken("closed without a code") };
    let (code, reason) = (u16::from(frame.code), frame.reason.to_string());
    match code {
        // 4500–4999 by PROTOCOL §3; the others say that this client cannot speak as the server wants.
        4500..=4999 | 1002 | 1003 | 1007 | 1009 => Ended::Stop(StopReason::Refused { code, reason }),
        _ => Ended::Again { code: Some(code), reason, after: None },
    }
}

fn broken(reason: &str) -> Ended {
    Ended::Again { code: None, reason: reason.to_owned(), after: None }
}

/// "Never", for a timer that must have a time.
fn far_from_now() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

/// Is the other side alive, and does it know that we are?
struct Life {
    heartbeat: Duration,
    /// Without a welcome by then, the connection is given up.
    welcome_by: Option<Instant>,
    heard: Instant,
    wrote: Instant,
    fed: bool,
}

impl Life {
    fn start(connect_timeout: Duration) -> Self {
        let now = Instant::now();
        Self { heartbeat: HEARTBEAT_DEFAULT, welcome_by: Some(now + connect_timeout), heard: now, wrote: now, fed: false }
    }

    fn welcomed(&mut self, heartbeat: Duration) {
        self.welcome_by = None;
        if !heartbeat.is_zero() {
            self.heartbeat = heartbeat;
        }
    }

    fn heard(&mut self) {
        self.heard = Instant::now();
    }

    fn wrote(&mut self) {
        self.wrote = Instant::now();
    }

    /// An application that does not take its events keeps the socket from being read, and pings from being answered:
    /// an unasked pong (RFC 6455 §5.5.3) says that we are alive all the same.
    fn wants_pong(&mut self, now: Instant, idle: bool) -> bool {
        let due = idle && now >= self.wrote + self.heartbeat;
        if due {
            self.wrote = now;
            self.fed = true;
        }
        due
    }

    fn take_fed(&mut self) -> bool {
        std::mem::take(&mut self.fed)
    }

    /// Silence counts only while somebody listens: `heard` also says when we began to listen again.
    fn silent_at(&self) -> Instant {
        self.welcome_by.unwrap_or_else(|| self.heard + self.heartbeat.mul_f64(SILENT_HEARTBEATS))
    }

    fn deadline(&self, deaf: bool) -> Instant {
        let pong = self.wrote + self.heartbeat;
        if deaf { pong } else { pong.min(self.silent_at()) }
    }

    fn is_over(&self, now: Instant, deaf: bool) -> bool {
        !deaf && now >= self.silent_at()
    }
}
