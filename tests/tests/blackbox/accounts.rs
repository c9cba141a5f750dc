//! Sign-up, login, tokens, tickets, and who is let in.

use salon_tests::support::{Credential, Options, RawSocket, World};
use serde_json::json;

#[tokio::test]
async fn login_refresh_and_me() {
    let world = World::start().await;
    let alice = world.person("alice").await;
    let body = json!({ "email": "ALICE@salon.test", "password": alice.password });
    let login = world.rest().post("auth/login", &body).await.expects(200);
    assert_eq!((login.text("user.id"), login.text("user.name")), (alice.id.clone(), "alice".to_owned()));
    assert!(login.body["expires_in"].as_u64().is_some_and(|seconds| seconds > 0));
    let me = world.rest().with_token(&login.text("access_token")).get("me").await.expects(200);
    assert_eq!(me.text("email"), "alice@salon.test");
    let refresh = json!({ "refresh_token": login.text("refresh_token") });
    let fresh = world.rest().post("auth/refresh", &refresh).await.expects(200);
    assert_ne!(fresh.text("refresh_token"), login.text("refresh_token"));
    world.rest().with_token(&fresh.text("access_token")).get("me").await.expects(200);
    // The old one was used: whoever uses it again has stolen it, or was stolen from.
    world.rest().post("auth/refresh", &refresh).await.refuses(401, "unauthenticated");
    let stolen = json!({ "refresh_token": fresh.text("refresh_token") });
    world.rest().post("auth/refresh", &stolen).await.refuses(401, "unauthenticated");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_look_alike() {
    let world = World::start().await;
    let alice = world.person("alice").await;
    let wrong = json!({ "email": alice.email, "password": "battery staple" });
    let unknown = json!({ "email": "nobody@salon.test", "password": "battery staple" });
    let wrong = world.rest().post("auth/login", &wrong).await.refuses(401, "unauthenticated");
    let unknown = world.rest().post("auth/login", &unknown).await.refuses(401, "unauthenticated");
    assert_eq!(wrong.body, unknown.body);
}

#[tokio::test]
async fn sign_up_needs_an_invitation_unless_it_is_open() {
    let world = World::start().await;
    let admin = world.administrator("root").await;
    let body = json!({ "email": "bob@salon.test", "password": "correct horse bob" });
    let refused = world.rest().post("auth/signup", &body).await;
    assert!((400..500).contains(&refused.status), "{refused:?}");
    let invite = admin.rest().post("invites", &json!({})).await;
    let with_invite = json!({ "email": "bob@salon.test", "password": "correct horse bob", "invite": invite.text("code") });
    let signed_up = world.rest().post("auth/signup", &with_invite).await;
    assert!((200..300).contains(&signed_up.status), "{signed_up:?}");
    assert_eq!(signed_up.text("user.name"), "bob", "the name defaults to the left part of the address");

    let open = World::with(Options::flags(&["--signup", "open"])).await;
    let signed_up = open.rest().post("auth/signup", &body).await;
    assert!((200..300).contains(&signed_up.status), "{signed_up:?}");
    let again = open.rest().post("auth/signup", &body).await;
    assert!((400..500).contains(&again.status), "{again:?}");
    // Open sign-up never makes an administrator.
    let me = open.rest().with_token(&signed_up.text("access_token")).get("me").await.expects(200);
    assert_ne!(me.body["admin"], json!(true));
}

#[tokio::test]
async fn the_first_start_offers_the_administrator_a_link_once() {
    let world = World::start().await;
    let link = world.preamble().iter().find_map(|line| line.split("/#/setup/").nth(1)).map(str::trim);
    let code = link.expect("a link before the ready line").split_whitespace().next().unwrap().to_owned();
    let body = json!({ "email": "root@salon.test", "password": "correct horse root", "invite": code });
    let created = world.rest().post("auth/signup", &body).await;
    assert!((200..300).contains(&created.status), "{created:?}");
    let again = json!({ "email": "other@salon.test", "password": "correct horse other", "invite": code });
    let refused = world.rest().post("auth/signup", &again).await;
    assert!((400..500).contains(&refused.status), "{refused:?}");
}

#[tokio::test]
async fn a_ticket_is_good_once() {
    let world = World::start().await;
    let alice = world.person("alice").await;
    let ticket = alice.rest().post("tickets", &json!({})).await;
    let query = format!("ticket={}", ticket.text("ticket"));
    let mut socket = RawSocket::open(&world, Credential::Query(&query)).await;
    let welcome = socket.hears_event("welcome").await;
    assert_eq!(welcome["data"]["user"]["id"], alice.id);
    let (status, _, _) = RawSocket::handshake(&world, Credential::Query(&query), "").await;
    assert_eq!(status, 401);
}

#[tokio::test]
async fn a_token_may_come_in_the_first_frame() {
    let world = World::start().await;
    let alice = world.person("alice").await;
    let mut socket = RawSocket::open(&world, Credential::None).await;
    // Commands sent before the welcome wait for it.
    socket.text(r#"{"event":"ping","id":7,"data":{}}"#).await;
    socket.text(&json!({ "event": "hello", "data": { "token": alice.token } }).to_string()).await;
    socket.hears_event("welcome").await;
    assert_eq!(socket.hears_event("ack").await["id"], 7);
}

#[tokio::test]
async fn bad_credentials_are_refused_where_they_are_shown() {
    let world = World::start().await;
    let alice = world.person("alice").await;
    let (head, rest) = alice.token.split_once('.').unwrap();
    let (_, signature) = rest.rsplit_once('.').unwrap();
    // {"sub":"u_0000000000000000"} under the signature of something else, and no algorithm at all.
    let forged = format!("{head}.eyJzdWIiOiJ1XzAwMDAwMDAwMDAwMDAwMDAifQ.{signature}");
    let none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1XzAwMDAwMDAwMDAwMDAwMDAifQ.".to_owned();
    for token in ["nonsense".to_owned(), forged, none] {
        let (status, _, _) = RawSocket::handshake(&world, Credential::Bearer(&token), "").await;
        assert_eq!(status, 401, "{token}");
        let mut socket = RawSocket::open(&world, Credential::None).await;
        socket.text(&json!({ "event": "hello", "data": { "token": token } }).to_string()).await;
        socket.is_closed_with(4500).await;
        world.rest().with_token(&token).get("me").await.refuses(401, "unauthenticated");
    }
    world.rest().get("me").await.refuses(401, "unauthenticated");
}

#[tokio::test]
async fn whoever_says_no_hello_is_closed() {
    let world = World::start().await;
    let mut socket = RawSocket::open(&world, Credential::None).await;
    let before = tokio::time::Instant::now();
    socket.is_closed_with(4500).await;
    let waited = before.elapsed().as_secs();
    assert!((4..8).contains(&waited), "{waited} s instead of 5");
}

#[tokio::test]
async fn a_foreign_origin_is_refused() {
    let world = World::start().await;
    let alice = world.person("alice").await;
    let bearer = Credential::Bearer(&alice.token);
    for origin in ["https://evil.test", "null", "http://localhost.evil.test"] {
        let (status, mut socket, _) = RawSocket::handshake(&world, bearer, &format!("Origin: {origin}\r\n")).await;
        assert_eq!(status, 101);
        socket.is_closed_with(4503).await;
    }
    let port = world.address().rsplit(':').next().unwrap().to_owned();
    for host in ["localhost", "127.0.0.1"] {
        let (status, mut socket, _) = RawSocket::handshake(&world, bearer, &format!("Origin: http://{host}:{port}\r\n")).await;
        assert_eq!(status, 101);
        socket.hears_event("welcome").await;
    }
}

#[tokio::test]
async fn a_cookie_counts_only_with_our_own_origin() {
    let world = World::start().await;
    let alice = world.person("alice").await;
    let body = json!({ "email": alice.email, "password": alice.password });
    let login = world.rest().post("auth/login", &body).await.expects(200);
    let set = login.headers.get("set-cookie").and_then(|value| value.to_str().ok()).expect("a session cookie").to_owned();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(set.contains(attribute), "{set}");
    }
    let cookie = set.split(';').next().unwrap();
    let ours = format!("Cookie: {cookie}\r\nOrigin: {}\r\n", world.http());
    let (status, mut socket, _) = RawSocket::handshake(&world, Credential::None, &ours).await;
    assert_eq!(status, 101);
    assert_eq!(socket.hears_event("welcome").await["data"]["user"]["id"], alice.id);
    // Without an origin the cookie is as good as none: the socket waits for a hello.
    let (status, mut socket, _) = RawSocket::handshake(&world, Credential::None, &format!("Cookie: {cookie}\r\n")).await;
    assert_eq!(status, 101);
    socket.is_closed_with(4500).await;
}

#[tokio::test]
async fn secrets_are_not_in_the_log() {
    let mut world = World::with(Options::default().key("RUST_LOG", "debug")).await;
    let alice = world.person("alice").await;
    let ticket = alice.rest().post("tickets", &json!({})).await.text("ticket");
    let mut socket = RawSocket::open(&world, Credential::Query(&format!("ticket={ticket}"))).await;
    socket.hears_event("welcome").await;
    let body = json!({ "email": alice.email, "password": alice.password });
    let login = world.rest().post("auth/login", &body).await.expects(200);
    alice.joins("general").await;
    alice.says("for your eyes only").await;
    world.is_told_to_stop().await;
    let log = world.log();
    let signature = alice.token.rsplit('.').next().unwrap().to_owned();
    for secret in [ticket, signature, alice.password.clone(), login.text("refresh_token"), "for your eyes only".to_owned()] {
        assert!(!log.contains(&secret), "a secret is in the log");
    }
}
