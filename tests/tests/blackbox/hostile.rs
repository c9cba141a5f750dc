//! Bytes that no client should send: the documented answer, never a panic, and nobody else notices.

use std::time::Duration;

use salon_tests::support::{Credential, Heard, Person, RawSocket, World};

/// The largest frame that is announced here; the server must not believe it.
const TEN_MEGABYTES: u64 = 10 * 1024 * 1024;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CONTINUATION: u8 = 0;
const PING: u8 = 9;

/// A world in which alice and bob talk, to see whether they notice anything.
struct Calm {
    world: World,
    alice: Person,
    bob: Person,
}

impl Calm {
    async fn start() -> Self {
        let world = World::start().await;
        let (alice, bob) = (world.person("alice").await, world.person("bob").await);
        alice.joins("general").await;
        bob.joins("general").await;
        Self { world, alice, bob }
    }

    async fn socket(&self) -> RawSocket {
        let mut socket = RawSocket::open(&self.world, Credential::Bearer(&self.alice.token)).await;
        socket.hears_event("welcome").await;
        socket
    }

    async fn ends_undisturbed(mut self) {
        self.alice.says("all is well").await;
        self.bob.hears("all is well").await;
        self.world.kept_every_promise(&["general"]).await;
        self.world.still_runs();
        assert!(!self.world.log().contains("panicked"), "{}", self.world.log());
    }
}

#[tokio::test]
async fn text_that_is_no_frame_closes_with_4501() {
    let calm = Calm::start().await;
    let no_frames = ["", "hello", "[]", "5", "null", "{}", r#"{"event":5}"#, r#"{"event":"ping","id":"7","data":{}}"#];
    for text in no_frames.into_iter().chain([r#"{"event":"ping","data":[]}"#, r#"{"event":"ping""#]) {
        let mut socket = calm.socket().await;
        socket.text(text).await;
        socket.is_closed_with(4501).await;
    }
    calm.ends_undisturbed().await;
}

#[tokio::test]
async fn what_is_a_frame_but_wrong_is_an_error_with_its_id() {
    let calm = Calm::start().await;
    let mut socket = calm.socket().await;
    let wrong = [
        (r#"{"event":"fly","id":1,"data":{}}"#, "unknown_event"),
        (r#"{"event":"message","id":1,"data":{"room":5,"content":"x"}}"#, "invalid"),
        (r#"{"event":"message","id":1,"data":{"room":"general"}}"#, "invalid"),
        (r#"{"event":"message","id":1,"data":{"room":"general","content":""}}"#, "invalid"),
        (r#"{"event":"message","id":1,"data":{"room":"General!","content":"x"}}"#, "invalid"),
        (r#"{"event":"message","id":1,"data":{"room":"nowhere","content":"x"}}"#, "not_found"),
        (r#"{"event":"message","id":1,"data":{"room":"general","content":"x","client_id":""}}"#, "invalid"),
        (r#"{"event":"message","id":1,"data":{"room":"general","content":"x","extra":[]}}"#, "invalid"),
        (r#"{"event":"message","id":1,"data":{"room":"general","content":"x","attachments":["a"]}}"#, "invalid"),
        (r#"{"event":"message","id":1,"data":{"room":"general","content":"x","reply_to":"m_1zzzzzzzzzz"}}"#, "not_found"),
        (r#"{"event":"join","id":1,"data":{"room":"general","since":{"epoch":5}}}"#, "invalid"),
        (r#"{"event":"join","id":1,"data":{"room":"general","since":{"epoch":"e","seq":-1}}}"#, "invalid"),
        (r#"{"event":"read","id":1,"data":{"room":"general","seq":1e400}}"#, "invalid"),
        (r#"{"event":"react","id":1,"data":{"room":"general","id":"x","emoji":""}}"#, "invalid"),
        (r#"{"event":"presence","id":1,"data":{"status":"gone"}}"#, "invalid"),
        (r#"{"event":"rooms","id":1,"data":{"cursor":"no cursor"}}"#, "invalid"),
    ];
    for (text, code) in wrong {
        socket.text(text).await;
        let error = socket.hears_event("error").await;
        assert_eq!((&error["id"], &error["data"]["code"]), (&1.into(), &code.into()), "{text}: {error}");
        assert!(error["data"]["message"].as_str().is_some_and(|message| !message.is_empty()));
    }
    // Without an id there is still an error, and after all that the session still works.
    socket.text(r#"{"event":"fly","data":{}}"#).await;
    assert_eq!(socket.hears_event("error").await["data"]["code"], "unknown_event");
    socket.text(r#"{"event":"ping","id":2,"data":{},"newer":true}"#).await;
    assert_eq!(socket.hears_event("ack").await["id"], 2);
    calm.ends_undisturbed().await;
}

#[tokio::test]
async fn a_large_frame_is_refused_before_it_is_sent() {
    let calm = Calm::start().await;
    let before = calm.world.resident_bytes();
    for announced in [64 * 1024 + 1, TEN_MEGABYTES, u64::MAX >> 1] {
        let mut socket = calm.socket().await;
        socket.bytes(&RawSocket::header(true, TEXT, announced)).await;
        socket.is_closed_with(1009).await;
    }
    let mut socket = calm.socket().await;
    let piece = vec![b' '; 40 * 1024];
    socket.frame(false, TEXT, &piece).await;
    socket.frame(true, CONTINUATION, &piece).await;
    socket.is_closed_with(1009).await;
    let mut socket = calm.socket().await;
    let ten_megabytes = vec![b' '; usize::try_from(TEN_MEGABYTES).unwrap()];
    socket.frame(true, TEXT, &ten_megabytes).await;
    // A reset may overtake the close frame, because we are still writing.
    let closed = socket.hears().await;
    assert!(matches!(closed, Heard::Close { code: 1009, .. } | Heard::End), "{closed:?}");
    let grown = calm.world.resident_bytes().saturating_sub(before);
    assert!(grown < TEN_MEGABYTES / 2, "{grown} bytes for frames that are refused");
    calm.ends_undisturbed().await;
}

#[tokio::test]
async fn one_byte_at_a_time_is_a_frame_all_the_same() {
    let calm = Calm::start().await;
    let mut socket = calm.socket().await;
    for byte in RawSocket::encode(true, TEXT, br#"{"event":"ping","id":1,"data":{}}"#) {
        socket.bytes(&[byte]).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(socket.hears_event("ack").await["id"], 1);
    let text = r#"{"event":"message","id":2,"data":{"room":"general","content":"héé"}}"#.as_bytes();
    for (at, byte) in text.iter().enumerate() {
        let opcode = if at == 0 { TEXT } else { CONTINUATION };
        // A ping in the middle of a fragmented message is answered in the middle.
        if at == text.len() / 2 {
            socket.frame(true, PING, b"alive?").await;
        }
        socket.frame(at == text.len() - 1, opcode, &[*byte]).await;
    }
    assert_eq!(socket.hears().await, Heard::Pong(b"alive?".to_vec()));
    assert_eq!(socket.hears_event("ack").await["id"], 2);
    calm.bob.hears("héé").await;
    assert_eq!(calm.alice.reads("general").await.messages.len(), 1);
}

#[tokio::test]
async fn broken_frames_close_with_the_code_of_the_rfc() {
    let calm = Calm::start().await;
    let unmasked = vec![0x81, 2, b'{', b'}'];
    let reserved_bits = {
        let mut frame = RawSocket::encode(true, TEXT, b"{}");
        frame[0] |= 0x40;
        frame
    };
    let long_ping = RawSocket::encode(true, PING, &[0; 126]);
    let broken = [
        (unmasked, 1002),
        (reserved_bits, 1002),
        (RawSocket::encode(true, 3, b"{}"), 1002),
        (long_ping, 1002),
        (RawSocket::encode(false, PING, b""), 1002),
        (RawSocket::encode(true, CONTINUATION, b"{}"), 1002),
        (RawSocket::encode(true, TEXT, b"\xff\xfe"), 1007),
        (RawSocket::encode(true, TEXT, b"{\"event\":\"\xed\xa0\x80\"}"), 1007),
        (RawSocket::encode(true, BINARY, b"{}"), 4501),
    ];
    for (bytes, code) in broken {
        let mut socket = calm.socket().await;
        socket.bytes(&bytes).await;
        socket.is_closed_with(code).await;
    }
    calm.ends_undisturbed().await;
}

#[tokio::test]
async fn early_ends_and_noise_disturb_nobody() {
    let calm = Calm::start().await;
    for cut in [0, 1, 2, 5, 6, 10] {
        let mut socket = calm.socket().await;
        let frame = RawSocket::encode(true, TEXT, br#"{"event":"ping","id":1,"data":{}}"#);
        socket.bytes(&frame[..cut]).await;
    }
    let mut seed = 1_u32;
    for _ in 0..50 {
        let mut socket = calm.socket().await;
        let noise: Vec<u8> = (0..200)
            .map(|_| {
                // Numerical Recipes' generator: repeatable noise is enough.
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                seed.to_be_bytes()[0]
            })
            .collect();
        socket.bytes(&noise).await;
    }
    // Half a handshake, and something that is no HTTP.
    for bytes in ["GET /ws HTTP/1.1\r\nHost:", "\x16\x03\x01\x02\x00", "GET /ws HTTP/1.1\r\n\r\n"] {
        let mut stream = tokio::net::TcpStream::connect(calm.world.address()).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, bytes.as_bytes()).await.unwrap();
    }
    calm.ends_undisturbed().await;
}

#[tokio::test]
async fn a_close_is_answered_with_a_close() {
    let calm = Calm::start().await;
    let mut socket = calm.socket().await;
    socket.frame(true, 8, &1000_u16.to_be_bytes()).await;
    socket.is_closed_with(1000).await;
    assert_eq!(socket.hears().await, Heard::End);
    calm.ends_undisturbed().await;
}

#[tokio::test]
async fn handshakes_that_are_none_are_refused() {
    let calm = Calm::start().await;
    let bearer = Credential::Bearer(&calm.alice.token);
    for (headers, status) in [
        ("Sec-WebSocket-Protocol: salon.v1.json\r\n", 101),
        ("Sec-WebSocket-Protocol: chat, salon.v1.json\r\n", 101),
        ("Sec-WebSocket-Protocol: chat\r\n", 400),
    ] {
        let (got, _, head) = RawSocket::handshake(&calm.world, bearer, headers).await;
        assert_eq!(got, status, "{headers}: {head}");
    }
    let plain = calm.world.rest().get("/ws").await;
    assert!((400..500).contains(&plain.status), "{plain:?}");
    calm.ends_undisturbed().await;
}
