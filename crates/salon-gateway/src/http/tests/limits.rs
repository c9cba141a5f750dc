//! Clients that take too much: time, room, connections.

use super::*;

async fn site_with(limits: HttpLimits) -> Site {
    Site::start(HttpConfig { limits, ..config() }, None).await
}

#[tokio::test]
async fn a_head_that_does_not_end_is_cut_off_and_so_is_silence() {
    let site = site_with(HttpLimits { header_read_timeout: Duration::from_millis(200), ..HttpLimits::default() }).await;
    for beginning in ["", "GET / HTTP/1.1\r\nHost: loc", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
        let mut stream = site.connect().await;
        stream.write_all(beginning.as_bytes()).await.unwrap();
        let mut all = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut all)).await.expect("the connection is closed").unwrap();
        assert_eq!(String::from_utf8(all).unwrap().contains(" 200 OK"), beginning.ends_with("\r\n\r\n"));
    }
}

#[tokio::test]
async fn a_head_beyond_the_limits_is_refused() {
    let site = site_with(HttpLimits { headers_max: 10, ..HttpLimits::default() }).await;
    let long = site.exchange(&format!("GET / HTTP/1.1\nX: {}", "x".repeat(20_000)), b"").await;
    assert_eq!(long.status, 431);
    let many = site.exchange(&format!("GET / HTTP/1.1{}", "\nX: y".repeat(11)), b"").await;
    assert_eq!(many.status, 431);
    let mut stream = site.connect().await;
    stream.write_all(b"\x16\x03\x01\x02\x00 this is TLS\r\n\r\n").await.unwrap();
    assert_eq!(read_answer(&mut stream).await.status, 400);
}

#[tokio::test]
async fn a_web_socket_keeps_its_place_until_it_is_dropped() {
    let site = site_with(HttpLimits { connections_max: 1, ..HttpLimits::default() }).await;
    let (answer, _stream) = site.knock("/ws", "").await;
    assert_eq!(answer.status, 101);
    let accepted = site.accepted().await;
    let refused = read_answer(&mut site.connect().await).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "5"));
    drop(accepted);
    assert_eq!(site.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_connection_is_not_used_for_ever() {
    let site = site_with(HttpLimits { connection_life_max: Duration::from_millis(200), ..HttpLimits::default() }).await;
    let mut stream = site.connect().await;
    let mut answers = 0;
    let worn_out = async {
        while stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.is_ok() {
            let mut bytes = [0; 2048];
            match stream.read(&mut bytes).await {
                Ok(0) | Err(_) => break,
                Ok(_) => answers += 1,
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, worn_out).await.expect("it is closed");
    assert!(answers > 1, "it is kept alive until then");
}

#[tokio::test]
async fn stopping_lets_a_request_finish_and_closes_the_idle() {
    let site = Site::usual().await;
    let mut idle = site.connect().await;
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert_eq!(read_head(&mut idle).await.status, 200);
    let mut busy = site.connect().await;
    busy.write_all(b"POST /api/v1/me HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    site.stopping.cancel();
    tokio::time::sleep(Duration::from_millis(50)).await;
    busy.write_all(b"}").await.unwrap();
    assert_eq!(read_answer(&mut busy).await.status, 201);
    let mut rest = Vec::new();
    timeout(PATIENCE, idle.read_to_end(&mut rest)).await.expect("the idle connection is closed").unwrap();
    timeout(PATIENCE, site.server).await.expect("the server ends").unwrap();
    assert!(TcpStream::connect(site.address).await.is_err(), "nobody listens any more");
}
