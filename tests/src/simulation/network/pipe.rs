//! One direction of a connection.

use std::collections::VecDeque;
use std::io;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::time::Instant;

use super::Temper;

#[derive(Debug)]
pub(crate) struct Pipe {
    rng: StdRng,
    temper: Temper,
    capacity: usize,
    /// What is under way, with the time of its arrival; times never decrease.
    flying: VecDeque<(Instant, Vec<u8>)>,
    held_bytes: usize,
    /// Nothing is read before this.
    held_until: Option<Instant>,
    /// The writer has finished; the reader sees the end behind the last byte.
    finished: bool,
    /// The reader is gone: writing fails.
    unread: bool,
    /// Reset: both sides fail.
    broken: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// When there is something to read.
#[derive(Debug, PartialEq)]
pub(crate) enum Readiness {
    Now,
    At(Instant),
    /// When somebody writes.
    Unknown,
}

impl Pipe {
    pub(crate) fn new(rng: StdRng, temper: &Temper, capacity: usize) -> Self {
        Self {
            rng,
            temper: temper.clone(),
            capacity,
            flying: VecDeque::new(),
            held_bytes: 0,
            held_until: None,
            finished: false,
            unread: false,
            broken: false,
            reader: None,
            writer: None,
        }
    }

    pub(crate) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let now = Instant::now();
        match self.readiness(now) {
            Readiness::Now => {}
            Readiness::At(_) | Readiness::Unknown => return Err(io::ErrorKind::WouldBlock.into()),
        }
        if self.broken {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let mut room = self.part_of(into.len());
        let mut read = 0;
        while room > 0 && self.flying.front().is_some_and(|(at, _)| *at <= now) {
            let Some((at, mut bytes)) = self.flying.pop_front() else { break };
            let count = bytes.len().min(room);
            into[read..read + count].copy_from_slice(&bytes[..count]);
            (read, room) = (read + count, room - count);
            if count < bytes.len() {
                bytes.drain(..count);
                self.flying.push_front((at, bytes));
            }
        }
        self.held_bytes -= read;
        if read > 0
            && let Some(writer) = self.writer.take()
        {
            writer.wake();
        }
        Ok(read)
    }

    pub(crate) fn readiness(&self, now: Instant) -> Readiness {
        if self.broken {
            return Readiness::Now;
        }
        let arrives = match self.flying.front() {
            Some((at, _)) => *at,
            None if self.finished => now,
            None => return Readiness::Unknown,
        };
        let at = self.held_until.map_or(arrives, |until| until.max(arrives));
        if at <= now { Readiness::Now } else { Readiness::At(at) }
    }

    /// Remembers who reads, for the next write.
    pub(crate) fn wait_for_data(&mut self, cx: &Context<'_>) {
        self.reader = Some(cx.waker().clone());
    }

    pub(crate) fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.check_writable()?;
        let room = self.capacity - self.held_bytes;
        if room == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = self.part_of(from.len().min(room));
        let delay = Duration::from_millis(self.rng.random_range(self.temper.delay_ms.clone()));
        let arrives = Instant::now() + delay;
        let at = self.flying.back().map_or(arrives, |(before, _)| arrives.max(*before));
        self.flying.push_back((at, from[..count].to_vec()));
        self.held_bytes += count;
        self.wake_reader();
        Ok(count)
    }

    pub(crate) fn poll_writable(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        self.check_writable()?;
        if self.held_bytes < self.capacity {
            return Poll::Ready(Ok(()));
        }
        self.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    fn check_writable(&self) -> io::Result<()> {
        if self.broken {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if self.finished || self.unread {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(())
    }

    /// The writer's goodbye: what was written still arrives.
    pub(crate) fn finish(&mut self) {
        self.finished = true;
        self.wake_reader();
        self.wake_writer();
    }

    /// The reader is gone.
    pub(crate) fn abandon(&mut self) {
        self.unread = true;
        self.wake_writer();
    }

    pub(crate) fn cut(&mut self) {
        self.broken = true;
        self.flying.clear();
        self.held_bytes = 0;
        self.wake_reader();
        self.wake_writer();
    }

    pub(crate) fn hold(&mut self, until: Instant) {
        self.held_until = Some(self.held_until.map_or(until, |before| before.max(until)));
    }

    /// Some reads and writes are partial, as TCP may have it.
    fn part_of(&mut self, whole: usize) -> usize {
        let partial = self.temper.partial_one_in > 0 && self.rng.random_ratio(1, self.temper.partial_one_in);
        if partial && whole > 1 { self.rng.random_range(1..whole) } else { whole }
    }

    fn wake_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    fn wake_writer(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }
}
