//! A connection has to say what it is within some time. Neither hyper nor tonic asks for that before the first byte.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// The HTTP/2 preface, in bytes (RFC 9113 §3.4). No useful HTTP/1 request is shorter.
const PREFACE_BYTES: usize = 24;

/// Fails to read when the first [`PREFACE_BYTES`] do not arrive in time.
#[derive(Debug)]
pub(super) struct Prefaced<S> {
    stream: S,
    missing_bytes: usize,
    due: Option<Pin<Box<Sleep>>>,
}

impl<S> Prefaced<S> {
    pub(super) fn new(stream: S, timeout: Duration) -> Self {
        Self { stream, missing_bytes: PREFACE_BYTES, due: Some(Box::pin(sleep(timeout))) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prefaced<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(due) = &mut self.due
            && due.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "no preface in time")));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        self.missing_bytes = self.missing_bytes.saturating_sub(buffer.filled().len() - before);
        if self.missing_bytes == 0 {
            self.due = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prefaced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[tokio::test(start_paused = true)]
    async fn a_drip_of_bytes_does_not_gain_time() {
        let (mut client, server) = duplex(64);
        let mut server = Prefaced::new(server, Duration::from_secs(10));
        let drip = async {
            for byte in b"PRI * HTTP/2.0\r\n" {
                client.write_all(&[*byte]).await.unwrap();
                sleep(Duration::from_secs(1)).await;
            }
        };
        let reading = async {
            loop {
                if let Err(error) = server.read_u8().await {
                    return error.kind();
                }
            }
        };
        let error = tokio::select! { biased; error = reading => error, () = drip => panic!("it was read to the end") };
        assert_eq!(error, io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn behind_the_preface_there_is_no_hurry() {
        let (mut client, server) = duplex(64);
        let mut server = Prefaced::new(server, Duration::from_secs(10));
        client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        server.read_exact(&mut [0; PREFACE_BYTES]).await.unwrap();
        sleep(Duration::from_mins(1)).await;
        client.write_all(b"x").await.unwrap();
        assert_eq!(server.read_u8().await.unwrap(), b'x');
    }
}
