//! What a store tells whoever measures it. The store depends on no metrics library.

use std::time::Duration;

/// Takes measurements. Called on the store's own threads and on callers' tasks; must not block.
pub trait StoreObserver: Send + Sync + 'static {
    /// A group of writes was committed together.
    fn committed(&self, writes: usize, took: Duration);

    /// One write was answered: waiting, committing and all.
    fn write_answered(&self, took: Duration);

    /// One read was answered: waiting for a reader and all.
    fn read_answered(&self, took: Duration);
}

/// Nobody measures.
#[derive(Debug, Clone, Copy)]
pub struct Unobserved;

impl StoreObserver for Unobserved {
    fn committed(&self, _writes: usize, _took: Duration) {}

    fn write_answered(&self, _took: Duration) {}

    fn read_answered(&self, _took: Duration) {}
}
