//! What the calls of one connection share.

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
    calls: usize,
    /// When the last call ended, or the connection began.
    idle_since: Instant,
}

/// An open call; dropping it is its end.
#[derive(Debug)]
pub(super) struct OpenCall(Arc<Connection>);

impl Connection {
    pub(super) fn new(peer: IpAddr, kill: CancellationToken) -> Arc<Self> {
        let usage = Usage { calls: 0, idle_since: Instant::now() };
        Arc::new(Self { peer, kill, usage: Mutex::new(usage) })
    }

    pub(super) fn begin_call(self: &Arc<Self>) -> OpenCall {
        self.usage.lock().calls += 1;
        OpenCall(Arc::clone(self))
    }

    /// Returns when there was no call for this long.
    pub(super) async fn idle(&self, timeout: Duration) {
        loop {
            let due = {
                let usage = self.usage.lock();
                let begin = if usage.calls > 0 { Instant::now() } else { usage.idle_since };
                begin + timeout
            };
            if due <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(due).await;
        }
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        let mut usage = self.0.usage.lock();
        usage.calls -= 1;
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
}
