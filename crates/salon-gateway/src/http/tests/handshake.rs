//! From a request to a socket in the gateway's hands.

use std::future::poll_fn;
use std::io::IoSlice;

use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::upgrade::Handover;
use super::*;

#[tokio::test]
async fn the_socket_is_handed_over_with_what_was_sent_too_early() {
    let site = Site::usual().await;
    let mut stream = site.connect().await;
    stream.write_all(format!("{}early", knock("/ws", "")).as_bytes()).await.unwrap();
    let answer = read_head(&mut stream).await;
    assert_eq!((answer.status, answer.header("sec-websocket-accept")), (101, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));

    let mut accepted = site.accepted().await;
    while accepted.leftover.len() < 5 {
        // The early bytes may have come in a segment of their own.
        poll_fn(|cx| accepted.socket.poll_read_ready(cx)).await.unwrap();
        let mut more = [0; 5];
        let bytes = accepted.socket.try_read(&mut more).unwrap_or(0);
        accepted.leftover = [&accepted.leftover, &more[..bytes]].concat().into();
    }
    assert_eq!(accepted.leftover, "early");
    stream.write_all(b"late").await.unwrap();
    poll_fn(|cx| accepted.socket.poll_read_ready(cx)).await.unwrap();
    let mut late = [0; 10];
    assert_eq!(accepted.socket.try_read(&mut late).unwrap(), 4);
    assert_eq!(&late[..4], b"late");
    accepted.socket.try_write_vectored(&[IoSlice::new(b"to "), IoSlice::new(b"you")]).unwrap();
    accepted.socket.close();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "to you");
}

#[tokio::test]
async fn another_implementation_is_content() {
    let site = Site::usual().await;
    let mut request = format!("ws://{}/ws?ticket=good", site.address).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "salon.v1.json".parse().unwrap());
    let (_socket, response) = tokio_tungstenite::client_async(request, site.connect().await).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "salon.v1.json");
    assert_eq!(site.accepted().await.start, Start::Opened(opened()));
}

#[tokio::test]
async fn every_kind_of_credential_opens_a_session() {
    let site = Site::usual().await;
    let page = format!("Origin: {ORIGIN}\r\nCookie: salon_session=good\r\n");
    for (path, more) in
        [("/ws?ticket=good", ""), ("/ws", "Authorization: Bearer good\r\n"), ("/ws?token=good", ""), ("/ws", &*page)]
    {
        assert_eq!(site.start_of(path, more).await, Start::Opened(opened()), "{path} {more}");
    }
    let good = || "good".to_owned();
    let credentials: Vec<Credential> = site.sessions.opens.lock().iter().map(|(credential, _)| credential.clone()).collect();
    assert_eq!(
        credentials,
        [Credential::Ticket(good()), Credential::Token(good()), Credential::Token(good()), Credential::Cookie(good())]
    );
    assert!(site.sessions.opens.lock().iter().all(|(_, peer)| peer == "127.0.0.1"));
}

#[tokio::test]
async fn without_a_credential_a_hello_is_awaited() {
    let site = Site::usual().await;
    let awaits = Start::AwaitHello { peer: "127.0.0.1".into() };
    assert_eq!(site.start_of("/ws", "").await, awaits);
    assert_eq!(site.start_of("/ws", "Cookie: salon_session=good\r\n").await, awaits, "a cookie counts for our pages only");
    assert_eq!(site.sessions.opens.lock().len(), 0);
}

#[tokio::test]
async fn a_strange_page_is_refused_behind_the_handshake_and_its_credentials_are_not_used() {
    let site = Site::usual().await;
    for origin in ["http://evil.test", "null", "http://salon.test"] {
        let more = format!("Origin: {origin}\r\nCookie: salon_session=good\r\n");
        assert_eq!(site.start_of("/ws?ticket=good", &more).await, Start::RefuseOrigin, "{origin}");
    }
    assert_eq!(site.sessions.opens.lock().len(), 0);
}

#[tokio::test]
async fn bad_credentials_are_refused_at_the_handshake() {
    let site = Site::start(HttpConfig { token_in_url: false, ..config() }, None).await;
    for (path, more) in [
        ("/ws?ticket=bad", ""),
        ("/ws", "Authorization: Bearer bad\r\n"),
        ("/ws", "Authorization: Basic x\r\n"),
        ("/ws?token=good", ""),
    ] {
        let (answer, _) = site.knock(path, more).await;
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, "Bearer"), "{path} {more}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    let (answer, _) = site.knock("/ws?ticket=busy", "").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "2"));
}

#[tokio::test]
async fn what_is_no_handshake_is_refused() {
    let site = Site::usual().await;
    assert_eq!(site.get("/ws").await.status, 426);
    assert_eq!(site.exchange("POST /ws HTTP/1.1", b"").await.status, 405);
    let (answer, _) = site.knock("/ws", "Sec-WebSocket-Protocol: salon.v1.proto\r\n").await;
    assert_eq!(answer.status, 400);
    let (answer, _) = site.knock("/ws", "Content-Length: 3\r\n").await;
    assert_eq!(answer.status, 400, "a body would be taken for frames");
    let (answer, _) = site.knock("/ws?ticket=a&ticket=b", "").await;
    assert_eq!(answer.status, 400);
    assert!(site.accepted.lock().await.try_recv().is_err());
}

#[tokio::test]
async fn a_draining_gateway_sends_newcomers_elsewhere() {
    let site = Site::usual().await;
    site.sessions.draining.store(true, Ordering::SeqCst);
    let (answer, _) = site.knock("/ws?ticket=good", "").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "2"));
    assert_eq!(site.sessions.opens.lock().len(), 0, "the ticket is not used up");
}

#[tokio::test]
async fn a_session_without_a_socket_is_given_back() {
    let site = Site::usual().await;
    let handover = Handover::new(Arc::<FakeSessions>::clone(&site.sessions));
    handover.promise(Start::Opened(opened()));
    let kept = handover.take();
    drop(handover);
    assert_eq!(site.sessions.abandoned.load(Ordering::SeqCst), 0, "it was taken over");
    let handover = Handover::new(Arc::<FakeSessions>::clone(&site.sessions));
    handover.promise(kept.unwrap());
    drop(handover);
    assert_eq!(site.sessions.abandoned.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn http_ends_with_the_hand_over() {
    let site = Site::usual().await;
    let (_, mut stream) = site.knock("/ws?ticket=good", "").await;
    let accepted = site.accepted().await;
    site.stopping.cancel();
    timeout(PATIENCE, site.server).await.expect("no HTTP task outlives its hand-over").unwrap();
    poll_fn(|cx| accepted.socket.poll_write_ready(cx)).await.unwrap();
    accepted.socket.try_write_vectored(&[IoSlice::new(b"x")]).unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'x', "the WebSocket goes on");
}
