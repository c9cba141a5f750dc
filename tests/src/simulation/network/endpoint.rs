//! The two ends of a connection.

use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use parking_lot::Mutex;
use salon_gateway::socket::Socket;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::Wire;
use super::pipe::{Pipe, Readiness};

/// Waits for something to read: for a write by somebody, or for the arrival of what is under way.
fn poll_readable(pipe: &mut Pipe, timer: &mut Option<Pin<Box<Sleep>>>, cx: &mut Context<'_>) -> Poll<()> {
    loop {
        pipe.wait_for_data(cx);
        match pipe.readiness(Instant::now()) {
            Readiness::Now => return Poll::Ready(()),
            Readiness::Unknown => return Poll::Pending,
            Readiness::At(at) => {
                let sleep = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
                if sleep.deadline() != at {
                    sleep.as_mut().reset(at);
                }
                if sleep.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                *timer = None;
            }
        }
    }
}

/// The gateway's end.
#[derive(Debug)]
pub struct ServerSocket {
    wire: Arc<Mutex<Wire>>,
    timer: Mutex<Option<Pin<Box<Sleep>>>>,
}

impl ServerSocket {
    pub(super) fn new(wire: Arc<Mutex<Wire>>) -> Self {
        Self { wire, timer: Mutex::new(None) }
    }
}

impl Socket for ServerSocket {
    fn try_read(&self, into: &mut [u8]) -> io::Result<usize> {
        self.wire.lock().up.read(into)
    }

    fn try_write_vectored(&self, from: &[IoSlice<'_>]) -> io::Result<usize> {
        let down = &mut self.wire.lock().down;
        let mut written = 0;
        for slice in from.iter().filter(|slice| !slice.is_empty()) {
            match down.write(slice) {
                Ok(count) => {
                    written += count;
                    if count < slice.len() {
                        break;
                    }
                }
                Err(_) if written > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_readable(&mut self.wire.lock().up, &mut self.timer.lock(), cx).map(Ok)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What is wrong shows at the next write.
        self.wire.lock().down.poll_writable(cx).map(|_| Ok(()))
    }

    fn close(&self) {
        let wire = &mut *self.wire.lock();
        wire.down.finish();
        wire.up.abandon();
    }
}

impl Drop for ServerSocket {
    fn drop(&mut self) {
        self.close();
    }
}

/// The client's end.
#[derive(Debug)]
pub struct ClientStream {
    wire: Arc<Mutex<Wire>>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl ClientStream {
    pub(super) fn new(wire: Arc<Mutex<Wire>>) -> Self {
        Self { wire, timer: None }
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let down = &mut this.wire.lock().down;
        if poll_readable(down, &mut this.timer, cx).is_pending() {
            return Poll::Pending;
        }
        let count = down.read(into.initialize_unfilled())?;
        into.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        let up = &mut self.wire.lock().up;
        match up.poll_writable(cx) {
            Poll::Ready(ready) => Poll::Ready(ready.and_then(|()| up.write(from))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.lock().up.finish();
        Poll::Ready(Ok(()))
    }
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        let wire = &mut *self.wire.lock();
        wire.up.finish();
        wire.down.abandon();
    }
}
