//! A network line that can be cut: TCP, until somebody trips over the cable.

use std::fmt;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use parking_lot::Mutex;
use salon_client::{Connector, TcpConnector};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// One device's way to the server. Clones are the same line.
#[derive(Debug, Clone, Default)]
pub struct Line {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    offline: bool,
    cut: CancellationToken,
}

impl Line {
    /// The present connection breaks, and no other one can be made.
    pub fn cut(&self) {
        let state = &mut *self.state.lock();
        state.offline = true;
        std::mem::take(&mut state.cut).cancel();
    }

    /// Connections can be made again.
    pub fn mend(&self) {
        self.state.lock().offline = false;
    }

    /// The present connection breaks; the next one may be made at once.
    pub fn hiccup(&self) {
        self.cut();
        self.mend();
    }
}

impl Connector for Line {
    type Stream = Wire;

    async fn connect(&self, url: &Uri) -> io::Result<Wire> {
        let cut = {
            let state = self.state.lock();
            if state.offline {
                return Err(io::Error::new(io::ErrorKind::NetworkUnreachable, "the line is cut"));
            }
            state.cut.clone()
        };
        let stream = TcpConnector.connect(url).await?;
        Ok(Wire { stream, cut: Box::pin(cut.cancelled_owned()), broken: false })
    }
}

/// A TCP stream that ends when its line is cut.
pub struct Wire {
    stream: TcpStream,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    broken: bool,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("broken", &self.broken).finish_non_exhaustive()
    }
}

impl Wire {
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        self.broken = self.broken || self.cut.as_mut().poll(cx).is_ready();
        if self.broken { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
