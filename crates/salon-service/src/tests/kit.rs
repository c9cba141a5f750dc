//! The product's words: a salon, its people, the gateways they come through, and what they do and hear.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use salon_bus::InProcessBus;
use salon_core::ports::{Bus, Clock, NewAccount, Randomness, SignUp, Store};
use salon_core::{Epoch, HistoryPolicy, MemberChange, Role, RoomId, RoomKind, Timestamp, UserId};
use salon_proto::json::command_name;
use salon_proto::link::frames::{self, Attach, Block, DetachMember, EndSession, LogEntry, Reply, RoomEvent, SessionEvent};
use salon_proto::link::{GatewayEnd, gateway_frame, in_process, open_session::Credential, reply, service_frame};
use salon_proto::v1::{self, ack::Data, client_frame::Command, server_frame::Event};
use salon_store::MemoryStore;
use tokio::time::Instant;

use crate::commands::CreateRoom;
use crate::{Identity, Parts, Service, ServiceConfig};

/// How long an answer is waited for: longer than any command may take.
const PATIENCE: Duration = Duration::from_secs(12);

/// Virtual time of day.
pub(super) struct TestClock(Instant);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(1_795_187_632_000).plus_ms(i64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

#[derive(Default)]
struct Counting(AtomicU64);

impl Randomness for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let n = self.0.fetch_add(1, Ordering::Relaxed);
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &n.to_le_bytes());
        bytes.iter_mut().zip(digest.as_ref().iter().cycle()).for_each(|(byte, random)| *byte = *random);
    }
}

pub(super) struct Salon {
    pub(super) service: Arc<Service>,
    pub(super) store: Arc<MemoryStore>,
    pub(super) bus: Arc<dyn Bus>,
    people: AtomicU64,
}

impl Salon {
    pub(super) async fn open() -> Self {
        Self::with(ServiceConfig::default(), InProcessBus::new()).await
    }

    pub(super) async fn with(config: ServiceConfig, bus: Arc<dyn Bus>) -> Self {
        let store = MemoryStore::new();
        let parts = Parts {
            config,
            store: Arc::clone(&store) as Arc<dyn Store>,
            bus: Arc::clone(&bus),
            clock: Arc::new(TestClock(Instant::now())),
            rng: Arc::new(Counting::default()),
        };
        let service = Service::start(parts).await.unwrap();
        Self { service, store, bus, people: AtomicU64::new(1) }
    }

    /// Somebody with an account.
    pub(super) async fn person(&self, name: &str) -> Person {
        self.account(name, false).await
    }

    pub(super) async fn admin(&self, name: &str) -> Person {
        self.account(name, true).await
    }

    async fn account(&self, name: &str, admin: bool) -> Person {
        let number = self.people.fetch_add(1, Ordering::Relaxed);
        let new = NewAccount {
            id: UserId::mint(u128::from(number)),
            email: format!("{}{number}@example.org", name.to_lowercase().replace(' ', ".")),
            name: name.to_owned(),
            password: "none".to_owned(),
            admin,
            epoch: Epoch::mint(number),
            at: self.service.now(),
            invite: None,
        };
        let email = new.email.clone();
        let SignUp::Created { user, .. } = self.store.as_store().sign_up(new).await.unwrap() else { panic!("{name}") };
        let token = self.service.auth.create_token(&email, 3600).await.unwrap();
        Person { identity: Identity { user, login: None, expires_at: None }, token: token.expose().to_owned() }
    }

    /// A gateway, connected.
    pub(super) fn gateway(&self) -> Arc<Gateway> {
        let (end, service_end) = in_process();
        self.service.serve_link(service_end);
        Arc::new(Gateway { end: Mutex::new(Some(end)), seen: Mutex::default(), numbers: AtomicU64::new(1) })
    }

    /// A person on a device of their own, behind a gateway of its own.
    pub(super) async fn device(&self, person: &Person) -> Device {
        Device::open(&self.gateway(), person).await
    }

    /// Somebody new, connected, who has joined the room.
    pub(super) async fn guest_of(&self, gateway: &Arc<Gateway>, name: &str, room: &str) -> (Person, Device) {
        let person = self.person(name).await;
        let device = Device::open(gateway, &person).await;
        device.joins(room).await;
        (person, device)
    }

    pub(super) async fn room(&self, owner: &Person, name: &str, kind: RoomKind) -> RoomId {
        self.room_with(owner, name, kind, HistoryPolicy::All).await
    }

    pub(super) async fn room_with(&self, owner: &Person, name: &str, kind: RoomKind, history: HistoryPolicy) -> RoomId {
        let new = CreateRoom { name: name.to_owned(), title: String::new(), kind, peer: None, history };
        let (room, created) = self.service.create_room(&owner.identity, new).await.unwrap();
        assert!(created);
        RoomId::parse(&room.room).unwrap()
    }

    pub(super) async fn direct(&self, one: &Person, other: &Person) -> RoomId {
        let peer = Some(other.id().clone());
        let (name, title, history) = (String::new(), String::new(), HistoryPolicy::All);
        let new = CreateRoom { name, title, kind: RoomKind::Direct, peer, history };
        RoomId::parse(&self.service.create_room(&one.identity, new).await.unwrap().0.room).unwrap()
    }

    pub(super) async fn change(&self, by: &Person, room: &RoomId, whom: &Person, change: MemberChange) -> v1::ChangeAck {
        self.service.change_member(&by.identity, room, whom.id(), change, None).await.unwrap()
    }

    pub(super) async fn role(&self, by: &Person, room: &RoomId, whom: &Person, role: Role) -> v1::ChangeAck {
        self.service.change_member(&by.identity, room, whom.id(), MemberChange::Role, Some(role)).await.unwrap()
    }
}

/// So that the port's methods can be called on the store of a test.
pub(super) trait AsStore {
    fn as_store(&self) -> &dyn Store;
}

impl AsStore for Arc<MemoryStore> {
    fn as_store(&self) -> &dyn Store {
        &**self
    }
}

pub(super) struct Person {
    pub(super) identity: Identity,
    pub(super) token: String,
}

impl Person {
    pub(super) fn id(&self) -> &UserId {
        &self.identity.user.id
    }

    pub(super) fn me(&self) -> RoomId {
        RoomId::me(self.id())
    }
}

/// Everything that a gateway was sent, sorted.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) opened: Vec<frames::SessionOpened>,
    pub(super) refused: Vec<frames::SessionRefused>,
    pub(super) replies: Vec<Reply>,
    pub(super) entries: Vec<LogEntry>,
    pub(super) room_events: Vec<RoomEvent>,
    pub(super) session_events: Vec<SessionEvent>,
    pub(super) ended: Vec<EndSession>,
    pub(super) blocks: Vec<Block>,
    pub(super) api: Vec<frames::ApiResponse>,
    pub(super) detached: Vec<DetachMember>,
    /// In the order of arrival, what concerns logs: `entry 5`, `detach u_…`, `reply 3`.
    pub(super) order: Vec<String>,
}

pub(super) struct Gateway {
    end: Mutex<Option<GatewayEnd>>,
    pub(super) seen: Mutex<Seen>,
    numbers: AtomicU64,
}

impl Gateway {
    pub(super) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn send(&self, frame: gateway_frame::Frame) {
        self.end.lock().as_ref().unwrap().to_service.try_send(frame).unwrap();
    }

    /// The gateway dies.
    pub(super) fn dies(&self) {
        self.end.lock().take();
    }

    pub(super) fn link_is_closed(&self) -> bool {
        self.take();
        self.end.lock().as_mut().is_some_and(|end| end.from_service.is_closed())
    }

    /// Takes what has arrived.
    pub(super) fn take(&self) {
        let mut end = self.end.lock();
        let Some(end) = end.as_mut() else { return };
        let mut seen = self.seen.lock();
        while let Ok(frame) = end.from_service.try_recv() {
            match frame {
                service_frame::Frame::Opened(frame) => seen.opened.push(frame),
                service_frame::Frame::Refused(frame) => seen.refused.push(frame),
                service_frame::Frame::Reply(frame) => {
                    seen.order.push(format!("reply {}", frame.serial));
                    seen.replies.push(frame);
                }
                service_frame::Frame::Entry(frame) => {
                    seen.order.push(format!("entry {}", frame.entry.as_ref().unwrap().seq));
                    seen.entries.push(frame);
                }
                service_frame::Frame::RoomEvent(frame) => seen.room_events.push(frame),
                service_frame::Frame::SessionEvent(frame) => seen.session_events.push(frame),
                service_frame::Frame::End(frame) => seen.ended.push(frame),
                service_frame::Frame::Block(frame) => seen.blocks.push(frame),
                service_frame::Frame::Api(frame) => seen.api.push(frame),
                service_frame::Frame::Detach(frame) => {
                    seen.order.push(format!("detach {}", frame.user));
                    seen.detached.push(frame);
                }
            }
        }
    }

    /// Waits until something has arrived.
    pub(super) async fn until<T>(&self, mut there: impl FnMut(&mut Seen) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            self.take();
            if let Some(found) = there(&mut self.seen.lock()) {
                return found;
            }
            assert!(begun.elapsed() < PATIENCE, "it did not come");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Lets everything happen that is about to happen.
    pub(super) async fn settles(&self) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        self.take();
    }

    pub(super) async fn reads_block(&self, log: &RoomId, after: u64, through: u64) -> Block {
        let request = self.number();
        let log = log.as_str().to_owned();
        self.send(gateway_frame::Frame::ReadBlock(frames::ReadBlock { request, log, after, through }));
        self.until(|seen| seen.blocks.iter().find(|block| block.request == request).cloned()).await
    }

    /// The entries of a log that came over the link, as `seq: text`.
    pub(super) fn heard(&self, log: &RoomId) -> Vec<String> {
        self.take();
        let seen = self.seen.lock();
        let of_log = seen.entries.iter().filter(|entry| entry.log == log.as_str());
        of_log.map(|entry| describe(entry.entry.as_ref().unwrap())).collect()
    }

    /// The ephemeral events of a room since the last look.
    pub(super) fn events(&self, log: &RoomId) -> Vec<(Event, Option<u64>)> {
        self.take();
        let mut seen = self.seen.lock();
        let events = std::mem::take(&mut seen.room_events);
        let (these, others): (Vec<_>, Vec<_>) = events.into_iter().partition(|event| event.log == log.as_str());
        seen.room_events = others;
        these.into_iter().map(|event| (event.frame.unwrap().event.unwrap(), event.except)).collect()
    }
}

/// An entry in a few words.
pub(super) fn describe(entry: &v1::Entry) -> String {
    use v1::entry::Body;
    let text = match entry.body.as_ref().unwrap() {
        Body::Message(message) if message.deleted => "(deleted)".to_owned(),
        Body::Message(message) => message.content.clone(),
        Body::Edit(edit) => format!("edit {}", edit.content),
        Body::Delete(_) => "delete".to_owned(),
        Body::React(react) => format!("{}{}", if react.remove { "-" } else { "+" }, react.emoji),
        Body::Member(member) => format!("{} {}", member.target_name, member.change),
        Body::RoomChanged(_) => "room".to_owned(),
        Body::Call(_) => "call".to_owned(),
        Body::RoomAdded(added) => format!("added to {}", added.about.as_ref().unwrap().title()),
        Body::RoomRemoved(removed) => format!("removed from {}", removed.about.as_ref().unwrap().room()),
        Body::Mention(mention) => format!("mentioned in {}", mention.about.as_ref().unwrap().room()),
        Body::Read(read) => format!("read up to {}", read.about.as_ref().unwrap().seq()),
        Body::Notice(_) => "notice".to_owned(),
    };
    format!("{}: {text}", entry.seq)
}

/// A connection of a person.
pub(super) struct Device {
    pub(super) gateway: Arc<Gateway>,
    pub(super) session: u64,
    pub(super) welcome: v1::Welcome,
}

impl Device {
    pub(super) async fn open(gateway: &Arc<Gateway>, person: &Person) -> Self {
        Self::with(gateway, Credential::Token(person.token.clone())).await.unwrap()
    }

    pub(super) async fn with(gateway: &Arc<Gateway>, credential: Credential) -> Result<Self, v1::Error> {
        let session = gateway.number();
        let open = frames::OpenSession { session, peer: "192.0.2.1".to_owned(), credential: Some(credential) };
        gateway.send(gateway_frame::Frame::Open(open));
        let opened = gateway.until(|seen| {
            let refused = seen.refused.iter().find(|refused| refused.session == session);
            let opened = seen.opened.iter().find(|opened| opened.session == session);
            refused.map(|r| Err(r.error.clone().unwrap())).or(opened.map(|o| Ok(o.welcome.clone().unwrap())))
        });
        Ok(Self { gateway: Arc::clone(gateway), session, welcome: opened.await? })
    }

    pub(super) fn closes(&self) {
        self.gateway.send(gateway_frame::Frame::Close(frames::CloseSession { session: self.session }));
    }

    /// Sends a command and does not wait. Returns its serial.
    pub(super) fn sends(&self, command: Command, id: Option<i64>) -> u64 {
        let serial = self.gateway.number();
        let frame = Some(v1::ClientFrame { id, command: Some(command) });
        self.gateway.send(gateway_frame::Frame::Command(frames::Command { session: self.session, serial, frame }));
        serial
    }

    pub(super) async fn reply(&self, serial: u64) -> Reply {
        self.gateway.until(|seen| seen.replies.iter().find(|reply| reply.serial == serial).cloned()).await
    }

    pub(super) async fn asks(&self, command: Command) -> Result<Data, v1::Error> {
        let name = command_name(&command);
        let reply = self.reply(self.sends(command, Some(7))).await;
        let frame = reply.frame.unwrap_or_else(|| panic!("{name} was not answered"));
        assert_eq!(frame.id, Some(7));
        match frame.event {
            Some(Event::Ack(ack)) => Ok(ack.data.unwrap()),
            Some(Event::Error(error)) => Err(error),
            other => panic!("{name}: {other:?}"),
        }
    }

    /// The code of the error, with the field that is wrong.
    pub(super) async fn is_refused(&self, command: Command) -> String {
        let error = self.asks(command).await.unwrap_err();
        error.field.map_or(error.code.clone(), |field| format!("{} {field}", error.code))
    }

    pub(super) async fn tries_to_join(&self, join: v1::Join) -> (v1::JoinAck, Option<Attach>) {
        let reply = self.reply(self.sends(Command::Join(join), Some(7))).await;
        let Some(Event::Ack(v1::Ack { data: Some(Data::Join(ack)) })) = reply.frame.clone().and_then(|f| f.event) else {
            panic!("{reply:?}")
        };
        let attach = reply.effect.map(|effect| match effect {
            reply::Effect::Attach(attach) => attach,
            other @ (reply::Effect::Detach(_) | reply::Effect::Renewed(_)) => panic!("{other:?}"),
        });
        (ack, attach)
    }

    pub(super) async fn joins(&self, room: &str) -> v1::JoinAck {
        self.tries_to_join(join(room)).await.0
    }

    pub(super) async fn says(&self, room: &str, content: &str) -> v1::MessageAck {
        self.says_in_full(message(room, content)).await.unwrap()
    }

    pub(super) async fn says_in_full(&self, message: v1::SendMessage) -> Result<v1::MessageAck, v1::Error> {
        let data = self.asks(Command::Message(message)).await?;
        let Data::Message(ack) = data else { panic!("{data:?}") };
        Ok(ack)
    }

    pub(super) async fn changes(&self, command: Command) -> v1::ChangeAck {
        let data = self.asks(command).await.unwrap();
        let Data::Change(ack) = data else { panic!("{data:?}") };
        ack
    }

    pub(super) async fn reads(&self, room: &str, seq: u64) -> v1::ReadAck {
        let data = self.asks(Command::Read(v1::MarkRead { room: room.to_owned(), seq })).await.unwrap();
        let Data::Read(ack) = data else { panic!("{data:?}") };
        ack
    }

    pub(super) async fn history(&self, query: v1::GetHistory) -> v1::HistoryPage {
        let data = self.asks(Command::History(query)).await.unwrap();
        let Data::History(page) = data else { panic!("{data:?}") };
        page
    }

    pub(super) async fn rooms(&self) -> Vec<v1::RoomSummary> {
        let data = self.asks(Command::Rooms(v1::ListRooms::default())).await.unwrap();
        let Data::Rooms(page) = data else { panic!("{data:?}") };
        page.rooms
    }

    pub(super) async fn members(&self, room: &str) -> Vec<v1::MemberSummary> {
        let query = v1::ListMembers { room: room.to_owned(), ..v1::ListMembers::default() };
        let data = self.asks(Command::Members(query)).await.unwrap();
        let Data::Members(page) = data else { panic!("{data:?}") };
        page.members
    }

    /// The activity that this connection was told since the last look: room, unread, mentions.
    pub(super) fn activity(&self) -> Vec<(String, u64, u64)> {
        self.gateway.take();
        let mut seen = self.gateway.seen.lock();
        let events = std::mem::take(&mut seen.session_events);
        let (mine, others): (Vec<_>, Vec<_>) = events.into_iter().partition(|event| event.sessions.contains(&self.session));
        seen.session_events = others;
        let activity = mine.into_iter().map(|event| {
            let Event::Activity(activity) = event.frame.unwrap().event.unwrap() else { panic!("no activity") };
            (activity.room, activity.unread, activity.mentions)
        });
        activity.collect()
    }
}

pub(super) fn join(room: &str) -> v1::Join {
    v1::Join { room: room.to_owned(), ..v1::Join::default() }
}

pub(super) fn message(room: &str, content: &str) -> v1::SendMessage {
    v1::SendMessage { room: room.to_owned(), content: content.to_owned(), ..v1::SendMessage::default() }
}

pub(super) fn since(room: &str, epoch: &str, seq: u64) -> v1::Join {
    v1::Join { since: Some(v1::Position { epoch: epoch.to_owned(), seq }), ..join(room) }
}

pub(super) fn general() -> RoomId {
    RoomId::parse("general").unwrap()
}

pub(super) async fn passes(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
