//! What a connection still owes its client. While the socket takes what it is given this is empty and owns no heap.

use std::io::{self, IoSlice};

use bytes::{Buf, Bytes, BytesMut};

use crate::moment::Moment;
use crate::socket::Socket;

/// Replies that may wait for a client that does not read, in bytes. The next one closes the connection with 4004.
pub(crate) const REPLY_BYTES_MAX: usize = 256 * 1024;
/// While more than this waits for a client, in bytes, nothing is read from it.
pub(crate) const REPLY_BYTES_PAUSE: usize = 64 * 1024;

/// The client does not read, and there is no room for another reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// What became of frames that belong to a whole room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offer {
    /// All of it is written.
    Taken,
    /// This many bytes are written; the rest of the frame that was cut is owed, the frames behind it are not.
    Cut(usize),
    /// Nothing is written.
    Blocked,
}

#[derive(Debug)]
pub(crate) struct Outbox {
    /// The rest of what was cut: it goes out before anything else.
    remainder: Bytes,
    /// Whole frames for this client alone.
    replies: Option<Box<BytesMut>>,
    /// Since when the socket takes nothing; [`Moment::NEVER`] while it takes everything.
    blocked_since: Moment,
    /// A text frame was sent since the last heartbeat.
    pub(crate) spoke: bool,
}

impl Outbox {
    pub(crate) fn new() -> Self {
        Self { remainder: Bytes::new(), replies: None, blocked_since: Moment::NEVER, spoke: false }
    }

    /// Whether the socket has to become writable before anything else can be written.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked_since != Moment::NEVER
    }

    /// Since when the socket takes nothing.
    pub(crate) fn blocked_since(&self) -> Option<Moment> {
        self.is_blocked().then_some(self.blocked_since)
    }

    pub(crate) fn waiting_bytes(&self) -> usize {
        self.remainder.len() + self.replies.as_ref().map_or(0, |replies| replies.len())
    }

    /// Sends a frame to this client alone: now, or behind what is owed already. One frame always fits.
    pub(crate) fn send(&mut self, socket: &dyn Socket, mut frame: Bytes, now: Moment) -> io::Result<Result<(), Full>> {
        if !self.is_blocked() {
            match write(socket, &[IoSlice::new(&frame)])? {
                Some(written) if written == frame.len() => return Ok(Ok(())),
                Some(written) => {
                    frame.advance(written);
                    self.remainder = frame;
                }
                None => self.replies = Some(Box::new(frame.into())),
            }
            self.blocked_since = now;
            return Ok(Ok(()));
        }
        let waiting = self.waiting_bytes();
        if waiting > 0 && waiting + frame.len() > REPLY_BYTES_MAX {
            return Ok(Err(Full));
        }
        self.replies.get_or_insert_default().extend_from_slice(&frame);
        Ok(Ok(()))
    }

    /// Offers whole frames that others get too. Of what does not fit only the frame that was begun is kept, as a copy
    /// of its own: a stalled client must not hold a room's frames in memory, and what it was not sent can still be
    /// erased. `rest` gives the rest of the frame that is cut at that byte.
    pub(crate) fn offer(
        &mut self,
        socket: &dyn Socket,
        slices: &[IoSlice<'_>],
        bytes: usize,
        rest: impl FnOnce(usize) -> Bytes,
        now: Moment,
    ) -> io::Result<Offer> {
        if self.is_blocked() {
            return Ok(Offer::Blocked);
        }
        let written = write(socket, slices)?;
        if written == Some(bytes) {
            self.spoke = true;
            return Ok(Offer::Taken);
        }
        self.blocked_since = now;
        match written {
            None | Some(0) => Ok(Offer::Blocked),
            Some(written) => {
                self.spoke = true;
                self.remainder = rest(written);
                Ok(Offer::Cut(written))
            }
        }
    }

    /// The socket may take something again. True when the client made progress.
    pub(crate) fn drain(&mut self, socket: &dyn Socket, now: Moment) -> io::Result<bool> {
        let mut progress = false;
        loop {
            if self.remainder.is_empty() {
                let Some(replies) = self.replies.take() else {
                    self.blocked_since = Moment::NEVER;
                    return Ok(true);
                };
                self.remainder = replies.freeze();
            }
            match write(socket, &[IoSlice::new(&self.remainder)])? {
                Some(written) if written > 0 => {
                    self.remainder.advance(written);
                    self.blocked_since = now;
                    progress = true;
                }
                Some(_) | None => return Ok(progress),
            }
        }
    }

    /// Forgets the replies. What remains is the rest of a frame that was begun: without it nothing can follow.
    pub(crate) fn drop_replies(&mut self) {
        self.replies = None;
    }
}

/// Writes once. `None`: the socket would block.
fn write(socket: &dyn Socket, slices: &[IoSlice<'_>]) -> io::Result<Option<usize>> {
    loop {
        match socket.try_write_vectored(slices) {
            Ok(written) => return Ok(Some(written)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
