//! The only thing the hub knows of a network: plain TCP, TLS and the simulated network of the tests implement it.

mod tcp;

use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::task::{Context, Poll};

pub use tcp::{SEND_BUFFER_BYTES, TcpSocket, UNSENT_BYTES_MAX};

/// A connected byte stream that never blocks. `WouldBlock` means: try again after the matching `poll_*_ready`.
///
/// Writes come from whichever thread flushes a room, reads from the connection's own task; the caller serialises
/// writes. Only the connection's own task polls.
pub trait Socket: Debug + Send + Sync + 'static {
    /// Reads what is there. 0 means the peer has closed its side.
    ///
    /// # Errors
    /// `WouldBlock`, or the connection is broken.
    fn try_read(&self, into: &mut [u8]) -> io::Result<usize>;

    /// Writes as much as fits.
    ///
    /// # Errors
    /// `WouldBlock`, or the connection is broken.
    fn try_write_vectored(&self, from: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Ready when a read may give something.
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ready when a write may take something.
    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Closes both directions without waiting. What was written is still delivered.
    fn close(&self);
}
