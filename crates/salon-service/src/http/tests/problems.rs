//! Requests that are wrong, and how that is said.

use super::*;

#[tokio::test]
async fn wrong_addresses_and_methods() {
    let house = House::open().await;
    for path in ["", "nothing", "auth", "auth/login/x"] {
        assert_eq!(house.get(path).await.problem(), (404, "not_found", None), "{path}");
    }
    let reply = house.get("auth/login").await;
    assert_eq!(reply.problem(), (405, "invalid", None));
    assert_eq!(reply.headers[header::ALLOW], "POST");
    let outside = house.send(Request::builder().uri("/other").body(Body::empty()).unwrap()).await;
    assert_eq!(outside.problem(), (404, "not_found", None));
}

async fn sent(house: &House, content_type: Option<&str>, body: Vec<u8>) -> Reply {
    let mut request = Request::builder().method(Method::POST).uri("/api/v1/auth/login");
    if let Some(content_type) = content_type {
        request = request.header(header::CONTENT_TYPE, content_type);
    }
    house.send(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn wrong_bodies() {
    let house = House::open().await;
    let json = Some("application/json");
    assert_eq!(sent(&house, None, vec![]).await.problem(), (400, "invalid", Some("email")));
    assert_eq!(sent(&house, json, b"{}".to_vec()).await.problem(), (400, "invalid", Some("email")));
    let half = br#"{"email": "ann@example.org", "password": "correct ho"#;
    let reply = sent(&house, json, half.to_vec()).await;
    assert_eq!(reply.problem(), (400, "invalid", Some("body")));
    assert!(!reply.body.to_string().contains("correct ho"));
    for body in [&b"[]"[..], b"5", b"null", b"\xff", br#""x""#] {
        assert_eq!(sent(&house, json, body.to_vec()).await.problem(), (400, "invalid", Some("body")));
    }
    for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonp")] {
        assert_eq!(sent(&house, content_type, b"{}".to_vec()).await.problem(), (415, "invalid", None));
    }
    let deep = "[".repeat(200_000);
    assert_eq!(sent(&house, json, deep.into_bytes()).await.problem(), (400, "invalid", Some("body")));
    let large = vec![b' '; BODY_BYTES_MAX + 1];
    assert_eq!(sent(&house, json, large).await.problem(), (413, "too_large", Some("body")));
    let full = vec![b' '; BODY_BYTES_MAX - 2].into_iter().chain(*b"{}").collect();
    assert_eq!(sent(&house, json, full).await.problem(), (400, "invalid", Some("email")));
}

#[tokio::test]
async fn wrong_fields_are_named() {
    let house = House::open().await;
    let wrong = [
        (json!({ "email": 5, "password": PASSWORD }), "email"),
        (json!({ "email": "ann", "password": PASSWORD }), "email"),
        (json!({ "email": "ann@example.org" }), "password"),
        (json!({ "email": "ann@example.org", "password": "short" }), "password"),
        (json!({ "email": "ann@example.org", "password": "x".repeat(1_025) }), "password"),
        (json!({ "email": "ann@example.org", "password": PASSWORD, "name": "\u{202e}nna" }), "name"),
        (json!({ "email": "ann@example.org", "password": PASSWORD, "invite": [] }), "invite"),
        (json!({ "email": "ann@example.org", "password": PASSWORD, "invite": "unknown" }), "invite"),
    ];
    for (body, field) in wrong {
        assert_eq!(house.post("auth/signup", body).await.problem(), (400, "invalid", Some(field)));
    }
    let ann = house.signed_up("ann@example.org", None).await;
    let wrong = [
        (Method::POST, "rooms", json!({}), "name"),
        (Method::POST, "rooms", json!({ "kind": "me", "name": "x" }), "kind"),
        (Method::POST, "rooms", json!({ "kind": "direct" }), "user"),
        (Method::POST, "rooms", json!({ "kind": "direct", "user": "ann" }), "user"),
        (Method::POST, "rooms", json!({ "name": "x", "history": "some" }), "history"),
        (Method::PATCH, "rooms/general", json!({}), "body"),
        (Method::PATCH, "rooms/general", json!({ "archived": "yes" }), "archived"),
        (Method::PUT, "rooms/general/members/u_0000000000000000", json!({}), "role"),
        (Method::PUT, "rooms/general/members/u_0000000000000000", json!({ "role": "king" }), "role"),
        (Method::DELETE, "rooms/general/members/u_0000000000000000?ban=maybe", Value::Null, "ban"),
        (Method::POST, "rooms/general/members", json!({ "user": "u_0000000000000000" }), "user"),
        (Method::POST, "rooms/general/invites", json!({ "user": "ann" }), "user"),
        (Method::POST, "rooms/general/invites", json!({ "uses": -1 }), "uses"),
        (Method::POST, "invites", json!({ "room": "No Room" }), "room"),
        (Method::GET, "rooms?limit=1000", Value::Null, "limit"),
    ];
    for (method, path, body, field) in wrong {
        let reply = house.by(&ann, method.clone(), path, body).await;
        assert_eq!(reply.problem(), (400, "invalid", Some(field)), "{method} {path}");
    }
    for path in ["rooms/No%20Room", "rooms/@me", "rooms/%ff"] {
        assert_eq!(house.by(&ann, Method::GET, path, Value::Null).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn everything_else_asks_who_it_is() {
    let house = House::open().await;
    let doors = [
        (Method::GET, "me"),
        (Method::PATCH, "me"),
        (Method::GET, "users"),
        (Method::GET, "users/u_0000000000000000"),
        (Method::POST, "auth/logout"),
        (Method::POST, "tickets"),
        (Method::POST, "invites"),
        (Method::POST, "invites/code"),
        (Method::GET, "rooms"),
        (Method::POST, "rooms"),
        (Method::GET, "rooms/general"),
        (Method::PATCH, "rooms/general"),
        (Method::DELETE, "rooms/general"),
        (Method::GET, "rooms/general/members"),
        (Method::POST, "rooms/general/members"),
        (Method::PUT, "rooms/general/members/u_0000000000000000"),
        (Method::DELETE, "rooms/general/members/u_0000000000000000"),
        (Method::POST, "rooms/general/invites"),
    ];
    for (method, path) in doors {
        let reply = house.request(method.clone(), path, &[], Value::Null).await;
        assert_eq!(reply.problem(), (401, "unauthenticated", None), "{method} {path}");
        let forged = [("authorization", "Bearer a.b.c"), ("cookie", "salon_session=guess")];
        for header in forged {
            let reply = house.request(method.clone(), path, &[header], Value::Null).await;
            assert_eq!(reply.status, 401, "{method} {path}");
        }
    }
}
