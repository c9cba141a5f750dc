//! The gateway over real sockets: everybody gets everything, also who reads late, and a stalled reader costs little.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use salon_core::Timestamp;
use salon_core::ports::{Clock, Randomness};
use salon_gateway::http::{Sessions, Start};
use salon_gateway::socket::TcpSocket;
use salon_gateway::{Gateway, GatewayConfig};
use salon_proto::json;
use salon_proto::link::frames::{Attach, Block, LogEntry, Reply, SessionOpened};
use salon_proto::link::{ServiceEnd, gateway_frame, in_process, reply, service_frame};
use salon_proto::v1::{self, Entry, Welcome, ack, entry::Body};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Message, protocol::Role};

const PEOPLE: usize = 40;
const MESSAGES: u64 = 3_000;

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp(0)
    }
}

impl Randomness for Fixed {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

fn entry(seq: u64) -> Entry {
    let body = Body::Message(v1::Message { content: format!("{seq} {}", "x".repeat(400)), ..v1::Message::default() });
    Entry { epoch: "e".into(), seq, body: Some(body), ..Entry::default() }
}

/// A service with one room in which somebody talks without pause, once everybody is there.
async fn serve(service: ServiceEnd, reads: Arc<AtomicU64>) {
    let ServiceEnd { to_gateway, mut from_gateway } = service;
    let (mut here, mut head) = (0, 0);
    loop {
        let everybody = here == PEOPLE && head < MESSAGES;
        let frame = tokio::select! {
            biased;
            frame = from_gateway.recv() => frame,
            () = std::future::ready(()), if everybody => {
                head += 1;
                let entry = LogEntry { log: "general".into(), entry: Some(entry(head)) };
                to_gateway.send(service_frame::Frame::Entry(entry)).await.unwrap();
                continue;
            }
        };
        let answer = match frame {
            Some(gateway_frame::Frame::Open(open)) => service_frame::Frame::Opened(SessionOpened {
                session: open.session,
                welcome: Some(Welcome::default()),
                expires_at_ms: None,
                user: "u_ann".into(),
            }),
            Some(gateway_frame::Frame::Command(command)) => {
                here += 1;
                let (log, epoch) = ("general".to_owned(), "e".to_owned());
                let attach = Attach { room: log.clone(), log, epoch, cursor: head, caught_up_at: head };
                service_frame::Frame::Reply(Reply {
                    session: command.session,
                    serial: command.serial,
                    frame: Some(json::acknowledge(1, ack::Data::Join(v1::JoinAck::default()))),
                    effect: Some(reply::Effect::Attach(attach)),
                })
            }
            Some(gateway_frame::Frame::ReadBlock(read)) => {
                reads.fetch_add(1, Ordering::Relaxed);
                let entries = (read.after + 1..=read.through.min(head)).map(entry).collect();
                let (request, log, epoch) = (read.request, read.log, "e".to_owned());
                service_frame::Frame::Block(Block { request, log, epoch, entries, head, unavailable: false })
            }
            Some(gateway_frame::Frame::Close(_) | gateway_frame::Frame::Api(_)) => continue,
            None => return,
        };
        to_gateway.send(answer).await.unwrap();
    }
}

/// Joins, waits for `go`, and reads everything, in order.
async fn listen(stream: TcpStream, mut go: watch::Receiver<bool>) {
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
    socket.send(Message::text(r#"{"event":"hello","data":{"token":"secret"}}"#)).await.unwrap();
    socket.send(Message::text(r#"{"event":"join","id":1,"data":{"room":"general"}}"#)).await.unwrap();
    go.wait_for(|go| *go).await.unwrap();
    let mut next = 1;
    while next <= MESSAGES {
        let Message::Text(text) = socket.next().await.unwrap().unwrap() else { continue };
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        if value["event"] == "message" {
            assert_eq!(value["data"]["seq"], next);
            next += 1;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_gets_everything_also_who_reads_late() {
    let (link, service) = in_process();
    let gateway = Gateway::start(GatewayConfig::default(), link, Arc::new(Fixed), Arc::new(Fixed));
    let reads = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    tasks.spawn(serve(service, Arc::clone(&reads)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (prompt, late) = (watch::channel(true), watch::channel(false));
    let (mut readers, mut late_readers) = (JoinSet::new(), JoinSet::new());
    for person in 0..PEOPLE {
        let (client, accepted) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        let socket = TcpSocket::new(accepted.unwrap().0, ()).unwrap();
        gateway.accept(Box::new(socket), Bytes::new(), Start::AwaitHello { peer: String::new() });
        let readers = if person % 8 == 0 { &mut late_readers } else { &mut readers };
        let go = if person % 8 == 0 { &late.1 } else { &prompt.1 };
        readers.spawn(listen(client.unwrap(), go.clone()));
    }
    let patience = Duration::from_secs(20);
    let all = async { while readers.join_next().await.transpose().unwrap().is_some() {} };
    let served = tokio::time::timeout(patience, all).await;
    assert!(served.is_ok(), "the prompt are not served: {}", gateway.metrics_text());
    late.0.send(true).unwrap();
    let all = async { while late_readers.join_next().await.transpose().unwrap().is_some() {} };
    let served = tokio::time::timeout(patience, all).await;
    assert!(served.is_ok(), "the late are not served: {}", gateway.metrics_text());
    assert!(reads.load(Ordering::Relaxed) > 0, "the late are served from blocks");
    gateway.drain(Duration::from_secs(5)).await;
    gateway.stop().await;
    tasks.shutdown().await;
}
