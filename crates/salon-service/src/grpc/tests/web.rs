//! gRPC-Web, byte by byte: what a browser sends.

use prost::Message;
use salon_proto::v1;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;

use super::kit::{House, message, within};
use crate::grpc::GrpcConfig;

/// A request of a page.
pub(super) struct Post {
    head: String,
    body: Vec<u8>,
}

impl Post {
    pub(super) fn new(method: &str, token: &str, message: &impl Message) -> Self {
        let mut body = vec![0];
        body.extend(u32::try_from(message.encoded_len()).unwrap().to_be_bytes());
        body.extend(message.encode_to_vec());
        let head = format!(
            "POST /salon.v1.ChatService/{method} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-type: application/grpc-web+proto\r\nx-grpc-web: 1\r\nauthorization: Bearer {token}\r\n\
             content-length: {}\r\n",
            body.len()
        );
        Self { head, body }
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) head: String,
    pub(super) messages: Vec<Vec<u8>>,
    trailers: String,
}

impl Answer {
    fn field<'a>(&'a self, name: &str) -> Option<&'a str> {
        let lines = self.head.lines().chain(self.trailers.lines());
        lines
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    pub(super) fn status(&self) -> Code {
        Code::from_bytes(self.field("grpc-status").unwrap_or_else(|| panic!("{self:?}")).as_bytes())
    }

    pub(super) fn code(&self) -> &str {
        self.field("salon-code").unwrap_or_default()
    }
}

pub(super) async fn post(house: &House, post: &Post) -> Answer {
    let mut socket = TcpStream::connect(house.address).await.unwrap();
    socket.write_all(format!("{}\r\n", post.head).as_bytes()).await.unwrap();
    socket.write_all(&post.body).await.unwrap();
    let mut answer = Vec::new();
    within(socket.read_to_end(&mut answer)).await.unwrap();
    parse(&answer)
}

fn parse(answer: &[u8]) -> Answer {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let chunked = head.to_lowercase().contains("transfer-encoding: chunked");
    let body = if chunked { unchunk(&answer[end + 4..]) } else { answer[end + 4..].to_vec() };
    let (mut messages, mut trailers, mut rest) = (Vec::new(), String::new(), &body[..]);
    while rest.len() >= 5 {
        let length = u32::from_be_bytes(rest[1..5].try_into().unwrap()) as usize;
        let frame = rest[5..5 + length].to_vec();
        if rest[0] & 0x80 == 0 {
            messages.push(frame);
        } else {
            trailers = String::from_utf8(frame).unwrap();
        }
        rest = &rest[5 + length..];
    }
    Answer { head, messages, trailers }
}

fn unchunk(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let line = body.windows(2).position(|window| window == b"\r\n").unwrap();
        let length = usize::from_str_radix(std::str::from_utf8(&body[..line]).unwrap(), 16).unwrap();
        if length == 0 {
            return whole;
        }
        whole.extend(&body[line + 2..line + 2 + length]);
        body = &body[line + 2 + length + 2..];
    }
}

async fn open() -> House {
    House::with(GrpcConfig { origins: vec!["https://chat.example.org".into()], ..GrpcConfig::default() }).await
}

#[tokio::test]
async fn a_page_sends_a_message() {
    let house = open().await;
    let ada = house.person("Ada").await;
    let hello = message("general", "hello from a page");
    let answer = post(&house, &Post::new("SendMessage", &ada.token, &hello).header("origin", "https://chat.example.org")).await;
    assert!(answer.head.starts_with("HTTP/1.1 200"), "{answer:?}");
    assert_eq!(answer.status(), Code::Ok);
    assert_eq!(answer.field("access-control-allow-origin"), Some("https://chat.example.org"));
    let ack = v1::MessageAck::decode(&answer.messages[0][..]).unwrap();
    assert_eq!((&*ack.room, ack.seq), ("general", 2));
    let refused = post(&house, &Post::new("SendMessage", "nonsense", &hello)).await;
    assert_eq!((refused.status(), refused.code()), (Code::Unauthenticated, "unauthenticated"));
}

#[tokio::test]
async fn a_page_from_elsewhere_is_refused() {
    let house = open().await;
    let ada = house.person("Ada").await;
    for origin in ["https://evil.example.org", "null", "https://chat.example.org.evil.example"] {
        let sent = Post::new("SendMessage", &ada.token, &message("general", "x")).header("origin", origin);
        let answer = post(&house, &sent).await;
        assert!(answer.head.starts_with("HTTP/1.1 403"), "{answer:?}");
        assert_eq!(answer.field("access-control-allow-origin"), None);
    }
}

#[tokio::test]
async fn a_browser_may_ask_first() {
    let house = open().await;
    let ask = |origin: &str| {
        let head = format!(
            "OPTIONS /salon.v1.ChatService/SendMessage HTTP/1.1\r\nhost: x\r\nconnection: close\r\norigin: {origin}\r\n\
             access-control-request-method: POST\r\n"
        );
        Post { head, body: Vec::new() }
    };
    let answer = post(&house, &ask("https://chat.example.org")).await;
    assert!(answer.head.starts_with("HTTP/1.1 204"), "{answer:?}");
    assert!(answer.field("access-control-allow-headers").unwrap().contains("authorization"));
    assert!(post(&house, &ask("https://evil.example.org")).await.head.starts_with("HTTP/1.1 403"));
}

#[tokio::test]
async fn what_is_no_grpc_is_refused() {
    let house = open().await;
    for head in [
        "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n",
        "POST /salon.v1.ChatService/SendMessage HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n",
    ] {
        let answer = post(&house, &Post { head: head.to_owned(), body: Vec::new() }).await;
        assert!(answer.head.starts_with("HTTP/1.1 400"), "{answer:?}");
    }
}
