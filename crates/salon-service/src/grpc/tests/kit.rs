//! The product's words: a house with a gRPC door, its people, what they say and hear.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::stream;
use salon_bus::InProcessBus;
use salon_core::ports::{Clock, NewAccount, SignUp, Store};
use salon_core::{Epoch, RoomId, RoomKind, Timestamp, UserId};
use salon_proto::v1::chat_service_client::ChatServiceClient;
use salon_proto::v1::{self, ClientFrame, chat_event, chat_stream, client_frame::Command, entry::Body, server_frame::Event};
use salon_store::MemoryStore;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status, Streaming};

use crate::auth::tests::CountingRandomness;
use crate::commands::CreateRoom;
use crate::grpc::{GrpcConfig, serve};
use crate::{Identity, Parts, Service, ServiceConfig, SignupPolicy};

/// How long anything may take on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Time of day that goes with the time of the runtime.
#[derive(Debug)]
struct TestClock(Instant);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(1_795_187_632_000).plus_ms(i64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

pub(super) struct House {
    pub(super) service: Arc<Service>,
    pub(super) store: Arc<MemoryStore>,
    pub(super) address: SocketAddr,
    pub(super) stopping: CancellationToken,
    pub(super) serving: TaskTracker,
    people: AtomicU64,
}

/// A service without a door.
pub(super) async fn service() -> (Arc<Service>, Arc<MemoryStore>) {
    let mut config = ServiceConfig { signup: SignupPolicy::Open, ..ServiceConfig::default() };
    (config.limits.message_burst, config.limits.messages_per_s) = (100_000, 100_000);
    let store = MemoryStore::new();
    let parts = Parts {
        config,
        store: Arc::clone(&store) as Arc<dyn Store>,
        bus: InProcessBus::new(),
        clock: Arc::new(TestClock(Instant::now())),
        rng: Arc::new(CountingRandomness::default()),
    };
    (Service::start(parts).await.unwrap(), store)
}

impl House {
    pub(super) async fn open() -> Self {
        Self::with(GrpcConfig::default()).await
    }

    pub(super) async fn with(config: GrpcConfig) -> Self {
        let (service, store) = service().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stopping, serving) = (CancellationToken::new(), TaskTracker::new());
        serving.spawn(serve(listener, Arc::clone(&service), config, stopping.clone()));
        serving.close();
        Self { service, store, address, stopping, serving, people: AtomicU64::new(1) }
    }

    pub(super) async fn channel(&self) -> Channel {
        let endpoint = Endpoint::try_from(format!("http://{}", self.address)).unwrap();
        // What a client takes without reading it: by default 2 MB, which would hide who is slow.
        endpoint.initial_stream_window_size(64 * 1024).connect().await.unwrap()
    }

    /// Somebody with an account, a token and a connection.
    pub(super) async fn person(&self, name: &str) -> Person {
        let number = self.people.fetch_add(1, Ordering::Relaxed);
        let (identity, token) = account(&self.service, &*self.store, name, number).await;
        let client = ChatServiceClient::new(self.channel().await);
        Person { identity, token, client }
    }

    pub(super) async fn room(&self, owner: &Person, name: &str, kind: RoomKind) -> RoomId {
        let new = CreateRoom { name: name.to_owned(), title: String::new(), kind, peer: None, history: Default::default() };
        RoomId::parse(&self.service.create_room(&owner.identity, new).await.unwrap().0.room).unwrap()
    }
}

/// An account made behind the scenes, and a token for it that belongs to no login.
pub(super) async fn account(service: &Service, store: &dyn Store, name: &str, number: u64) -> (Identity, String) {
    let new = NewAccount {
        id: UserId::mint(u128::from(number)),
        email: format!("{}@example.org", name.to_lowercase()),
        name: name.to_owned(),
        password: "none".to_owned(),
        admin: false,
        epoch: Epoch::mint(number),
        at: service.now(),
        invite: None,
    };
    let email = new.email.clone();
    let SignUp::Created { user, .. } = store.sign_up(new).await.unwrap() else { panic!("{name}") };
    let token = service.auth.create_token(&email, 3600).await.unwrap().expose().to_owned();
    (Identity { user, login: None, expires_at: None }, token)
}

#[derive(Clone)]
pub(super) struct Person {
    pub(super) identity: Identity,
    pub(super) token: String,
    pub(super) client: ChatServiceClient<Channel>,
}

impl Person {
    pub(super) fn id(&self) -> &UserId {
        &self.identity.user.id
    }

    /// A call in this person's name.
    pub(super) fn call<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.token).parse().unwrap());
        request
    }

    pub(super) async fn says(&self, room: &str, content: &str) -> v1::MessageAck {
        self.sends(message(room, content)).await.unwrap()
    }

    pub(super) async fn sends(&self, message: v1::SendMessageRequest) -> Result<v1::MessageAck, Status> {
        let answer = self.client.clone().send_message(self.call(message)).await;
        answer.map(tonic::Response::into_inner)
    }

    pub(super) async fn listens(&self, request: v1::JoinRequest) -> Result<Listener, Status> {
        let joined = within(self.client.clone().join_chat(self.call(request))).await?;
        Ok(Listener { events: joined.into_inner() })
    }

    /// Joins and reads up to `caught_up`.
    pub(super) async fn joins(&self, room: &str) -> Listener {
        let mut listener = self.listens(join(room)).await.unwrap();
        listener.catches_up().await;
        listener
    }

    pub(super) async fn talks(&self) -> Talk {
        let (commands, queue) = mpsc::channel::<v1::ChatStream>(64);
        let commands_stream =
            stream::unfold(queue, |mut queue| async move { queue.recv().await.map(|command| (command, queue)) });
        let answers = within(self.client.clone().chat(self.call(commands_stream))).await.unwrap().into_inner();
        let mut talk = Talk { commands: Some(commands), answers, next_id: 0 };
        let welcome = talk.hears().await;
        assert!(matches!(welcome.event, Some(Event::Welcome(_))), "{welcome:?}");
        talk
    }
}

pub(super) fn message(room: &str, content: &str) -> v1::SendMessageRequest {
    v1::SendMessageRequest { room: room.to_owned(), content: content.to_owned(), ..v1::SendMessageRequest::default() }
}

pub(super) fn join(room: &str) -> v1::JoinRequest {
    v1::JoinRequest { room: room.to_owned(), ..v1::JoinRequest::default() }
}

pub(super) fn since(ack: &v1::MessageAck) -> v1::JoinRequest {
    v1::JoinRequest { since: Some(v1::Position { epoch: ack.epoch.clone(), seq: ack.seq }), ..join(&ack.room) }
}

/// `JoinChat`.
pub(super) struct Listener {
    pub(super) events: Streaming<v1::ChatEvent>,
}

impl Listener {
    pub(super) async fn next(&mut self) -> Result<Option<chat_event::Event>, Status> {
        Ok(within(self.events.message()).await?.map(|event| event.event.unwrap()))
    }

    /// The next event in a few words.
    pub(super) async fn hears(&mut self) -> String {
        match self.next().await.unwrap().expect("the stream has ended") {
            chat_event::Event::Joined(ack) => format!("joined at {}{}", ack.seq, if ack.gap { " with a gap" } else { "" }),
            chat_event::Event::Entry(entry) => describe(&entry),
            chat_event::Event::CaughtUp(caught_up) => format!("caught up at {}", caught_up.seq),
            chat_event::Event::Presence(presence) => format!("{} {}", presence.name(), presence.status()),
            chat_event::Event::Typing(typing) => format!("{} types: {}", typing.name, typing.typing),
            chat_event::Event::Read(read) => format!("read up to {}", read.seq),
        }
    }

    pub(super) async fn hears_in_order<const N: usize>(&mut self, expected: [&str; N]) {
        for expected in expected {
            assert_eq!(self.hears().await, expected);
        }
    }

    /// Everything up to `caught_up`.
    pub(super) async fn catches_up(&mut self) -> Vec<String> {
        let mut heard = Vec::new();
        loop {
            let event = self.hears().await;
            let done = event.starts_with("caught up");
            heard.push(event);
            if done {
                return heard;
            }
        }
    }

    /// Reads to the end, which is no success.
    pub(super) async fn ends(&mut self) -> Status {
        loop {
            match self.next().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("it ended well"),
                Err(status) => return status,
            }
        }
    }
}

/// An entry in a few words.
pub(super) fn describe(entry: &v1::Entry) -> String {
    let body = entry.body.as_ref().unwrap();
    let text = if let Body::Message(message) = body {
        message.content.clone()
    } else if let Body::Member(member) = body {
        format!("{} {}", member.target_name, member.change)
    } else {
        format!("{body:?}")
    };
    format!("{}: {text}", entry.seq)
}

/// `Chat`.
pub(super) struct Talk {
    commands: Option<mpsc::Sender<v1::ChatStream>>,
    pub(super) answers: Streaming<v1::ChatStream>,
    next_id: i64,
}

impl Talk {
    /// Gives a command that is to be answered. Returns its id.
    pub(super) async fn commands(&mut self, command: Command) -> i64 {
        self.next_id += 1;
        self.sends(ClientFrame { id: Some(self.next_id), command: Some(command) }).await;
        self.next_id
    }

    pub(super) async fn sends(&self, frame: ClientFrame) {
        self.sends_raw(v1::ChatStream { frame: Some(chat_stream::Frame::Client(frame)) }).await;
    }

    pub(super) async fn sends_raw(&self, frame: v1::ChatStream) {
        self.commands.as_ref().unwrap().send(frame).await.unwrap();
    }

    /// Says no more.
    pub(super) fn half_closes(&mut self) {
        self.commands = None;
    }

    pub(super) async fn hears(&mut self) -> v1::ServerFrame {
        let answer = within(self.answers.message()).await.unwrap().expect("the stream has ended");
        let Some(chat_stream::Frame::Server(frame)) = answer.frame else { panic!("{answer:?}") };
        frame
    }

    /// The next frame in a few words: `ack 3`, `general 4: hi`, `general caught up at 4`.
    pub(super) async fn hears_said(&mut self) -> String {
        let frame = self.hears().await;
        match frame.event.unwrap() {
            Event::Ack(_) => format!("ack {}", frame.id.unwrap()),
            Event::Error(error) => format!("{} {}", error.code, frame.id.unwrap_or(-1)),
            Event::Entry(entry) => format!("{} {}", entry.room, describe(&entry)),
            Event::CaughtUp(caught_up) => format!("{} caught up at {}", caught_up.room, caught_up.seq),
            Event::Presence(_) | Event::Activity(_) | Event::Typing(_) | Event::Read(_) => "ephemeral".to_owned(),
            other @ (Event::Welcome(_) | Event::Signal(_) | Event::Location(_) | Event::Ping(_) | Event::Closing(_)) => {
                format!("{other:?}")
            }
        }
    }

    /// The same without what is best effort.
    pub(super) async fn hears_lasting(&mut self) -> String {
        loop {
            let said = self.hears_said().await;
            if said != "ephemeral" {
                return said;
            }
        }
    }
}

/// The status with the protocol's code and the field that is wrong.
pub(super) fn told(status: &Status) -> (Code, String) {
    let text = |key: &str| status.metadata().get(key).map(|value| value.to_str().unwrap().to_owned());
    let code = text("salon-code").unwrap_or_default();
    (status.code(), text("salon-field").map_or(code.clone(), |field| format!("{code} {field}")))
}

pub(super) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("it did not come")
}

pub(super) async fn passes(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
