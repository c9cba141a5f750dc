//! What a device was told, to be asked about later.

use std::fmt::Debug;
use std::time::Duration;

use parking_lot::Mutex;
use salon_client::Event;
use tokio::sync::Notify;

use super::PATIENCE;

/// How much of a journal a failure shows.
const SHOWN_EVENTS: usize = 25;

/// The events of one device. Reading goes forward: what was found, and everything before it, is not found again.
#[derive(Debug, Default)]
pub struct Journal {
    pages: Mutex<Pages>,
    written: Notify,
}

#[derive(Debug, Default)]
struct Pages {
    events: Vec<Event>,
    read: usize,
}

impl Journal {
    pub(super) fn write(&self, event: Event) {
        self.pages.lock().events.push(event);
        self.written.notify_waiters();
    }

    /// Waits for the next event that `wanted` accepts.
    ///
    /// # Panics
    /// None came.
    pub async fn find<T>(&self, what: impl Debug, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        let search = async {
            loop {
                let written = self.written.notified();
                tokio::pin!(written);
                // From here on no event goes unnoticed.
                written.as_mut().enable();
                if let Some(found) = self.look(&mut wanted) {
                    return found;
                }
                written.await;
            }
        };
        match tokio::time::timeout(PATIENCE, search).await {
            Ok(found) => found,
            Err(_) => panic!("waited {PATIENCE:?} for {what:?}; this came instead: {:#?}", self.unread()),
        }
    }

    fn look<T>(&self, wanted: &mut impl FnMut(&Event) -> Option<T>) -> Option<T> {
        let pages = &mut *self.pages.lock();
        let (at, found) = pages.events.iter().enumerate().skip(pages.read).find_map(|(at, event)| Some((at, wanted(event)?)))?;
        pages.read = at + 1;
        Some(found)
    }

    /// Nothing that `unwanted` accepts comes for a while, nor has it come since the last that was found.
    ///
    /// # Panics
    /// It came.
    pub async fn lacks(&self, time: Duration, what: impl Debug, mut unwanted: impl FnMut(&Event) -> bool) {
        tokio::time::sleep(time).await;
        let pages = self.pages.lock();
        let came = pages.events.iter().skip(pages.read).find(|event| unwanted(event));
        assert!(came.is_none(), "{what:?} should not have come: {came:?}");
    }

    /// Everything that came, from the first on.
    #[must_use]
    pub fn all(&self) -> Vec<Event> {
        self.pages.lock().events.clone()
    }

    /// Skips what has come so far.
    pub fn skip(&self) {
        let pages = &mut *self.pages.lock();
        pages.read = pages.events.len();
    }

    fn unread(&self) -> Vec<Event> {
        let pages = self.pages.lock();
        let from = pages.read.max(pages.events.len().saturating_sub(SHOWN_EVENTS));
        pages.events[from..].to_vec()
    }
}
