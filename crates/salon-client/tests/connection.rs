//! The client against a scripted server over in-memory streams, in virtual time.

#![expect(clippy::unwrap_used, clippy::panic, reason = "this is a test: a failure is a panic")]

use std::io;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use http::Uri;
use salon_client::{Client, ClientConfig, ConnectionState, Connector, Credential, Error, Event, Events, StopReason};
use salon_proto::json;
use salon_proto::v1::{self, Ack, ServerFrame, ack, client_frame::Command, server_frame::Event as Sent};
use tokio::io::DuplexStream;
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Bytes, Message};

/// Bytes that fit between client and server: small, so that back-pressure is felt soon.
const STREAM_BYTES: usize = 4 * 1024;
const SOON: Duration = Duration::from_secs(5);

struct Memory(mpsc::UnboundedSender<DuplexStream>);

impl Connector for Memory {
    type Stream = DuplexStream;

    async fn connect(&self, _: &Uri) -> io::Result<DuplexStream> {
        let (ours, theirs) = tokio::io::duplex(STREAM_BYTES);
        self.0.send(theirs).map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(ours)
    }

    fn skips_handshake(&self) -> bool {
        true
    }
}

/// Where the client knocks.
struct Server(Mutex<mpsc::UnboundedReceiver<DuplexStream>>);

struct Peer {
    socket: WebSocketStream<DuplexStream>,
}

impl Server {
    async fn accept(&self) -> Peer {
        let stream = timeout(Duration::from_secs(120), self.0.lock().await.recv()).await.unwrap().unwrap();
        let mut peer = Peer { socket: WebSocketStream::from_raw_socket(stream, Role::Server, None).await };
        let (_, command) = peer.hears().await;
        assert!(matches!(command, Command::Hello(v1::Hello { token }) if token == "secret"));
        peer
    }

    async fn welcome(&self) -> Peer {
        let mut peer = self.accept().await;
        let user = v1::Person { id: "u_me".into(), ..Default::default() };
        peer.says(None, Sent::Welcome(v1::Welcome { user: Some(user), heartbeat_ms: 25_000, ..Default::default() })).await;
        peer
    }
}

impl Peer {
    async fn says(&mut self, id: Option<i64>, event: Sent) {
        let text = json::print_server(&ServerFrame { id, event: Some(event) }).unwrap();
        self.socket.send(Message::text(text)).await.unwrap();
    }

    async fn hears(&mut self) -> (i64, Command) {
        loop {
            match timeout(SOON, self.socket.next()).await.unwrap().unwrap().unwrap() {
                Message::Text(text) => {
                    let frame = json::parse_client(&text).unwrap();
                    return (frame.id.unwrap_or(0), frame.command.unwrap());
                }
                Message::Ping(_) | Message::Pong(_) => {}
                other @ (Message::Binary(_) | Message::Close(_) | Message::Frame(_)) => panic!("{other:?}"),
            }
        }
    }

    async fn accepts_join(&mut self, head: u64) -> v1::Join {
        let (id, command) = self.hears().await;
        let Command::Join(join) = command else { panic!("{command:?}") };
        let ack = v1::JoinAck { room: join.room.clone(), epoch: "e".into(), seq: head, ..Default::default() };
        self.says(Some(id), Sent::Ack(Ack { data: Some(ack::Data::Join(ack)) })).await;
        join
    }

    async fn sends_entry(&mut self, seq: u64) {
        let body = v1::Message { content: "x".repeat(100), ..Default::default() };
        let body = Some(v1::entry::Body::Message(body));
        let entry = v1::Entry { room: "r".into(), epoch: "e".into(), seq, body, ..Default::default() };
        self.says(None, Sent::Entry(entry)).await;
    }

    async fn closes(mut self, code: u16) {
        self.socket.send(Message::Close(Some(CloseFrame { code: code.into(), reason: "bye".into() }))).await.unwrap();
        while let Some(Ok(_)) = self.socket.next().await {}
    }
}

fn start(events_max: usize) -> (Client, Events, Server) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let config = ClientConfig { events_max, ..ClientConfig::new("ws://salon.test/ws", Credential::Token("secret".into())) };
    let (client, events) = Client::start(config, Memory(sender));
    (client, events, Server(Mutex::new(receiver)))
}

async fn next_seq(events: &mut Events) -> u64 {
    loop {
        let event = timeout(SOON, events.next()).await.unwrap().unwrap();
        if let Event::Gap { missing, .. } = &event {
            panic!("{missing:?}");
        }
        if let Event::Entry(entry) = event {
            return entry.seq;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn it_resumes_where_it_was_cut() {
    let (client, mut events, server) = start(64);
    let mut peer = server.welcome().await;
    let (joined, _) = tokio::join!(client.join("r"), peer.accepts_join(1));
    assert_eq!(joined.unwrap().seq, 1);
    peer.sends_entry(1).await;
    assert_eq!(next_seq(&mut events).await, 1);
    drop(peer);

    let mut peer = server.welcome().await;
    let join = peer.accepts_join(3).await;
    assert_eq!(join.since, Some(v1::Position { epoch: "e".into(), seq: 1 }));
    for seq in [1, 2, 3] {
        peer.sends_entry(seq).await;
    }
    assert_eq!([next_seq(&mut events).await, next_seq(&mut events).await], [2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_message_without_an_answer_is_sent_again() {
    let (client, _events, server) = start(64);
    let mut peer = server.welcome().await;
    let talk = async {
        let (_, first) = peer.hears().await;
        drop(peer);
        let mut peer = server.welcome().await;
        let (id, second) = peer.hears().await;
        assert_eq!(first, second);
        let ack = v1::MessageAck { room: "r".into(), seq: 7, duplicate: true, ..Default::default() };
        peer.says(Some(id), Sent::Ack(Ack { data: Some(ack::Data::Message(ack)) })).await;
    };
    let (said, ()) = tokio::join!(client.say("r", "hi"), talk);
    assert_eq!(said.unwrap().seq, 7);
}

#[tokio::test(start_paused = true)]
async fn an_application_that_does_not_listen_stops_the_server_and_stays_connected() {
    let (client, mut events, server) = start(4);
    let mut peer = server.welcome().await;
    let (joined, _) = tokio::join!(client.join("r"), peer.accepts_join(0));
    joined.unwrap();
    let mut sent = 0;
    while timeout(Duration::from_secs(1), peer.sends_entry(sent + 1)).await.is_ok() {
        sent += 1;
        assert!(sent < 1000, "nothing held the server back");
    }
    // Half an hour of silence, which unasked pongs fill.
    for _ in 0..60 {
        tokio::time::sleep(Duration::from_secs(30)).await;
        let alive = timeout(Duration::from_millis(1), peer.socket.next()).await;
        assert!(matches!(alive, Ok(Some(Ok(Message::Pong(_))))), "{alive:?}");
    }
    // The frame that did not fit was cut off by the timeout above; the library finishes it with the next flush.
    let reader = async {
        for seq in 1..=sent + 2 {
            assert_eq!(next_seq(&mut events).await, seq);
        }
    };
    let (_, ()) = tokio::join!(peer.sends_entry(sent + 2), reader);
}

#[tokio::test(start_paused = true)]
async fn it_waits_as_long_as_a_draining_server_asks() {
    let (_client, _events, server) = start(64);
    let mut peer = server.welcome().await;
    peer.says(None, Sent::Closing(v1::Closing { code: 4001, reconnect_after_ms: Some(7_000) })).await;
    let closed = Instant::now();
    peer.closes(4001).await;
    drop(server.accept().await);
    assert!(closed.elapsed() >= Duration::from_secs(7), "{:?}", closed.elapsed());
    assert!(closed.elapsed() < Duration::from_secs(9), "{:?}", closed.elapsed());
}

#[tokio::test(start_paused = true)]
async fn it_does_not_come_back_where_it_is_not_wanted() {
    let (client, mut events, server) = start(64);
    let peer = server.welcome().await;
    let (waiting, ()) = tokio::join!(client.ping(), peer.closes(4502));
    let reason = StopReason::Refused { code: 4502, reason: "bye".into() };
    assert_eq!(waiting, Err(Error::Stopped(reason.clone())));
    assert_eq!(client.ping().await, Err(Error::Stopped(reason.clone())));
    let mut last = None;
    while let Some(event) = events.next().await {
        last = Some(event);
    }
    assert_eq!(last, Some(Event::Connection(ConnectionState::Stopped(reason))));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_any_more_is_left() {
    let (_client, _events, server) = start(64);
    let mut peer = server.welcome().await;
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_secs(25)).await;
        peer.socket.send(Message::Ping(Bytes::new())).await.unwrap();
    }
    let silent = Instant::now();
    drop(server.accept().await);
    assert!((62..70).contains(&silent.elapsed().as_secs()), "{:?}", silent.elapsed());
}

#[tokio::test(start_paused = true)]
async fn it_says_goodbye_when_it_is_closed_and_when_it_is_dropped() {
    for explicitly in [true, false] {
        let (client, events, server) = start(64);
        let mut peer = server.welcome().await;
        client.ready().await.unwrap();
        let goodbye = async {
            match timeout(SOON, peer.socket.next()).await.unwrap() {
                Some(Ok(Message::Close(Some(frame)))) => assert_eq!(u16::from(frame.code), 1000),
                other => panic!("{other:?}"),
            }
            // The library answers while it is read.
            while let Some(Ok(_)) = peer.socket.next().await {}
        };
        let close = async {
            if explicitly {
                client.close().await;
            }
            drop(client);
        };
        tokio::join!(goodbye, close);
        drop(events);
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_spread_out_while_there_is_no_server() {
    let (sender, receiver) = mpsc::unbounded_channel();
    drop(receiver);
    let config = ClientConfig::new("ws://salon.test/ws", Credential::Token("secret".into()));
    let (client, mut events) = Client::start(config, Memory(sender));
    let start = Instant::now();
    let mut waits = 0;
    while start.elapsed() < Duration::from_secs(600) {
        if let Some(Event::Connection(ConnectionState::Waiting { .. })) = events.next().await {
            waits += 1;
        }
    }
    // On average half of 30 s in the long run: about 45 attempts; a fixed half second would make 1,200.
    assert!((20..120).contains(&waits), "{waits}");
    client.close().await;
}
