//! Plain TCP.

use std::any::Any;
use std::fmt;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::net::TcpStream;

use super::Socket;

/// Bytes that may wait in the kernel without being on their way. Beyond that the socket blocks, and what its member
/// misses stays where it costs nothing: in the room's window and in the store.
pub const UNSENT_BYTES_MAX: u32 = 16 * 1024;
/// The kernel's send buffer, in bytes; the kernel doubles it for its own bookkeeping. By itself it grows until a
/// stalled socket holds 2.6 MB; with this cap and [`UNSENT_BYTES_MAX`] it holds 44 KB. It also bounds what is in
/// flight, thus the rate over a long way: 320 KB/s at a round trip of 100 ms.
pub const SEND_BUFFER_BYTES: usize = 32 * 1024;
/// Unread input that closing throws away, in bytes: closing with unread input would reset the connection and could
/// take back what was written last, the close frame that says why.
const DISCARDED_BYTES_MAX: usize = 64 * 1024;

/// A connected TCP stream, set up for many small writes to many peers of which some do not read.
pub struct TcpSocket {
    stream: TcpStream,
    /// Freed with the socket: its place among the connections that may exist.
    _place: Box<dyn Any + Send + Sync>,
}

impl TcpSocket {
    /// Takes over a stream, together with something that lives as long as it does.
    ///
    /// # Errors
    /// The kernel refuses an option: the stream is broken.
    pub fn new<P: Send + Sync + 'static>(stream: TcpStream, place: P) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let options = SockRef::from(&stream);
        options.set_send_buffer_size(SEND_BUFFER_BYTES)?;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        options.set_tcp_notsent_lowat(UNSENT_BYTES_MAX)?;
        Ok(Self { stream, _place: Box::new(place) })
    }

    fn discard_input(&self) {
        let mut waste = [0; 4096];
        let mut discarded_bytes = 0;
        while discarded_bytes < DISCARDED_BYTES_MAX {
            match self.stream.try_read(&mut waste) {
                Ok(0) | Err(_) => return,
                Ok(bytes) => discarded_bytes += bytes,
            }
        }
    }
}

impl fmt::Debug for TcpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TcpSocket").field(&self.stream.peer_addr().ok()).finish()
    }
}

impl Socket for TcpSocket {
    fn try_read(&self, into: &mut [u8]) -> io::Result<usize> {
        self.stream.try_read(into)
    }

    fn try_write_vectored(&self, from: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream.try_write_vectored(from)
    }

    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_read_ready(cx)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_write_ready(cx)
    }

    fn close(&self) {
        self.discard_input();
        // An error means that the peer has closed already.
        let _ = SockRef::from(&self.stream).shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (TcpSocket, TcpStream, Arc<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let place = Arc::new(());
        let socket = TcpSocket::new(listener.accept().await.unwrap().0, Arc::clone(&place)).unwrap();
        (socket, client, place)
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_costs_little_and_hears_everything_later() {
        let (socket, mut client, _place) = pair().await;
        let slice = [7; 8 * 1024];
        let mut written = 0;
        poll_fn(|cx| socket.poll_write_ready(cx)).await.unwrap();
        loop {
            match socket.try_write_vectored(&[IoSlice::new(&slice), IoSlice::new(&slice)]) {
                Ok(bytes) => written += bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        let options = SockRef::from(&socket.stream);
        assert!(options.send_buffer_size().unwrap() <= 2 * SEND_BUFFER_BYTES);
        assert_eq!(options.tcp_notsent_lowat().unwrap(), UNSENT_BYTES_MAX);
        assert!(options.tcp_nodelay().unwrap());
        socket.close();
        let mut received = Vec::new();
        client.read_to_end(&mut received).await.unwrap();
        assert_eq!(received.len(), written);
    }

    #[tokio::test]
    async fn the_last_words_reach_a_peer_whose_own_were_not_read() {
        let (socket, mut client, place) = pair().await;
        client.write_all(&[1; 5000]).await.unwrap();
        poll_fn(|cx| socket.poll_read_ready(cx)).await.unwrap();
        socket.try_write_vectored(&[IoSlice::new(b"bye")]).unwrap();
        socket.close();
        assert_eq!(socket.try_read(&mut [0; 10]).unwrap_or(0), 0, "closed for reading too");
        assert_eq!(Arc::strong_count(&place), 2);
        drop(socket);
        assert_eq!(Arc::strong_count(&place), 1, "its place is free again");
        let mut received = Vec::new();
        client.read_to_end(&mut received).await.unwrap();
        assert_eq!(received, b"bye");
    }
}
