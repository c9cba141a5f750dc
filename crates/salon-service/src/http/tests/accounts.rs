//! Sign-up, login, refresh, logout, tickets, the session.

use super::*;

#[tokio::test]
async fn signing_up_logs_in() {
    let house = House::open().await;
    let body = json!({ "email": "ann@example.org", "password": PASSWORD, "name": "Ann", "unknown": [1] });
    let reply = house.post("auth/signup", body).await;
    assert_eq!(reply.status, 201);
    assert_eq!((&reply.body["user"]["name"], &reply.body["expires_in"]), (&json!("Ann"), &json!(900)));
    let cookie = reply.cookie();
    assert!(cookie.starts_with("salon_session="), "{cookie}");
    assert!(cookie.ends_with("; Path=/; Max-Age=2592000; HttpOnly; SameSite=Strict"), "{cookie}");
    let ann = reply.device();
    let me = house.by(&ann, Method::GET, "me", Value::Null).await;
    assert_eq!(me.body, json!({ "id": ann.id, "name": "Ann", "email": "ann@example.org", "admin": false }));
    let other_tab = house.request(Method::GET, "me", &[("cookie", &format!("a=b; {}", ann.cookie))], Value::Null).await;
    assert_eq!(other_tab.body, me.body);
}

#[tokio::test]
async fn over_tls_the_cookie_is_bound_to_the_host() {
    let public_url = "https://chat.example.org".to_owned();
    let house = House::with(ServiceConfig { signup: SignupPolicy::Open, public_url, ..ServiceConfig::default() }).await;
    let body = json!({ "email": "ann@example.org", "password": PASSWORD });
    let reply = house.post("auth/signup", body).await;
    let cookie = reply.cookie();
    assert!(cookie.starts_with("__Host-salon_session=") && cookie.ends_with("; Secure"), "{cookie}");
    let tossed = reply.device().cookie.replace("__Host-", "");
    let reply = house.request(Method::GET, "me", &[("cookie", &tossed)], Value::Null).await;
    assert_eq!(reply.problem(), (401, "unauthenticated", None));
}

#[tokio::test]
async fn the_session_tells_a_page_what_to_show_and_is_never_an_error() {
    let house = House::with(ServiceConfig::default()).await;
    let empty = house.get("session").await;
    assert_eq!((empty.status.as_u16(), empty.body), (200, json!({ "user": null, "setup": true, "signup": "invite" })));
    let root = house.founder().await;
    let reply = house.request(Method::GET, "session", &[("cookie", &root.cookie)], Value::Null).await;
    assert_eq!((&reply.body["user"]["admin"], &reply.body["setup"]), (&json!(true), &json!(false)));
    let stale = house.request(Method::GET, "session", &[("cookie", "salon_session=stale")], Value::Null).await;
    assert_eq!((stale.status.as_u16(), &stale.body["user"]), (200, &Value::Null));
}

#[tokio::test]
async fn a_wrong_password_is_told_like_an_unknown_address() {
    let house = House::open().await;
    house.signed_up("ann@example.org", None).await;
    let mut bodies = Vec::new();
    for email in ["ann@example.org", "nobody@example.org"] {
        let reply = house.post("auth/login", json!({ "email": email, "password": "wrong horse" })).await;
        assert_eq!(reply.problem(), (401, "unauthenticated", None));
        assert!(reply.headers.contains_key(header::WWW_AUTHENTICATE) && reply.cookie().is_empty());
        bodies.push(reply.body);
    }
    assert_eq!(bodies[0], bodies[1]);
    let reply = house.post("auth/login", json!({ "email": "ann@example.org", "password": PASSWORD })).await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn guessing_is_told_to_wait() {
    let house = House::open().await;
    let guess = json!({ "email": "ann@example.org", "password": "wrong horse" });
    let mut last = house.post("auth/login", guess.clone()).await;
    for _ in 0..10 {
        last = house.post("auth/login", guess.clone()).await;
    }
    assert_eq!(last.problem(), (429, "rate_limited", None));
    assert_eq!((&last.headers[header::RETRY_AFTER], &last.body["retry_after_ms"]), (&"7".parse().unwrap(), &json!(6_001)));
    assert_eq!(last.body["retryable"], true);
}

#[tokio::test]
async fn a_refresh_keeps_the_cookie_and_its_reuse_ends_everything() {
    let house = House::open().await;
    let ann = house.signed_up("ann@example.org", None).await;
    let refreshed = house.post("auth/refresh", json!({ "refresh_token": ann.refresh })).await;
    assert_eq!(refreshed.status, 200);
    assert!(refreshed.cookie().is_empty());
    let bearer = format!("Bearer {}", refreshed.body["access_token"].as_str().unwrap());
    let me = async |name: &str, value: &str| house.request(Method::GET, "me", &[(name, value)], Value::Null).await.status;
    assert_eq!((me("authorization", &bearer).await, me("cookie", &ann.cookie).await), (StatusCode::OK, StatusCode::OK));
    let reused = house.post("auth/refresh", json!({ "refresh_token": ann.refresh })).await;
    assert_eq!(reused.problem(), (401, "unauthenticated", None));
    let refused = StatusCode::UNAUTHORIZED;
    assert_eq!((me("authorization", &bearer).await, me("cookie", &ann.cookie).await), (refused, refused));
    assert_eq!(house.world.bus.revoked().len(), 1);
}

#[tokio::test]
async fn a_logout_takes_the_cookie_back() {
    let house = House::open().await;
    let ann = house.signed_up("ann@example.org", None).await;
    let out = house.request(Method::POST, "auth/logout", &[("cookie", &ann.cookie)], Value::Null).await;
    assert_eq!(out.status, 204);
    assert!(out.cookie().starts_with("salon_session=; ") && out.cookie().contains("Max-Age=0"));
    for (name, value) in [("cookie", &ann.cookie), ("authorization", &ann.bearer)] {
        let reply = house.request(Method::POST, "tickets", &[(name, value)], Value::Null).await;
        assert_eq!(reply.problem(), (401, "unauthenticated", None));
    }
}

#[tokio::test]
async fn an_authorization_header_counts_alone() {
    let house = House::open().await;
    let ann = house.signed_up("ann@example.org", None).await;
    for wrong in ["Bearer nonsense", "Bearer", "Basic YTpi", &ann.cookie] {
        let headers = [("authorization", wrong), ("cookie", &ann.cookie)];
        let reply = house.request(Method::GET, "me", &headers, Value::Null).await;
        assert_eq!(reply.problem(), (401, "unauthenticated", None), "{wrong}");
    }
    let lower = ann.bearer.replace("Bearer", "bearer");
    assert_eq!(house.request(Method::GET, "me", &[("authorization", &lower)], Value::Null).await.status, 200);
}

#[tokio::test]
async fn a_ticket_is_sold_to_who_is_logged_in() {
    let house = House::open().await;
    assert_eq!(house.post("tickets", Value::Null).await.problem(), (401, "unauthenticated", None));
    let ann = house.signed_up("ann@example.org", None).await;
    let reply = house.by(&ann, Method::POST, "tickets", json!({})).await;
    assert_eq!((reply.status.as_u16(), &reply.body["expires_in"]), (201, &json!(30)));
    assert_eq!(reply.body["ticket"].as_str().unwrap().len(), 43);
}

#[tokio::test]
async fn invitations_by_rest() {
    let house = House::with(ServiceConfig::default()).await;
    let root = house.founder().await;
    let made = house.by(&root, Method::POST, "invites", json!({ "uses": 1, "expires_in": 3600 })).await;
    assert_eq!(made.status, 201);
    let code = made.body["code"].as_str().unwrap().to_owned();
    assert_eq!(made.body["url"], format!("http://localhost:8080/#/invite/{code}"));
    let seen = house.get(&format!("invites/{code}")).await;
    assert_eq!(seen.body, json!({ "admin": false, "invited_by": "root" }));
    let bob = house.signed_up("bob@example.org", Some(&code)).await;
    assert_eq!(house.get(&format!("invites/{code}")).await.problem(), (404, "not_found", Some("invite")));
    let again = json!({ "email": "eve@example.org", "password": PASSWORD, "invite": code });
    assert_eq!(house.post("auth/signup", again).await.problem(), (400, "invalid", Some("invite")));
    assert_eq!(house.by(&bob, Method::POST, "invites", json!({})).await.problem(), (403, "forbidden", None));
    assert_eq!(house.post("invites", json!({})).await.problem(), (401, "unauthenticated", None));
    let none = json!({ "email": "eve@example.org", "password": PASSWORD });
    assert_eq!(house.post("auth/signup", none).await.problem(), (400, "invalid", Some("invite")));
}
