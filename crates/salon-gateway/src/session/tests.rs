//! Whole conversations, on a clock that the test turns.

use std::time::Duration;

use super::*;
use crate::testing::{Heard, StoppedClock, briefly, decode};
use salon_proto::json::acknowledge;
use salon_proto::v1::{Empty, Welcome, ack};

const FLOWING: Flow = Flow { blocked_since: None, spoke: false };

struct Talk {
    session: Session,
    config: GatewayConfig,
    metrics: Metrics,
    now: Moment,
    to_service: Vec<gateway_frame::Frame>,
    heard: Vec<Heard>,
    close: Option<u16>,
}

fn seconds(seconds: u64) -> Moment {
    Moment::default().after(Duration::from_secs(seconds))
}

fn opened(expires_in_s: Option<i64>) -> SessionOpened {
    let expires_at_ms = expires_in_s.map(|s| StoppedClock::NOW.plus_ms(1_000 * s).0);
    SessionOpened { session: 7, welcome: Some(Welcome::default()), expires_at_ms, user: "u_ann".into() }
}

impl Talk {
    fn begin(make: impl FnOnce(Context<'_>, &mut Outputs) -> Session) -> Self {
        let (config, metrics, mut out) = (GatewayConfig::default(), Metrics::default(), Outputs::default());
        let cx = Context { config: &config, metrics: &metrics, now: Moment::default(), wall: StoppedClock::NOW };
        let session = make(cx, &mut out);
        let (now, to_service, heard) = (Moment::default(), Vec::new(), Vec::new());
        let mut talk = Self { session, config, metrics, now, to_service, heard, close: None };
        talk.note(out);
        talk
    }

    fn stranger() -> Self {
        Self::begin(|cx, _| Session::await_hello(7, Dialect::NativeJson, "192.0.2.1".into(), cx))
    }

    fn ann(expires_in_s: Option<i64>) -> Self {
        Self::begin(|cx, out| Session::open(Dialect::NativeJson, opened(expires_in_s), cx, out))
    }

    fn act<R>(&mut self, act: impl FnOnce(&mut Session, Context<'_>, &mut Outputs) -> R) -> R {
        let mut out = Outputs::default();
        let cx = Context { config: &self.config, metrics: &self.metrics, now: self.now, wall: StoppedClock::NOW };
        let result = act(&mut self.session, cx, &mut out);
        self.note(out);
        result
    }

    fn note(&mut self, out: Outputs) {
        self.to_service.extend(out.to_service);
        self.heard.extend(out.to_client.iter().flat_map(|frame| decode(frame)));
        self.close = self.close.or(out.close.map(|close| close.code));
    }

    fn says(&mut self, text: &str) {
        self.act(|session, cx, out| session.text(text, cx, out));
    }

    /// Time goes by in steps of the deadlines, as the wheel does it.
    fn waits(&mut self, until: Moment, flow: Flow) {
        while self.close.is_none() {
            let due = self.session.due(flow, &self.config).max(self.now);
            if due > until {
                break;
            }
            self.now = due;
            assert!(self.act(|session, cx, out| session.tick(flow, cx, out)));
        }
        self.now = until.max(self.now);
    }

    fn is_answered(&mut self, serial: u64, frame: Option<&ServerFrame>) -> bool {
        self.act(|session, cx, out| session.reply(serial, frame, cx, out))
    }

    fn hears(&mut self) -> Vec<String> {
        briefly(&std::mem::take(&mut self.heard))
    }

    /// What the service was told since it was last asked.
    fn service_hears(&mut self) -> Vec<String> {
        let told = |frame| match frame {
            gateway_frame::Frame::Open(open) => format!("open {:?} from {}", open.credential.unwrap(), open.peer),
            gateway_frame::Frame::Command(command) => {
                let name = json::command_name(command.frame.as_ref().unwrap().command.as_ref().unwrap());
                format!("{} {name}", command.serial)
            }
            gateway_frame::Frame::Close(_) | gateway_frame::Frame::ReadBlock(_) | gateway_frame::Frame::Api(_) => {
                panic!("a session does not send this")
            }
        };
        self.to_service.drain(..).map(told).collect()
    }
}

fn done(id: i64) -> ServerFrame {
    acknowledge(id, ack::Data::Empty(Empty {}))
}

#[test]
fn a_hello_opens_the_session_and_what_was_said_before_takes_effect_behind_it() {
    let mut talk = Talk::stranger();
    talk.says(r#"{"event":"join","id":1,"data":{"room":"general"}}"#);
    talk.says(r#"{"event":"fly","id":2}"#);
    talk.says(r#"{"event":"hello","id":3,"data":{"token":"secret"}}"#);
    assert_eq!(talk.service_hears(), [r#"open Token("secret") from 192.0.2.1"#]);
    assert!(!talk.session.listens(&talk.config));
    talk.act(|session, cx, out| session.opened(opened(None), cx, out));
    assert_eq!(talk.service_hears(), ["1 join"]);
    assert_eq!(talk.hears(), ["welcome#3", "error#2 unknown_event"]);
    assert!(talk.session.listens(&talk.config));
}

#[test]
fn who_does_not_say_hello_is_refused() {
    let mut silent = Talk::stranger();
    silent.waits(seconds(4), FLOWING);
    assert_eq!(silent.close, None);
    silent.waits(seconds(6), FLOWING);
    assert_eq!((silent.close, silent.now), (Some(code::BAD_CREDENTIALS), seconds(6)));

    let mut chatty = Talk::stranger();
    for _ in 0..COMMANDS_BEFORE_HELLO_MAX {
        chatty.says(r#"{"event":"ping"}"#);
        assert_eq!(chatty.close, None);
    }
    chatty.says(r#"{"event":"ping"}"#);
    assert_eq!(chatty.close, Some(code::BAD_CREDENTIALS));
}

#[test]
fn a_refused_hello_says_whether_to_come_back() {
    for (retryable, expected) in [(false, code::BAD_CREDENTIALS), (true, code::DRAINING)] {
        let mut talk = Talk::stranger();
        talk.says(r#"{"event":"hello","data":{"token":"secret"}}"#);
        let error = v1::Error { message: "no".into(), retryable, ..v1::Error::default() };
        talk.act(|session, _, out| session.refused(Some(error), out));
        assert_eq!(talk.close, Some(expected));
    }
    let mut unheard = Talk::stranger();
    unheard.says(r#"{"event":"hello","data":{"token":"secret"}}"#);
    unheard.waits(seconds(11), FLOWING);
    assert_eq!(unheard.close, Some(code::DRAINING));
}

#[test]
fn what_is_no_command_is_refused_and_what_is_no_frame_ends_the_connection() {
    let mut talk = Talk::ann(None);
    talk.says(r#"{"event":"fly","id":4}"#);
    talk.says(r#"{"event":"join","id":5,"data":{"room":7}}"#);
    assert_eq!(talk.hears(), ["welcome", "error#4 unknown_event", "error#5 invalid"]);
    assert_eq!((talk.close, talk.service_hears().len()), (None, 0));
    talk.says("[]");
    assert_eq!(talk.close, Some(code::BAD_FRAME));
    let mut binary = Talk::ann(None);
    binary.act(|session, _, out| session.binary(out));
    assert_eq!(binary.close, Some(code::BAD_FRAME));
}

#[test]
fn a_client_with_too_many_commands_under_way_is_not_read() {
    let mut talk = Talk::ann(None);
    for _ in 0..64 {
        assert!(talk.session.listens(&talk.config));
        talk.says(r#"{"event":"ping","id":1}"#);
    }
    assert!(!talk.session.listens(&talk.config));
    assert!(talk.is_answered(40, Some(&done(1))));
    assert!(talk.session.listens(&talk.config));
    assert_eq!(talk.hears(), ["welcome", "ack#1"]);
}

#[test]
fn a_command_without_an_answer_is_said_to_have_an_unknown_outcome_and_the_late_answer_is_dropped() {
    let mut talk = Talk::ann(None);
    talk.says(r#"{"event":"message","id":1,"data":{"room":"general","content":"hi"}}"#);
    talk.waits(seconds(5), FLOWING);
    talk.says(r#"{"event":"ping"}"#);
    talk.waits(seconds(10), FLOWING);
    assert_eq!(talk.hears(), ["welcome", "error#1 unavailable"]);
    assert!(!talk.is_answered(1, Some(&done(1))));
    assert!(talk.is_answered(2, None));
    assert_eq!(talk.hears(), [""; 0]);
}

#[test]
fn a_quiet_client_is_pinged_and_a_dead_one_is_let_go() {
    let mut talk = Talk::ann(None);
    talk.hears();
    talk.waits(seconds(25), FLOWING);
    assert_eq!(talk.hears(), ["(ping)", "ping"]);
    let now = talk.now;
    talk.session.alive(now);
    talk.waits(seconds(50), Flow { spoke: true, ..FLOWING });
    assert_eq!(talk.hears(), ["(ping)"]);
    talk.waits(seconds(74), FLOWING);
    assert_eq!(talk.close, None);
    talk.waits(seconds(75), FLOWING);
    assert_eq!(talk.close, Some(code::NO_LIFE));
}

#[test]
fn a_client_that_takes_nothing_is_given_two_minutes() {
    let mut talk = Talk::ann(None);
    talk.hears();
    let blocked = Flow { blocked_since: Some(seconds(10)), spoke: false };
    talk.waits(seconds(129), blocked);
    assert_eq!((talk.close, talk.hears().len()), (None, 0));
    talk.waits(seconds(130), blocked);
    assert_eq!(talk.close, Some(code::TOO_SLOW));
}

#[test]
fn a_token_that_is_not_renewed_ends_the_connection_after_some_grace() {
    let mut talk = Talk::ann(Some(60));
    let lively = |talk: &mut Talk, until| {
        while talk.now < until && talk.close.is_none() {
            let now = talk.now;
            talk.session.alive(now);
            talk.waits(now.after(Duration::from_secs(5)).min(until), FLOWING);
        }
    };
    lively(&mut talk, seconds(30));
    // Renewed for 60 s from a day time that stands still: 60 s from now on.
    talk.says(r#"{"event":"hello","id":9,"data":{"token":"new"}}"#);
    assert_eq!(talk.service_hears(), ["1 hello"]);
    let renewed = Renewed { expires_at_ms: opened(Some(60)).expires_at_ms };
    talk.act(|session, cx, _| session.renewed(renewed, cx));
    assert!(talk.is_answered(1, Some(&ServerFrame { id: Some(9), event: None })));
    lively(&mut talk, seconds(114));
    assert_eq!(talk.close, None);
    lively(&mut talk, seconds(115));
    assert_eq!(talk.close, Some(code::EXPIRED));
}

#[test]
fn a_draining_gateway_answers_what_was_begun() {
    let mut talk = Talk::ann(None);
    talk.says(r#"{"event":"ping","id":1}"#);
    talk.act(|session, _, out| session.drain(1_500, seconds(5), out));
    assert!(!talk.session.listens(&talk.config));
    assert_eq!(talk.close, None);
    assert!(talk.is_answered(1, Some(&done(1))));
    assert_eq!(talk.hears(), ["welcome", "closing 4001", "ack#1"]);
    assert_eq!(talk.close, Some(code::DRAINING));

    let mut stuck = Talk::ann(None);
    stuck.says(r#"{"event":"ping","id":1}"#);
    stuck.act(|session, _, out| session.drain(1_500, seconds(5), out));
    stuck.waits(seconds(5), FLOWING);
    assert_eq!(stuck.close, Some(code::DRAINING));

    let mut idle = Talk::ann(None);
    idle.act(|session, _, out| session.drain(1_500, seconds(5), out));
    assert_eq!((idle.hears().last().map(String::as_str), idle.close), (Some("closing 4001"), Some(code::DRAINING)));
}

#[test]
fn a_close_handshake_is_waited_for_only_so_long() {
    let mut talk = Talk::ann(None);
    talk.act(|session, cx, _| session.close(cx));
    let due = talk.session.due(FLOWING, &talk.config);
    assert_eq!(due, seconds(2));
    talk.says(r#"{"event":"ping","id":1}"#);
    assert_eq!(talk.service_hears().len(), 0);
    talk.now = due;
    assert!(!talk.act(|session, cx, out| session.tick(FLOWING, cx, out)));
}
