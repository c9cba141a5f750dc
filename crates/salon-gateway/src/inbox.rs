//! What connections tell the hub's task.

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::registry::ConnectionId;

/// Bounded by the number of connections: each is in either list at most once.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    news: Mutex<News>,
    notify: Notify,
}

#[derive(Debug, Default)]
pub(crate) struct News {
    /// Their sockets take something again, and the hub had something for them.
    pub(crate) writable: Vec<ConnectionId>,
    /// They have ended, or never began: whatever is known of them is to be forgotten, here and in the service.
    pub(crate) gone: Vec<ConnectionId>,
}

impl Inbox {
    pub(crate) fn writable(&self, id: ConnectionId) {
        self.news.lock().writable.push(id);
        self.notify.notify_one();
    }

    pub(crate) fn gone(&self, id: ConnectionId) {
        self.news.lock().gone.push(id);
        self.notify.notify_one();
    }

    pub(crate) fn take(&self) -> News {
        std::mem::take(&mut self.news.lock())
    }

    /// Returns when there may be news.
    pub(crate) async fn notified(&self) {
        self.notify.notified().await;
    }
}
