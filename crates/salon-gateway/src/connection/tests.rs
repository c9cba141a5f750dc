//! A connection and its socket, without the tasks.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::config::GatewayConfig;
use crate::testing::{Wire, briefly, shared};
use salon_proto::v1::{self, Welcome, ack};

struct World {
    shared: Arc<Shared>,
    connection: Connection,
    wire: Wire,
    input: input::Input,
}

fn opened() -> SessionOpened {
    SessionOpened { session: 0, welcome: Some(Welcome::default()), expires_at_ms: None, user: "u_ann".into() }
}

impl World {
    fn new() -> Self {
        let config = GatewayConfig::default();
        let input = input::Input::new(config.limits.frame_bytes_max, &Bytes::new());
        let ((shared, _), wire) = (shared(config), Wire::open());
        let cx = shared.context(shared.timeline.now());
        let connection = Connection::open(Dialect::NativeJson, Box::new(wire.clone()), opened(), cx);
        Self { shared, connection, wire, input }
    }

    /// The task runs until it has nothing to do. Gives the number of commands that it has for the service.
    fn runs(&mut self) -> usize {
        let mut commands = 0;
        for _ in 0..100 {
            self.connection.wake_up(&self.shared);
            commands += self.connection.read(&mut self.input, &self.shared).len();
        }
        commands
    }

    fn answers(&self, serial: u64, content_bytes: usize) -> bool {
        let message = v1::Message { content: "x".repeat(content_bytes), ..v1::Message::default() };
        let entry = v1::Entry { seq: 1, body: Some(v1::entry::Body::Message(message)), ..v1::Entry::default() };
        let page = v1::HistoryPage { messages: vec![entry], ..v1::HistoryPage::default() };
        let frame = salon_proto::json::acknowledge(1, ack::Data::History(page));
        self.connection.reply(serial, Some(&frame), &self.shared)
    }

    fn hears(&self) -> Vec<String> {
        briefly(&self.wire.heard())
    }
}

#[test]
fn a_connection_that_only_listens_is_small() {
    let decoder = size_of::<input::Input>();
    let task = size_of_val(&run(Arc::new(World::new().connection), World::new().shared, &Bytes::new()));
    let connection = size_of::<Connection>();
    // DESIGN §7: 2.5 KB in all, of which the kernel's and the runtime's share is not ours to choose.
    assert!(decoder <= 64 && task <= 320 && connection <= 384, "{decoder} {task} {connection}");
}

#[test]
fn commands_beyond_the_limit_stay_unread_until_others_are_answered() {
    let mut world = World::new();
    for _ in 0..200 {
        world.wire.says(r#"{"event":"ping","id":1}"#);
    }
    assert_eq!(world.runs(), 64);
    assert!(world.input.has_unread());
    for serial in 1..=10 {
        assert!(world.answers(serial, 1));
    }
    assert_eq!(world.runs(), 10);
    for serial in 11..=200 {
        world.answers(serial, 1);
        world.runs();
    }
    assert!(!world.input.has_unread());
    assert_eq!(world.hears().iter().filter(|heard| *heard == "ack#1").count(), 200);
}

#[test]
fn a_client_that_does_not_read_its_answers_is_not_read_and_then_let_go() {
    let mut world = World::new();
    for _ in 0..20 {
        world.wire.says(r#"{"event":"ping","id":1}"#);
    }
    assert_eq!(world.runs(), 20);
    world.wire.takes(100);
    for serial in 1..=4 {
        assert!(world.answers(serial, 20_000));
    }
    world.wire.says(r#"{"event":"ping","id":1}"#);
    assert_eq!(world.runs(), 0);
    assert!(world.wire.unread_bytes() > 0);
    for serial in 5..=14 {
        world.answers(serial, 20_000);
    }
    // Full: the answers are dropped, the frame that was begun is finished, then comes the close frame.
    world.wire.takes(usize::MAX);
    world.runs();
    assert_eq!(world.hears(), ["welcome", "ack#1", "(close 4004)"]);
}

#[test]
fn what_was_cut_goes_on_at_the_same_byte_and_tells_the_hub() {
    for room in 1..120 {
        let mut world = World::new();
        world.wire.takes(room);
        world.wire.says(r#"{"event":"ping","id":1}"#);
        world.runs();
        world.answers(1, 10);
        let frame = ws::encode_text(br#"{"event":"typing","data":{}}"#);
        while world.connection.event(&frame, Moment::default()) {}
        assert_eq!(
            world.connection.offer(&[IoSlice::new(&frame)], frame.len(), |_| Bytes::new(), Moment::default()),
            Taken::Nothing
        );
        world.runs();
        assert!(world.shared.inbox.take().writable.is_empty(), "{room}");
        world.wire.takes(usize::MAX);
        world.runs();
        assert_eq!(world.shared.inbox.take().writable, [world.connection.id], "{room}");
        let heard = world.hears();
        assert_eq!(heard[..2], ["welcome", "ack#1"], "{room}");
        assert!(heard[2..].iter().all(|heard| heard == "typing"), "{room}");
    }
}

#[test]
fn a_broken_frame_a_large_one_and_a_close_are_answered_as_the_standard_says() {
    let too_large = [0x81, 0xFF, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0];
    for (input, code) in [(&[0xF1, 0x80][..], "(close 1002)"), (&too_large, "(close 1009)")] {
        let mut world = World::new();
        world.wire.input(input);
        world.runs();
        assert_eq!(world.hears(), ["welcome", code]);
        assert!(!world.connection.wake_up(&world.shared));
        world.wire.hang_up();
        world.runs();
        assert!(world.connection.wake_up(&world.shared));
    }
    let mut world = World::new();
    world.wire.input(&crate::testing::masked(0x89, b"are you there"));
    world.wire.input(&crate::testing::masked(0x88, &4_242_u16.to_be_bytes()));
    world.wire.says(r#"{"event":"ping","id":1}"#);
    assert_eq!(world.runs(), 0);
    assert_eq!(world.hears(), ["welcome", "(pong)", "(close 4242)"]);
    assert!(world.connection.wake_up(&world.shared));
}

#[test]
fn a_session_that_the_service_ends_is_sent_nothing_more() {
    let end = || EndSession { session: 0, code: 4502, reason: "logged out".into(), reconnect_after_ms: None };
    let mut world = World::new();
    world.connection.end_session(end(), &world.shared);
    assert_eq!(world.hears(), ["welcome", "(close 4502)"]);
    assert!(!world.connection.event(&ws::encode_text(b"{}"), Moment::default()));

    let mut blocked = World::new();
    blocked.wire.says(r#"{"event":"ping","id":1}"#);
    blocked.runs();
    blocked.wire.takes(10);
    blocked.answers(1, 1_000);
    let sent_bytes = blocked.wire.sent_bytes();
    blocked.connection.end_session(end(), &blocked.shared);
    assert!(blocked.connection.wake_up(&blocked.shared));
    blocked.wire.takes(usize::MAX);
    blocked.runs();
    assert_eq!(blocked.wire.sent_bytes(), sent_bytes);
    world.runs();
}

#[test]
fn deadlines_are_known_to_the_wheel() {
    let mut world = World::new();
    world.wire.says(r#"{"event":"ping","id":1}"#);
    world.runs();
    let armed = world.connection.state.lock().armed;
    assert!(armed <= world.shared.timeline.now().after(Duration::from_secs(10)));
}
