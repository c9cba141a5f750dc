//! Whole conversations on a virtual clock, without a socket.

use super::*;
use crate::{Missing, SystemClock};
use salon_proto::v1::{JoinAck, Position, entry::Body, server_frame::Event as Sent};
use tokio::sync::oneshot;

const ME: &str = "u_me";

struct Conversation {
    machine: Machine,
    now: Instant,
}

type Answer = oneshot::Receiver<Result<Ack, Error>>;

impl Conversation {
    fn new() -> Self {
        let machine = Machine::new(Duration::from_secs(60), Arc::new(SystemClock), None);
        Self { machine, now: Instant::now() }
    }

    fn welcomed() -> Self {
        let mut it = Self::new();
        it.welcome();
        it
    }

    fn welcome(&mut self) {
        self.machine.connected(None);
        let limits = v1::Limits { commands_in_flight: 2, frame_bytes: 1000, ..Default::default() };
        let user = v1::Person { id: ME.into(), ..Default::default() };
        self.hears(Sent::Welcome(Welcome { user: Some(user), limits: Some(limits), ..Default::default() }), None);
        assert!(matches!(self.event(), Some(Event::Connection(ConnectionState::Open(_)))));
    }

    fn hears(&mut self, event: Sent, id: Option<i64>) {
        let text = json::print_server(&ServerFrame { id, event: Some(event) }).unwrap();
        self.machine.received(self.now, &text).unwrap();
    }

    fn asks(&mut self, command: Command) -> Answer {
        let (reply, answer) = oneshot::channel();
        self.machine.request(self.now, command, reply);
        answer
    }

    fn says(&mut self, content: &str) -> Answer {
        let client_id = Some(format!("c-{content}"));
        self.asks(Command::Message(v1::SendMessage {
            room: "r".into(),
            content: content.into(),
            client_id,
            ..Default::default()
        }))
    }

    fn passes(&mut self, time: Duration) {
        self.now += time;
        self.machine.tick(self.now);
    }

    /// What goes out: the command's name and id, and the frame.
    fn sent(&mut self) -> Vec<(String, i64, ClientFrame)> {
        let mut sent = Vec::new();
        while let Some(text) = self.machine.next_frame() {
            let frame = json::parse_client(&text).unwrap();
            let name = json::command_name(frame.command.as_ref().unwrap()).to_owned();
            sent.push((name, frame.id.unwrap_or(0), frame));
        }
        sent
    }

    fn sent_names(&mut self) -> Vec<String> {
        self.sent().into_iter().map(|(name, _, _)| name).collect()
    }

    fn event(&mut self) -> Option<Event> {
        self.machine.next_event()
    }

    fn joins(&mut self, room: &str, seq: u64) {
        let mut answer = self.asks(Command::Join(v1::Join { room: room.into(), ..Default::default() }));
        let id = self.sent().last().unwrap().1;
        self.acks_join(id, room, seq, false);
        assert!(answer.try_recv().unwrap().is_ok());
        assert!(matches!(self.event(), Some(Event::Joined { resumed: false, .. })));
    }

    fn acks_join(&mut self, id: i64, room: &str, seq: u64, gap: bool) {
        let ack = JoinAck { room: room.into(), epoch: "e".into(), seq, gap, ..Default::default() };
        self.hears(Sent::Ack(Ack { data: Some(ack::Data::Join(ack)) }), Some(id));
    }

    fn acks_message(&mut self, id: i64) {
        let ack = v1::MessageAck { room: "r".into(), seq: 1, ..Default::default() };
        self.hears(Sent::Ack(Ack { data: Some(ack::Data::Message(ack)) }), Some(id));
    }

    fn entry(&mut self, room: &str, seq: u64, body: Body) {
        let entry = v1::Entry { room: room.into(), epoch: "e".into(), seq, body: Some(body), ..Default::default() };
        self.hears(Sent::Entry(entry), None);
    }

    fn message(&mut self, room: &str, seq: u64) {
        self.entry(room, seq, Body::Message(v1::Message::default()));
    }

    fn removed(&mut self, room: &str, seq: u64) {
        let member = v1::MemberChanged { target: ME.into(), change: "removed".into(), ..Default::default() };
        self.entry(room, seq, Body::Member(member));
    }

    fn error(&mut self, id: i64, code: &str, retryable: bool) {
        self.hears(Sent::Error(v1::Error { code: code.into(), retryable, ..Default::default() }), Some(id));
    }

    fn reconnects(&mut self) {
        self.machine.disconnected(None);
        self.machine.events.clear();
        self.welcome();
    }

    fn hears_seq(&mut self) -> Option<u64> {
        let event = self.event()?;
        let Event::Entry(entry) = event else { panic!("{event:?}") };
        Some(entry.seq)
    }
}

#[test]
fn commands_wait_for_the_welcome_and_for_the_servers_limit() {
    let mut it = Conversation::new();
    let _answers = [it.says("1"), it.says("2"), it.says("3")];
    assert_eq!(it.sent().len(), 0);
    it.welcome();
    let sent = it.sent();
    assert_eq!(sent.len(), 2, "two may be in flight");
    it.acks_message(sent[0].1);
    assert_eq!(it.sent().len(), 1);
}

#[test]
fn unanswered_messages_are_repeated_in_order_under_the_same_client_id() {
    let mut it = Conversation::welcomed();
    let mut first = it.says("1");
    let _second = it.says("2");
    let before = it.sent();
    it.reconnects();
    let after = it.sent();
    assert_eq!(before, after);
    it.acks_message(after[0].1);
    assert!(first.try_recv().unwrap().is_ok());
}

#[test]
fn what_cannot_be_repeated_fails_honestly() {
    let mut it = Conversation::welcomed();
    let mut part = it.asks(Command::Part(v1::Part { room: "r".into() }));
    assert_eq!(it.sent_names(), ["part"]);
    it.reconnects();
    assert_eq!(part.try_recv().unwrap(), Err(Error::Interrupted));
    assert_eq!(it.sent_names(), [""; 0]);
}

#[test]
fn rooms_are_continued_behind_the_last_entry_and_ones_own_log_first() {
    let mut it = Conversation::welcomed();
    it.joins("aa", 10);
    it.joins("@me", 3);
    it.message("aa", 11);
    assert_eq!(it.hears_seq(), Some(11));
    it.hears(Sent::CaughtUp(v1::CaughtUp { room: "@me".into(), seq: 3 }), None);
    assert!(matches!(it.event(), Some(Event::CaughtUp(_))));
    it.reconnects();
    let joins: Vec<v1::Join> = it
        .sent()
        .into_iter()
        .map(|(_, _, frame)| match frame.command {
            Some(Command::Join(join)) => join,
            other => panic!("{other:?}"),
        })
        .collect();
    let since = |seq| Some(Position { epoch: "e".into(), seq });
    assert_eq!(joins[0], v1::Join { room: "@me".into(), since: since(3), last: None });
    assert_eq!(joins[1], v1::Join { room: "aa".into(), since: since(11), last: None });
}

#[test]
fn a_room_that_was_joined_but_sent_nothing_yet_is_continued_from_its_beginning() {
    let mut it = Conversation::welcomed();
    it.joins("r", 100);
    it.reconnects();
    let Some(Command::Join(join)) = it.sent().remove(0).2.command else { panic!("no join") };
    assert_eq!(join.since.map(|since| since.seq), Some(50), "the default of fifty messages lies behind this");
}

#[test]
fn repeated_entries_are_dropped_and_missing_ones_announced() {
    let mut it = Conversation::welcomed();
    it.joins("r", 10);
    for seq in [9, 10, 10, 9, 11] {
        it.message("r", seq);
    }
    assert_eq!([it.hears_seq(), it.hears_seq(), it.hears_seq()], [Some(9), Some(10), Some(11)]);
    it.message("r", 14);
    let missing = Missing::Hole { first: 12, last: 13 };
    assert_eq!(it.event(), Some(Event::Gap { room: "r".into(), missing }));
    assert_eq!(it.hears_seq(), Some(14));
}

#[test]
fn a_resumption_that_waits_gives_way_to_what_the_application_does() {
    let (join, leave) = (v1::Join { room: "r".into(), ..Default::default() }, v1::Leave { room: "r".into() });
    for command in [Command::Join(join), Command::Leave(leave)] {
        let mut it = Conversation::welcomed();
        it.joins("r", 1);
        it.reconnects();
        let resumption = it.sent()[0].1;
        it.error(resumption, "unavailable", true);
        let mut answer = it.asks(command.clone());
        let id = it.sent()[0].1;
        if let Command::Join(_) = command {
            it.acks_join(id, "r", 5, false);
        } else {
            it.hears(Sent::Ack(commands::left("r")), Some(id));
        }
        assert!(answer.try_recv().unwrap().is_ok());
        it.removed("r", 6);
        it.passes(Duration::from_secs(10));
        assert_eq!(it.sent_names(), Vec::<String>::new());
    }
}

#[test]
fn a_refused_resumption_is_a_gap() {
    let mut it = Conversation::welcomed();
    it.joins("r", 10);
    it.message("r", 10);
    assert_eq!(it.hears_seq(), Some(10));
    it.reconnects();
    let id = it.sent()[0].1;
    it.acks_join(id, "r", 20_000, true);
    let since = Position { epoch: "e".into(), seq: 10 };
    assert_eq!(it.event(), Some(Event::Gap { room: "r".into(), missing: Missing::Behind { since } }));
    assert!(matches!(it.event(), Some(Event::Joined { resumed: true, .. })));
    it.message("r", 19_951);
    assert_eq!(it.hears_seq(), Some(19_951), "the room begins anew, without a second complaint");
}

#[test]
fn a_removal_ends_the_room_but_an_old_one_does_not() {
    let mut it = Conversation::welcomed();
    it.joins("r", 10);
    it.removed("r", 9);
    it.message("r", 10);
    it.reconnects();
    assert_eq!(it.sent_names(), ["join"], "removed, but then invited again: still a room of ours");
    it.machine.disconnected(None);

    let mut it = Conversation::welcomed();
    it.joins("r", 10);
    it.removed("r", 11);
    it.reconnects();
    assert_eq!(it.sent_names(), [""; 0]);
}

#[test]
fn a_message_of_unknown_outcome_is_asked_again_and_a_refused_one_is_not() {
    let mut it = Conversation::welcomed();
    let mut answer = it.says("1");
    let id = it.sent()[0].1;
    it.error(id, "unavailable", true);
    assert_eq!(it.sent().len(), 0);
    it.passes(Duration::from_millis(300));
    assert_eq!(it.sent()[0].1, id);
    it.error(id, "forbidden", false);
    assert_eq!(answer.try_recv().unwrap().unwrap_err().code(), Some("forbidden"));
}

#[test]
fn an_answer_that_never_comes_is_waited_for_only_so_long() {
    let mut it = Conversation::welcomed();
    let mut answer = it.says("1");
    let id = it.sent()[0].1;
    it.passes(Duration::from_secs(59));
    it.reconnects();
    assert!(answer.try_recv().is_err());
    it.passes(Duration::from_secs(1));
    assert_eq!(answer.try_recv().unwrap(), Err(Error::TimedOut));
    it.acks_message(id);
    assert_eq!(it.event(), None, "a late answer disturbs nobody");
}

#[test]
fn a_leave_that_worked_at_the_first_try_is_no_error_at_the_second() {
    let mut it = Conversation::welcomed();
    it.joins("r", 1);
    let mut answer = it.asks(Command::Leave(v1::Leave { room: "r".into() }));
    it.sent();
    it.reconnects();
    let sent = it.sent();
    assert_eq!(sent.len(), 1, "a room that is being left is not joined again");
    it.error(sent[0].1, "invalid", false);
    assert!(answer.try_recv().unwrap().is_ok());
}

#[test]
fn a_room_that_is_gone_is_announced_and_forgotten() {
    let mut it = Conversation::welcomed();
    it.joins("r", 1);
    it.reconnects();
    let id = it.sent()[0].1;
    it.error(id, "not_found", false);
    assert!(matches!(it.event(), Some(Event::Lost { room, .. }) if room == "r"));
    it.reconnects();
    assert_eq!(it.sent().len(), 0);
}

#[test]
fn frames_that_the_server_would_not_take_are_not_sent() {
    let mut it = Conversation::welcomed();
    let mut answer = it.says(&"x".repeat(1000));
    assert_eq!(answer.try_recv().unwrap(), Err(Error::TooLarge { frame_bytes_max: 1000 }));
    let _next = it.says("small");
    assert_eq!(it.sent().len(), 1);
}

#[test]
fn presence_is_said_again_on_every_connection() {
    let mut it = Conversation::welcomed();
    let _answer = it.asks(Command::Presence(v1::SetPresence { status: "busy".into(), text: None }));
    let id = it.sent()[0].1;
    it.hears(Sent::Ack(Ack { data: Some(ack::Data::Empty(v1::Empty {})) }), Some(id));
    it.reconnects();
    assert_eq!(it.sent_names(), ["presence"]);
}

#[test]
fn a_credential_is_renewed_before_it_expires() {
    let mut it = Conversation::new();
    it.machine.connected(None);
    let expires_at = Some(SystemClock.now().plus_ms(600_000).to_string());
    it.hears(Sent::Welcome(Welcome { expires_at, ..Default::default() }), None);
    assert!(!it.machine.tick(it.now + Duration::from_secs(560)));
    assert!(it.machine.tick(it.now + Duration::from_secs(571)));
    assert!(!it.machine.tick(it.now + Duration::from_secs(572)), "once");
}

#[test]
fn what_a_newer_server_says_is_ignored_and_nonsense_is_not() {
    let mut it = Conversation::welcomed();
    assert!(it.machine.received(it.now, r#"{"event":"fireworks","data":{}}"#).is_ok());
    assert!(it.machine.received(it.now, r#"{"event":"newer","data":{"room":"r","epoch":"e","seq":5}}"#).is_ok());
    assert_eq!(it.hears_seq(), Some(5), "an entry of an unknown kind still moves the position");
    assert!(it.machine.received(it.now, "[]").is_err());
}
