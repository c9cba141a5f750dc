//! `/api` on its way to the service.

use super::*;

/// The only request that reached the service, with its headers by name.
fn carried(site: &Site) -> (ApiRequest, BTreeMap<String, String>) {
    let request = site.sessions.calls.lock().pop().expect("it reached the service");
    let headers = request.headers.iter().map(|header| (header.name.clone(), String::from_utf8(header.value.to_vec()).unwrap()));
    let headers = headers.collect();
    (request, headers)
}

#[tokio::test]
async fn a_request_is_carried_as_it_came_without_what_concerns_neighbours() {
    let site = Site::usual().await;
    let head = "PATCH /api/v1/rooms/general?a=%20b HTTP/1.1\nAuthorization: Bearer T\nX-Custom: 1\nX-Private: 2\n\
                Connection: X-Private\nTE: trailers\nX-Forwarded-For: 192.0.2.1\nKeep-Alive: x\nContent-Length: 4";
    let answer = site.exchange(head, b"body").await;
    let (request, headers) = carried(&site);
    assert_eq!((&*request.method, &*request.target), ("PATCH", "/api/v1/rooms/general?a=%20b"));
    assert_eq!((&*request.body, &*request.peer), (&b"body"[..], "127.0.0.1"));
    assert_eq!(headers.keys().collect::<Vec<_>>(), ["authorization", "host", "x-custom"]);

    assert_eq!((answer.status, &*answer.body), (201, "{}"));
    assert_eq!(answer.headers["set-cookie"], ["a=1", "b=2"]);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn cookies_are_carried_only_for_our_own_pages() {
    let site = Site::usual().await;
    let ours = format!("Origin: {ORIGIN}");
    for (method, line, carries) in [
        ("POST", "Sec-Fetch-Site: same-origin", true),
        ("GET", "Sec-Fetch-Site: cross-site", false),
        ("GET", "Sec-Fetch-Site: same-site", false),
        ("POST", &*ours, true),
        ("GET", "X: y", true),
        ("POST", "X: y", false),
        ("GET", "Origin: http://evil.test", false),
    ] {
        let answer = site.exchange(&format!("{method} /api/v1/me HTTP/1.1\nCookie: salon_session=good\n{line}"), b"").await;
        assert_eq!(answer.status, 201);
        assert_eq!(carried(&site).1.contains_key("cookie"), carries, "{method} {line}");
    }
}

#[tokio::test]
async fn pages_of_allowed_origins_may_ask_with_tokens() {
    let site = Site::usual().await;
    let preflight = "OPTIONS /api/v1/tickets HTTP/1.1\nAccess-Control-Request-Method: POST\nOrigin: ";
    let answer = site.exchange(&format!("{preflight}{ORIGIN}"), b"").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, ORIGIN));
    assert!(answer.header("access-control-allow-headers").contains("authorization"));
    assert!(site.sessions.calls.lock().is_empty(), "the service is not asked");
    let answer = site.exchange(&format!("POST /api/v1/tickets HTTP/1.1\nOrigin: {ORIGIN}"), b"").await;
    assert_eq!((answer.header("access-control-allow-origin"), answer.header("vary")), (ORIGIN, "Origin"));
    assert!(!answer.headers.contains_key("access-control-allow-credentials"));
    for other in ["http://evil.test", "null"] {
        let answer = site.exchange(&format!("{preflight}{other}"), b"").await;
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{other}");
    }
}

#[tokio::test]
async fn a_trusted_proxy_tells_the_client_s_address() {
    let site = Site::start(HttpConfig { trusted_proxies: vec!["127.0.0.1".parse().unwrap()], ..config() }, None).await;
    site.exchange("GET /api/v1/me HTTP/1.1\nX-Forwarded-For: 203.0.113.1, 192.0.2.1", b"").await;
    assert_eq!(carried(&site).0.peer, "192.0.2.1");
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_announced_or_not() {
    let limits = HttpLimits { api_body_bytes_max: 1000, ..HttpLimits::default() };
    let site = Site::start(HttpConfig { limits, ..config() }, None).await;
    let announced = site.exchange("POST /api/v1/rooms HTTP/1.1\nContent-Length: 100000000", &[b'x'; 200_000]).await;
    assert_eq!((announced.status, announced.header("content-type")), (413, "application/problem+json"));
    let chunk = format!("3e9\r\n{}\r\n0\r\n\r\n", "x".repeat(1001));
    let streamed = site.exchange("POST /api/v1/rooms HTTP/1.1\nTransfer-Encoding: chunked", chunk.as_bytes()).await;
    assert_eq!(streamed.status, 413);
    assert_eq!(site.sessions.calls.lock().len(), 0);
    let exact = site.exchange("POST /api/v1/rooms HTTP/1.1\nContent-Length: 1000", &[b'x'; 1000]).await;
    assert_eq!(exact.status, 201);
}

#[tokio::test]
async fn a_service_that_fails_or_is_silent_becomes_a_problem() {
    let limits = HttpLimits {
        api_timeout: Duration::from_millis(100),
        api_body_timeout: Duration::from_millis(100),
        ..HttpLimits::default()
    };
    let site = Site::start(HttpConfig { limits, ..config() }, None).await;
    let silent = site.get("/api/v1/never").await;
    assert_eq!((silent.status, silent.header("retry-after")), (503, "2"));
    assert!(silent.body.contains(r#""code":"unavailable""#), "{}", silent.body);
    let refused = site.get("/api/v1/refused").await;
    assert_eq!(
        (refused.status, &*refused.body),
        (409, r#"{"type":"about:blank","title":"Conflict","status":409,"detail":"no","code":"conflict","retryable":false}"#)
    );
    assert_eq!(site.get("/api/v1/nonsense").await.status, 500);
    let (answer, _) = site.knock("/ws?ticket=never", "").await;
    assert_eq!(answer.status, 503);
    let slow = site.exchange("POST /api/v1/rooms HTTP/1.1\nContent-Length: 5", b"slow").await;
    assert_eq!(slow.status, 408);
}

#[tokio::test]
async fn more_requests_at_a_time_than_allowed_are_sent_away() {
    let limits = HttpLimits { api_calls_in_flight_max: 1, ..HttpLimits::default() };
    let site = Site::start(HttpConfig { limits, ..config() }, None).await;
    let mut stuck = site.connect().await;
    stuck.write_all(b"GET /api/v1/never HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    while site.sessions.calls.lock().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(site.get("/api/v1/me").await.status, 503);
    drop(stuck);
    let free = async {
        while site.get("/api/v1/me").await.status != 201 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, free).await.expect("a client that leaves frees its place");
}
