//! What the calls of one connection share.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// One connection, as its calls see it: an extension of every request.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) peer: IpAddr,
    /// Ends the connection at once, whatever is still to be written to it.
    pub(super) kill: CancellationToken,
    usage: Mutex<Usage>,
}

#[derive(Debug)]
struct Usage {
    /// The open calls by number, each with since when the client has not taken what was given to it.
    calls: BTreeMap<u64, Option<Instant>>,
    next_number: u64,
    /// When the last call ended, or the connection began.
    idle_since: Instant,
}

/// An open call; dropping it is its end.
#[derive(Debug)]
pub(super) struct OpenCall {
    connection: Arc<Connection>,
    number: u64,
}

impl Connection {
    pub(super) fn new(peer: IpAddr, kill: CancellationToken) -> Arc<Self> {
        let usage = Usage { calls: BTreeMap::new(), next_number: 0, idle_since: Instant::now() };
        Arc::new(Self { peer, kill, usage: Mutex::new(usage) })
    }

    pub(super) fn begin_call(self: &Arc<Self>) -> OpenCall {
        let mut usage = self.usage.lock();
        let number = usage.next_number;
        usage.next_number += 1;
        usage.calls.insert(number, None);
        OpenCall { connection: Arc::clone(self), number }
    }

    /// Returns when there was no call for this long.
    pub(super) async fn idle(&self, timeout: Duration) {
        loop {
            let due = {
                let usage = self.usage.lock();
                let begin = if usage.calls.is_empty() { usage.idle_since } else { Instant::now() };
                begin + timeout
            };
            if due <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(due).await;
        }
    }

    /// Returns when the client of some call has taken nothing for this long, though something is there.
    pub(super) async fn stalled(&self, timeout: Duration) {
        loop {
            let earliest = self.usage.lock().calls.values().flatten().min().copied();
            let due = earliest.unwrap_or_else(Instant::now) + timeout;
            if due <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(due).await;
        }
    }
}

impl OpenCall {
    /// Whose turn is it: the client's to take what it was given, or ours to have more for it?
    pub(super) fn waits_for_client(&self, waits: bool) {
        if let Some(since) = self.connection.usage.lock().calls.get_mut(&self.number) {
            *since = waits.then(Instant::now);
        }
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        let mut usage = self.connection.usage.lock();
        usage.calls.remove(&self.number);
        usage.idle_since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_only_without_calls() {
        let connection = Connection::new(Ipv4Addr::LOCALHOST.into(), CancellationToken::new());
        let begun = Instant::now();
        let call = connection.begin_call();
        let ending = async {
            tokio::time::sleep(Duration::from_secs(25)).await;
            drop(call);
        };
        tokio::join!(connection.idle(Duration::from_secs(10)), ending);
        assert_eq!(begun.elapsed().as_secs(), 35);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_told_from_one_for_which_there_is_nothing() {
        let connection = Connection::new(Ipv4Addr::LOCALHOST.into(), CancellationToken::new());
        let (quiet, lively) = (connection.begin_call(), connection.begin_call());
        let using = async {
            quiet.waits_for_client(false);
            for _ in 0..20 {
                lively.waits_for_client(true);
                tokio::time::sleep(Duration::from_secs(6)).await;
            }
        };
        let begun = Instant::now();
        tokio::join!(connection.stalled(Duration::from_secs(10)), using);
        assert_eq!(begun.elapsed().as_secs(), 124);
    }
}
