//! A whole gateway with its tasks, between clients and a service that the test plays; time is virtual.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use salon_proto::json;
use salon_proto::link::frames::{
    self, ApiRequest, ApiResponse, Attach, Detach, EndSession, LogEntry, Reply, SessionOpened, SessionRefused,
};
use salon_proto::link::open_session::Credential;
use salon_proto::link::{ServiceEnd, gateway_frame, in_process, reply, service_frame};
use salon_proto::v1::{self, Entry, ServerFrame, Welcome, ack, client_frame, entry::Body, server_frame::Event};
use tokio::time::sleep;

use super::Gateway;
use crate::config::GatewayConfig;
use crate::http::{Sessions, Start};
use crate::testing::{Counter, StoppedClock, Wire, briefly};

struct World {
    gateway: Arc<Gateway>,
    service: ServiceEnd,
    head: u64,
}

/// Longer than anything takes that is not meant to take time.
async fn a_moment() {
    sleep(Duration::from_millis(20)).await;
}

impl World {
    fn new() -> Self {
        let (link, service) = in_process();
        let rng = Arc::new(Counter::default());
        let gateway = Gateway::start(GatewayConfig::default(), link, Arc::new(StoppedClock), rng);
        Self { gateway, service, head: 0 }
    }

    /// What the gateway says next.
    async fn service_hears(&mut self) -> gateway_frame::Frame {
        let frame = tokio::time::timeout(Duration::from_secs(1), self.service.from_gateway.recv()).await;
        frame.expect("the gateway says nothing").expect("the gateway has hung up")
    }

    async fn hears_command(&mut self) -> frames::Command {
        let frame = self.service_hears().await;
        let gateway_frame::Frame::Command(command) = frame else { panic!("not a command: {frame:?}") };
        command
    }

    async fn service_says(&self, frame: service_frame::Frame) {
        self.service.to_gateway.send(frame).await.unwrap();
    }

    async fn opens(&self, session: u64) {
        let opened = SessionOpened { session, welcome: Some(Welcome::default()), expires_at_ms: None, user: "u_ann".into() };
        self.service_says(service_frame::Frame::Opened(opened)).await;
    }

    /// Somebody connects with a token; gives the session's number too.
    async fn connects(&mut self) -> (Wire, u64) {
        let gateway = Arc::clone(&self.gateway);
        let opening = gateway.open(Credential::Token("secret".into()), "192.0.2.1".into());
        let answering = async {
            let gateway_frame::Frame::Open(open) = self.service_hears().await else { panic!("not an open") };
            self.opens(open.session).await;
        };
        let (opened, ()) = tokio::join!(opening, answering);
        let opened = opened.unwrap();
        let (session, wire) = (opened.0.session, Wire::open());
        self.gateway.accept(Box::new(wire.clone()), Bytes::new(), Start::Opened(opened));
        a_moment().await;
        (wire, session)
    }

    async fn answers(&self, command: &frames::Command, data: ack::Data, effect: Option<reply::Effect>) {
        let id = command.frame.as_ref().and_then(|frame| frame.id);
        let frame = id.map(|id| json::acknowledge(id, data));
        let reply = Reply { session: command.session, serial: command.serial, frame, effect };
        self.service_says(service_frame::Frame::Reply(reply)).await;
    }

    /// Lets the next command, a join, listen from the head on.
    async fn lets_join(&mut self) {
        let command = self.hears_command().await;
        let join = v1::JoinAck { room: "general".into(), epoch: "e".into(), seq: self.head, ..v1::JoinAck::default() };
        let attach = Attach {
            log: "general".into(),
            room: "general".into(),
            epoch: "e".into(),
            cursor: self.head,
            caught_up_at: self.head,
        };
        self.answers(&command, ack::Data::Join(join), Some(reply::Effect::Attach(attach))).await;
        a_moment().await;
    }

    async fn writes(&mut self, content: &str) {
        self.head += 1;
        let body = Body::Message(v1::Message { content: content.into(), ..v1::Message::default() });
        let entry = Entry { epoch: "e".into(), seq: self.head, body: Some(body), ..Entry::default() };
        self.service_says(service_frame::Frame::Entry(LogEntry { log: "general".into(), entry: Some(entry) })).await;
        a_moment().await;
    }

    async fn hears_close_of(&mut self, session: u64) {
        let frame = self.service_hears().await;
        let gateway_frame::Frame::Close(close) = frame else { panic!("not a close: {frame:?}") };
        assert_eq!(close.session, session);
    }
}

fn hears(wire: &Wire) -> Vec<String> {
    briefly(&wire.heard())
}

const JOIN: &str = r#"{"event":"join","id":1,"data":{"room":"general"}}"#;

#[tokio::test(start_paused = true)]
async fn people_join_hear_each_other_leave_and_go() {
    let mut world = World::new();
    let (ann, ann_session) = world.connects().await;
    let (bob, _) = world.connects().await;
    for wire in [&ann, &bob] {
        wire.says(JOIN);
        world.lets_join().await;
    }
    world.writes("hi").await;
    for wire in [&ann, &bob] {
        assert_eq!(hears(wire), ["welcome", "ack#1 0", "caught_up 0", "message 1"]);
    }
    ann.says(r#"{"event":"leave","id":2,"data":{"room":"general"}}"#);
    let leave = world.hears_command().await;
    let effect = reply::Effect::Detach(Detach { log: "general".into() });
    world.answers(&leave, ack::Data::Leave(v1::RoomAck::default()), Some(effect)).await;
    world.writes("are you there").await;
    assert_eq!(hears(&ann)[4..], ["ack#2"]);
    assert_eq!(hears(&bob)[4..], ["message 2"]);
    ann.hang_up();
    world.hears_close_of(ann_session).await;
    a_moment().await;
    assert!(ann.is_closed());
    let metrics = world.gateway.metrics_text();
    assert!(metrics.contains(r#"salon_gateway_sessions{state="open"} 1"#), "{metrics}");
    assert!(metrics.contains(r#"salon_gateway_closes_total{code="1006"} 1"#), "{metrics}");
    world.gateway.stop().await;
}

#[tokio::test(start_paused = true)]
async fn bytes_behind_the_handshake_are_not_lost_and_a_hello_may_come_first() {
    let mut world = World::new();
    let wire = Wire::open();
    let hello = crate::testing::masked(0x81, br#"{"event":"hello","id":5,"data":{"token":"secret"}}"#);
    let join = crate::testing::masked(0x81, JOIN.as_bytes());
    let leftover = Bytes::from([&join[..], &hello[..7]].concat());
    world.gateway.accept(Box::new(wire.clone()), leftover, Start::AwaitHello { peer: "192.0.2.1".into() });
    wire.input(&hello[7..]);
    let gateway_frame::Frame::Open(open) = world.service_hears().await else { panic!("not an open") };
    assert_eq!(open.credential, Some(Credential::Token("secret".into())));
    world.opens(open.session).await;
    world.lets_join().await;
    assert_eq!(hears(&wire), ["welcome#5", "ack#1 0", "caught_up 0"]);
}

#[tokio::test(start_paused = true)]
async fn a_bad_credential_and_a_bad_origin_are_refused() {
    let mut world = World::new();
    let gateway = Arc::clone(&world.gateway);
    let refusing = async {
        let gateway_frame::Frame::Open(open) = world.service_hears().await else { panic!("not an open") };
        let error = v1::Error { code: "unauthenticated".into(), ..v1::Error::default() };
        let refused = SessionRefused { session: open.session, error: Some(error) };
        world.service_says(service_frame::Frame::Refused(refused)).await;
    };
    let (opened, ()) = tokio::join!(gateway.open(Credential::Ticket("used".into()), String::new()), refusing);
    assert_eq!(opened.unwrap_err().code, "unauthenticated");

    let wire = Wire::open();
    world.gateway.accept(Box::new(wire.clone()), Bytes::new(), Start::RefuseOrigin);
    sleep(Duration::from_secs(3)).await;
    assert_eq!(hears(&wire), ["(close 4503)"]);
    assert!(wire.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_session_for_nobody_is_closed_again() {
    let mut world = World::new();
    // The client leaves while the service is asked …
    let gateway = Arc::clone(&world.gateway);
    let impatient = tokio::time::timeout(Duration::from_millis(1), gateway.open(Credential::Token("t".into()), String::new()));
    assert!(impatient.await.is_err());
    let gateway_frame::Frame::Open(open) = world.service_hears().await else { panic!("not an open") };
    world.opens(open.session).await;
    world.hears_close_of(open.session).await;
    // … or right behind the answer …
    let gateway = Arc::clone(&world.gateway);
    let answering = async {
        let gateway_frame::Frame::Open(open) = world.service_hears().await else { panic!("not an open") };
        world.opens(open.session).await;
    };
    let (opened, ()) = tokio::join!(gateway.open(Credential::Token("t".into()), String::new()), answering);
    let opened = opened.unwrap();
    let session = opened.0.session;
    world.gateway.abandon(opened);
    world.hears_close_of(session).await;
    // … or the service ends the session before its socket is there.
    let answering = async {
        let gateway_frame::Frame::Open(open) = world.service_hears().await else { panic!("not an open") };
        world.opens(open.session).await;
        let end = EndSession { session: open.session, code: 4502, ..EndSession::default() };
        world.service_says(service_frame::Frame::End(end)).await;
    };
    let (opened, ()) = tokio::join!(gateway.open(Credential::Token("t".into()), String::new()), answering);
    a_moment().await;
    let wire = Wire::open();
    world.gateway.accept(Box::new(wire.clone()), Bytes::new(), Start::Opened(opened.unwrap()));
    a_moment().await;
    assert_eq!(hears(&wire), ["welcome", "(close 4502)"]);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_session_ends_at_once() {
    let mut world = World::new();
    let (ann, session) = world.connects().await;
    ann.says(JOIN);
    world.lets_join().await;
    let end = EndSession { session, code: 4502, reason: "logged out".into(), reconnect_after_ms: None };
    world.service_says(service_frame::Frame::End(end)).await;
    world.writes("a secret").await;
    assert_eq!(hears(&ann)[3..], ["(close 4502)"]);
    // A peer that never answers the close frame does not keep its socket.
    sleep(Duration::from_secs(2)).await;
    world.hears_close_of(session).await;
    assert!(ann.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_join_that_is_answered_too_late_makes_the_client_start_again() {
    let mut world = World::new();
    let (ann, _) = world.connects().await;
    ann.says(JOIN);
    let join = world.hears_command().await;
    sleep(Duration::from_secs(11)).await;
    let attach = Attach { log: "general".into(), room: "general".into(), epoch: "e".into(), cursor: 0, caught_up_at: 0 };
    world.answers(&join, ack::Data::Join(v1::JoinAck::default()), Some(reply::Effect::Attach(attach))).await;
    world.writes("hi").await;
    assert_eq!(hears(&ann), ["welcome", "error#1 unavailable", "closing 4001", "(close 4001)"]);
}

#[tokio::test(start_paused = true)]
async fn silence_ends_a_connection_and_life_keeps_it() {
    let mut world = World::new();
    let (dead, _) = world.connects().await;
    let (alive, _) = world.connects().await;
    for _ in 0..19 {
        sleep(Duration::from_secs(5)).await;
        alive.input(&crate::testing::masked(0x8A, b""));
    }
    assert_eq!(hears(&dead), ["welcome", "(ping)", "(close 4002)"]);
    assert_eq!(hears(&alive), ["welcome", "(ping)", "(ping)", "ping", "(ping)", "ping"]);
    assert!(dead.is_closed() && !alive.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_draining_gateway_tells_everybody_and_waits_for_answers() {
    let mut world = World::new();
    let (idle, _) = world.connects().await;
    let (busy, _) = world.connects().await;
    let (stuck, _) = world.connects().await;
    busy.says(r#"{"event":"ping","id":1}"#);
    let command = world.hears_command().await;
    stuck.takes(0);
    let gateway = Arc::clone(&world.gateway);
    let answering = async {
        sleep(Duration::from_millis(500)).await;
        world.answers(&command, ack::Data::Empty(v1::Empty {}), None).await;
    };
    let start = tokio::time::Instant::now();
    tokio::join!(gateway.drain(Duration::from_secs(10)), answering);
    assert!(start.elapsed() < Duration::from_secs(10));
    assert_eq!(hears(&idle)[1..], ["closing 4001", "(close 4001)"]);
    assert_eq!(hears(&busy)[1..], ["closing 4001", "ack#1", "(close 4001)"]);
    assert!(idle.is_closed() && busy.is_closed() && stuck.is_closed());
    assert!(gateway.draining());
    let late = Wire::open();
    gateway.accept(Box::new(late.clone()), Bytes::new(), Start::AwaitHello { peer: String::new() });
    a_moment().await;
    assert_eq!(hears(&late), ["(close 4001)"]);
    assert!(gateway.open(Credential::Token("t".into()), String::new()).await.is_err());
    gateway.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_service_ends_all_sessions() {
    let mut world = World::new();
    let (ann, _) = world.connects().await;
    assert!(world.gateway.is_linked());
    let World { gateway, service, .. } = world;
    drop(service);
    sleep(Duration::from_secs(3)).await;
    assert_eq!(hears(&ann)[1..], ["closing 4001", "(close 4001)"]);
    assert!(ann.is_closed() && !gateway.is_linked());
    gateway.stop().await;
}

#[tokio::test(start_paused = true)]
async fn requests_are_carried_to_the_service_and_not_waited_for_for_ever() {
    let mut world = World::new();
    let gateway = Arc::clone(&world.gateway);
    let request = || ApiRequest { method: "GET".into(), target: "/api/v1/me".into(), ..ApiRequest::default() };
    let answering = async {
        let gateway_frame::Frame::Api(request) = world.service_hears().await else { panic!("not a request") };
        assert_eq!(request.target, "/api/v1/me");
        let response = ApiResponse { request: request.request, status: 200, ..ApiResponse::default() };
        world.service_says(service_frame::Frame::Api(response)).await;
    };
    let (response, ()) = tokio::join!(gateway.call(request()), answering);
    assert_eq!(response.unwrap().status, 200);
    let start = tokio::time::Instant::now();
    assert_eq!(gateway.call(request()).await.unwrap_err().code, "unavailable");
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn an_event_for_some_sessions_reaches_just_those() {
    let mut world = World::new();
    let (ann, session) = world.connects().await;
    let (bob, _) = world.connects().await;
    let frame = ServerFrame { id: None, event: Some(Event::Activity(v1::Activity { seq: 3, ..v1::Activity::default() })) };
    let event = frames::SessionEvent { sessions: vec![session, 4_711], frame: Some(frame) };
    world.service_says(service_frame::Frame::SessionEvent(event)).await;
    a_moment().await;
    assert_eq!(hears(&ann)[1..], ["activity 3"]);
    assert_eq!(hears(&bob)[1..], [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn commands_keep_their_order_when_the_link_is_full() {
    let mut world = World::new();
    let (ann, _) = world.connects().await;
    let mut answered = 0;
    for round in 0..300_u64 {
        for number in 0..50 {
            ann.says(&format!(r#"{{"event":"read","id":{},"data":{{"room":"general","seq":1}}}}"#, round * 50 + number));
        }
        for _ in 0..50 {
            let command = world.hears_command().await;
            let frame = command.frame.clone().unwrap();
            assert_eq!(frame.id, Some(answered));
            assert!(matches!(frame.command, Some(client_frame::Command::Read(_))));
            answered += 1;
            world.answers(&command, ack::Data::Empty(v1::Empty {}), None).await;
        }
    }
}
