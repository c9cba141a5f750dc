//! The HTTP side over real TCP, in front of a gateway that only remembers what it was given.

mod api;
mod handshake;
mod limits;
mod ui;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use salon_core::ErrorCode;
use salon_proto::link::frames::{ApiRequest, ApiResponse, Header, SessionOpened};
use salon_proto::link::open_session::Credential;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex as AsyncMutex, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::*;
use crate::socket::Socket;

/// Longer than anything here should take, shorter than a person waits.
const PATIENCE: Duration = Duration::from_secs(10);
const ORIGIN: &str = "http://salon.test:8080";

/// What reached the gateway behind the handshake.
#[derive(Debug)]
struct Accepted {
    socket: Box<dyn Socket>,
    leftover: Bytes,
    start: Start,
}

/// A gateway that believes whatever is called `good`.
#[derive(Debug)]
struct FakeSessions {
    accepted: mpsc::UnboundedSender<Accepted>,
    opens: Mutex<Vec<(Credential, String)>>,
    abandoned: AtomicUsize,
    calls: Mutex<Vec<ApiRequest>>,
    draining: AtomicBool,
}

fn opened() -> Opened {
    Opened(Box::new(SessionOpened { session: 7, user: "u_alice".into(), ..SessionOpened::default() }))
}

impl Sessions for FakeSessions {
    fn open(&self, credential: Credential, peer: String) -> OpenFuture<'_> {
        self.opens.lock().push((credential.clone(), peer));
        Box::pin(async move {
            match &credential {
                Credential::Ticket(secret) | Credential::Token(secret) | Credential::Cookie(secret) => match &**secret {
                    "good" => Ok(opened()),
                    "never" => std::future::pending().await,
                    "busy" => Err(respond::error(ErrorCode::Unavailable, "later")),
                    _ => Err(respond::error(ErrorCode::Unauthenticated, "that is not valid")),
                },
            }
        })
    }

    fn accept(&self, socket: Box<dyn Socket>, leftover: Bytes, start: Start) {
        self.accepted.send(Accepted { socket, leftover, start }).unwrap();
    }

    fn abandon(&self, _opened: Opened) {
        self.abandoned.fetch_add(1, Ordering::SeqCst);
    }

    fn call(&self, request: ApiRequest) -> CallFuture<'_> {
        self.calls.lock().push(request.clone());
        let header = |name: &str, value: &'static str| Header { name: name.into(), value: Bytes::from_static(value.as_bytes()) };
        Box::pin(async move {
            match &*request.target {
                "/api/v1/never" => std::future::pending().await,
                "/api/v1/refused" => Err(respond::error(ErrorCode::Conflict, "no")),
                "/api/v1/nonsense" => Ok(ApiResponse { status: 101, ..ApiResponse::default() }),
                _ => Ok(ApiResponse {
                    status: 201,
                    headers: vec![
                        header("content-type", "application/json"),
                        header("set-cookie", "a=1"),
                        header("set-cookie", "b=2"),
                        header("connection", "close"),
                        header("bad name", "x"),
                    ],
                    body: Bytes::from_static(b"{}"),
                    ..ApiResponse::default()
                }),
            }
        })
    }

    fn draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    fn metrics_text(&self) -> String {
        "# gateway\n".into()
    }
}

#[derive(Debug, Default)]
struct FakeOps {
    store_is_gone: AtomicBool,
}

impl Ops for FakeOps {
    fn service_metrics(&self) -> Option<String> {
        Some("# service\n".into())
    }

    fn ready(&self) -> ReadyFuture<'_> {
        let problem = self.store_is_gone.load(Ordering::SeqCst).then(|| "secret path".to_owned());
        Box::pin(async { vec![Check { name: "store", problem }] })
    }
}

#[derive(Debug)]
struct FakeAssets;

impl Assets for FakeAssets {
    fn get(&self, path: &str) -> Option<Asset> {
        let (content_type, brotli, immutable) = match path {
            "index.html" => ("text/html; charset=utf-8", None, false),
            "assets/app-1a2b.js" => ("text/javascript", Some(Bytes::from_static(b"small")), true),
            _ => return None,
        };
        let bytes = Bytes::from(format!("this is {path}"));
        Some(Asset { content_type: content_type.into(), bytes, brotli, etag: "1a2b".into(), immutable })
    }
}

/// A running listener.
struct Site {
    address: SocketAddr,
    sessions: Arc<FakeSessions>,
    ops: Arc<FakeOps>,
    accepted: AsyncMutex<mpsc::UnboundedReceiver<Accepted>>,
    stopping: CancellationToken,
    server: JoinHandle<()>,
}

/// An answer, read to its end.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, Vec<String>>,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |values| &values[0])
    }

    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = BTreeMap::<String, Vec<String>>::new();
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            headers.entry(name.to_ascii_lowercase()).or_default().push(value.to_owned());
        }
        Self { status, headers, body: body.to_owned() }
    }
}

impl Site {
    async fn start(config: HttpConfig, assets: Option<Arc<dyn Assets>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, accepted) = mpsc::unbounded_channel();
        let sessions = Arc::new(FakeSessions {
            accepted: sender,
            opens: Mutex::default(),
            abandoned: AtomicUsize::default(),
            calls: Mutex::default(),
            draining: AtomicBool::default(),
        });
        let (ops, stopping) = (Arc::new(FakeOps::default()), CancellationToken::new());
        let behind: (Arc<dyn Sessions>, Arc<dyn Ops>) = (Arc::<FakeSessions>::clone(&sessions), Arc::<FakeOps>::clone(&ops));
        let front = Front::new(config, behind.0, behind.1, assets, stopping.clone());
        let server = TaskTracker::new().spawn(serve(listener, front));
        Self { address, sessions, ops, accepted: AsyncMutex::new(accepted), stopping, server }
    }

    async fn usual() -> Self {
        Self::start(config(), Some(Arc::new(FakeAssets))).await
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends lines as they are, ends the head, adds a body, reads until the server hangs up.
    async fn exchange(&self, head: &str, body: &[u8]) -> Answer {
        let mut stream = self.connect().await;
        stream.write_all(head.replace('\n', "\r\n").as_bytes()).await.unwrap();
        stream.write_all(b"\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
        // A server that refuses early may hang up before it has read all of it.
        let _ = stream.write_all(body).await;
        read_answer(&mut stream).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.exchange(&format!("GET {path} HTTP/1.1"), b"").await
    }

    /// Asks for a WebSocket and returns the answer's head, with the connection.
    async fn knock(&self, path: &str, more: &str) -> (Answer, TcpStream) {
        let mut stream = self.connect().await;
        stream.write_all(knock(path, more).as_bytes()).await.unwrap();
        (read_head(&mut stream).await, stream)
    }

    async fn accepted(&self) -> Accepted {
        timeout(PATIENCE, self.accepted.lock().await.recv()).await.expect("a socket is handed over").unwrap()
    }

    async fn start_of(&self, path: &str, more: &str) -> Start {
        let (answer, _stream) = self.knock(path, more).await;
        assert_eq!(answer.status, 101, "{}", answer.body);
        self.accepted().await.start
    }
}

fn config() -> HttpConfig {
    HttpConfig { origins: vec![ORIGIN.parse().unwrap()], token_in_url: true, ..HttpConfig::default() }
}

fn knock(path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
}

async fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the server hangs up").unwrap();
    Answer::parse(&bytes)
}

async fn read_head(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        match timeout(PATIENCE, stream.read_u8()).await.expect("an answer comes") {
            Ok(byte) => bytes.push(byte),
            Err(error) => panic!("{error} behind {:?}", String::from_utf8_lossy(&bytes)),
        }
    }
    Answer::parse(&bytes)
}
