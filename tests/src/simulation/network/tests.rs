//! The network itself: whatever it does to bytes, it neither loses nor exchanges any, unless it is cut.

use std::future::poll_fn;
use std::io::IoSlice;

use parking_lot::Mutex;
use salon_client::Connector as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::simulation::seed;

fn rough() -> Temper {
    Temper { delay_ms: 0..=30, partial_one_in: 2, buffer_bytes: 16..=300 }
}

async fn connection(seed_: u64, temper: Temper) -> (Arc<Network>, ClientStream, Box<dyn Socket>) {
    let network = Network::new(seed::rng(seed_, "network"), temper);
    let accepted = Arc::new(Mutex::new(None));
    let place = Arc::clone(&accepted);
    network.listen(Some(Box::new(move |socket| {
        *place.lock() = Some(socket);
        true
    })));
    let stream = network.dialer(1).connect(&Uri::from_static("ws://salon.test/ws")).await.unwrap();
    let socket = accepted.lock().take().unwrap();
    (network, stream, socket)
}

async fn read_all(socket: &dyn Socket) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        poll_fn(|cx| socket.poll_read_ready(cx)).await?;
        let mut piece = [0; 64];
        match socket.try_read(&mut piece) {
            Ok(0) => return Ok(all),
            Ok(count) => all.extend(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

async fn write_all(socket: &dyn Socket, bytes: &[u8]) -> io::Result<()> {
    let mut written = 0;
    while written < bytes.len() {
        poll_fn(|cx| socket.poll_write_ready(cx)).await?;
        let (one, other) = bytes[written..].split_at((bytes.len() - written) / 2);
        match socket.try_write_vectored(&[IoSlice::new(one), IoSlice::new(other)]) {
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn bytes_arrive_whole_and_in_order_both_ways() {
    for seed in 0..50 {
        let (_network, mut stream, socket) = connection(seed, rough()).await;
        let sent: Vec<u8> = (0..5000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let up = async {
            stream.write_all(&sent).await.unwrap();
            stream.shutdown().await.unwrap();
        };
        let (read, ()) = tokio::join!(read_all(&*socket), up);
        assert_eq!(read.unwrap(), sent);
        let mut read = Vec::new();
        let down = async {
            write_all(&*socket, &sent).await.unwrap();
            socket.close();
        };
        let (count, ()) = tokio::join!(stream.read_to_end(&mut read), down);
        assert_eq!((count.unwrap(), read), (sent.len(), sent));
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_is_a_reset_for_both() {
    let (network, mut stream, socket) = connection(1, rough()).await;
    stream.write_all(b"lost").await.unwrap();
    network.cut(2);
    assert!(write_all(&*socket, b"another client's cut").await.is_ok());
    network.cut(1);
    assert_eq!(read_all(&*socket).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(stream.read_u8().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(stream.write_u8(1).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test(start_paused = true)]
async fn a_held_client_blocks_its_writer_and_gets_everything_later() {
    let (network, mut stream, socket) = connection(1, rough()).await;
    network.hold(1, Duration::from_secs(60));
    let started = Instant::now();
    let sent = [7; 2000];
    let mut read = [0; 2000];
    let (written, got) = tokio::join!(write_all(&*socket, &sent), stream.read_exact(&mut read));
    assert!(written.is_ok() && got.is_ok());
    assert_eq!(read, sent);
    assert!(started.elapsed() >= Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn who_is_gone_cannot_be_written_to() {
    let (_network, stream, socket) = connection(1, Temper::calm()).await;
    drop(stream);
    assert_eq!(read_all(&*socket).await.unwrap(), b"");
    assert_eq!(write_all(&*socket, b"hello?").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[tokio::test(start_paused = true)]
async fn nobody_listens_nobody_connects() {
    let (network, _stream, _socket) = connection(1, Temper::calm()).await;
    network.listen(None);
    let refused = network.dialer(1).connect(&Uri::from_static("ws://salon.test/ws")).await;
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
}
