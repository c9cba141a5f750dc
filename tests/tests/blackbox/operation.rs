//! What an operator and a script rely on (PROTOCOL §8).

use salon_tests::support::{Command, Options, World};

#[tokio::test]
async fn health_readiness_and_metrics() {
    let world = World::start().await;
    let alice = world.person("alice").await;
    alice.joins("general").await;
    alice.says("count me").await;
    assert_eq!(world.rest().get("/healthz").await.status, 200);
    assert_eq!(world.rest().get("/readyz").await.status, 200);
    let gateway = world.rest().get("/ws-metrics").await.expects(200);
    let service = world.rest().get("/metrics").await.expects(200);
    for (metrics, names) in [(&gateway, ["connections", "bytes"]), (&service, ["append", "sessions"])] {
        for name in names {
            assert!(metrics.raw.contains(name), "no {name} in {}", metrics.raw);
        }
        assert!(!metrics.raw.contains(&alice.id) && !metrics.raw.contains("alice"), "metrics name nobody");
    }
    let forwarded = world.rest().request(reqwest::Method::GET, "/metrics").header("X-Forwarded-For", "203.0.113.9");
    let refused = world.rest().send(forwarded).await;
    assert!(matches!(refused.status, 403 | 404), "{refused:?}");
}

#[tokio::test]
async fn the_page_is_served_and_guarded() {
    let world = World::start().await;
    let page = world.rest().get("/").await.expects(200);
    let header = |name: &str| page.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let policy = header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("unsafe-inline") && !policy.contains("unsafe-eval"), "{policy}");
    assert_eq!(header("x-content-type-options"), "nosniff");
    world.rest().get("/api/v1/nothing").await.refuses(404, "not_found");
    assert_eq!(world.rest().get("/nothing").await.status, 404);
}

#[tokio::test]
async fn a_bad_configuration_is_exit_code_2_and_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data").display().to_string();
    for arguments in [["--http-addr", "nonsense"], ["--grpc-addr", "nonsense"], ["--signup", "perhaps"], ["--drain-s", "soon"]] {
        let mut command = Command::new(&["serve", "--data-dir", &data]);
        command.arguments.extend(arguments.map(str::to_owned));
        let outcome = command.run().await;
        assert_eq!(outcome.code, Some(2), "{arguments:?}: {outcome:?}");
        assert!(outcome.stderr.contains(arguments[1]), "the message names the value: {}", outcome.stderr);
    }
}

#[tokio::test]
async fn a_busy_port_is_exit_code_1_or_2_and_no_panic() {
    let world = World::start().await;
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data").display().to_string();
    let outcome =
        Command::new(&["serve", "--data-dir", &data, "--http-addr", world.address(), "--grpc-addr", "127.0.0.1:0"]).run().await;
    assert!(matches!(outcome.code, Some(1 | 2)), "{outcome:?}");
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
}

#[tokio::test]
async fn the_command_line_works_beside_the_server() {
    let world = World::start().await;
    let alice = world.person("alice").await;
    let created = world.salon(&["room", "create", "attic"], "").await;
    assert_eq!(created.code, Some(0), "{created:?}");
    alice.joins("attic").await;
    let again = world.salon(&["user", "add", &alice.email, "--password-stdin"], "another password\n").await;
    assert_ne!(again.code, Some(0), "an address belongs to one account");
    let send = Command {
        environment: vec![("SALON_TOKEN".to_owned(), alice.token.clone())],
        ..Command::new(&["send", "attic", "from the shell", "--url", &world.http()])
    };
    let sent = send.run().await;
    assert_eq!(sent.code, Some(0), "{sent:?}");
    alice.hears("from the shell").await;
}

#[tokio::test]
async fn it_is_ready_in_a_moment_on_data_that_is_there() {
    let mut world = World::with(Options::default()).await;
    world.is_told_to_stop().await;
    let started = tokio::time::Instant::now();
    world.starts_again().await;
    // The promise is 200 ms for the optimised binary on a machine that does nothing else.
    assert!(started.elapsed().as_millis() < 2_000, "{:?}", started.elapsed());
}
