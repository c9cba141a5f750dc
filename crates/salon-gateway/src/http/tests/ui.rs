//! The UI, health and metrics.

use super::*;

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let site = Site::usual().await;
    for path in ["/", "/nowhere", "/healthz", "/readyz", "/metrics", "/api/v1/me", "/api/v1/refused", "/ws"] {
        let answer = site.get(path).await;
        let policy = answer.header("content-security-policy");
        for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
        assert!(answer.header("permissions-policy").contains("camera=(self)"));
    }
}

#[tokio::test]
async fn the_ui_is_served_compressed_and_cached() {
    let site = Site::usual().await;
    let page = site.get("/?invite=x").await;
    assert_eq!((page.status, &*page.body), (200, "this is index.html"));
    assert_eq!((page.header("content-type"), page.header("cache-control")), ("text/html; charset=utf-8", "no-cache"));

    let plain = site.get("/assets/app-1a2b.js").await;
    assert_eq!((&*plain.body, plain.header("etag")), ("this is assets/app-1a2b.js", "\"1a2b\""));
    assert_eq!(plain.header("cache-control"), "public, max-age=31536000, immutable");
    let ask = |line: &str| format!("GET /assets/app-1a2b.js HTTP/1.1\n{line}");
    let small = site.exchange(&ask("Accept-Encoding: gzip, br;q=0.9"), b"").await;
    assert_eq!((&*small.body, small.header("content-encoding")), ("small", "br"));
    assert_eq!((small.header("etag"), small.header("vary")), ("\"1a2b-br\"", "Accept-Encoding"));
    for unwilling in ["Accept-Encoding: br;q=0, gzip", "Accept-Encoding: brotli", "X: y"] {
        assert_eq!(site.exchange(&ask(unwilling), b"").await.header("content-encoding"), "", "{unwilling}");
    }
    let known = site.exchange(&ask("If-None-Match: \"x\", W/\"1a2b\""), b"").await;
    assert_eq!((known.status, &*known.body), (304, ""));
    assert_eq!(site.exchange(&ask("If-None-Match: \"1a2b-br\""), b"").await.status, 200, "the other form of it");
}

#[tokio::test]
async fn head_tells_the_length_without_the_body() {
    let site = Site::usual().await;
    let head = site.exchange("HEAD / HTTP/1.1", b"").await;
    assert_eq!((head.status, head.header("content-length"), &*head.body), (200, "18", ""));
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_is_not_meant_405() {
    let site = Site::usual().await;
    for path in ["/nowhere", "/assets/", "/apix", "/ws/", "/../etc/passwd", "/assets/../index.html"] {
        assert_eq!(site.get(path).await.status, 404, "{path}");
    }
    let posted = site.exchange("POST / HTTP/1.1", b"").await;
    assert_eq!((posted.status, posted.header("allow")), (405, "GET, HEAD"));
}

#[tokio::test]
async fn without_a_ui_the_first_page_says_where_things_are() {
    let site = Site::start(config(), None).await;
    let page = site.get("/").await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("/api/v1") && page.body.contains("/ws"), "{}", page.body);
    assert_eq!(site.get("/app.js").await.status, 404);
}

#[tokio::test]
async fn readiness_names_what_fails_and_keeps_the_reason() {
    let site = Site::usual().await;
    assert_eq!(site.get("/healthz").await.body, "ok\n");
    let ready = site.get("/readyz").await;
    assert_eq!((ready.status, &*ready.body), (200, r#"{"ready":true,"checks":{"gateway":"ok","store":"ok"}}"#));
    site.ops.store_is_gone.store(true, Ordering::SeqCst);
    let failing = site.get("/readyz").await;
    assert_eq!((failing.status, &*failing.body), (503, r#"{"ready":false,"checks":{"gateway":"ok","store":"failing"}}"#));
    site.ops.store_is_gone.store(false, Ordering::SeqCst);
    site.sessions.draining.store(true, Ordering::SeqCst);
    assert_eq!(site.get("/readyz").await.status, 503);
    assert_eq!(site.get("/healthz").await.status, 200, "it is alive while it drains");
}

#[tokio::test]
async fn metrics_are_for_this_machine_and_for_who_has_the_token() {
    let site = Site::start(HttpConfig { metrics_token: Some(MetricsToken("secret".into())), ..config() }, None).await;
    assert_eq!(site.get("/metrics").await.body, "# service\n");
    assert_eq!(site.get("/ws-metrics").await.body, "# gateway\n");
    for path in ["/metrics", "/ws-metrics"] {
        for proxied in ["X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.1"] {
            let ask = |line: &str| format!("GET {path} HTTP/1.1\n{proxied}{line}");
            assert_eq!(site.exchange(&ask(""), b"").await.status, 404, "{path} {proxied}");
            assert_eq!(site.exchange(&ask("\nAuthorization: Bearer wrong"), b"").await.status, 404);
            assert_eq!(site.exchange(&ask("\nAuthorization: Bearer secret"), b"").await.status, 200);
        }
    }
    assert!(!format!("{:?}", MetricsToken("secret".into())).contains("secret"));
}
