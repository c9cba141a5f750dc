//! What the domain needs from the world, in the domain's own terms.

mod accounts;
mod bus;
mod log;

pub use accounts::{
    Accounts, Credentials, Invite, InviteUse, Login, NewAccount, NewInvite, NewLogin, Revocation, Rotation, SecretHash, SignUp,
    Ticket, User,
};
pub use bus::{Bus, BusMessage, BusSink, Topic};
pub use log::{
    Change, Head, Idempotency, Logs, NewRoom, News, Original, Page, PageQuery, Position, Reaction, ReadMark, RoomListing,
    RoomRow, Slice, StoredMessage, Write, Written,
};

use crate::time::Timestamp;

/// Why a store could not do as asked. "Not found" is never an error, see the methods.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Try again later; for a write: the outcome is unknown until then.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// The store can no longer be trusted, a sync has failed for instance: the process has to end (G1).
    #[error("the store has failed: {0}")]
    Failed(String),
}

/// A whole store.
#[async_trait::async_trait]
pub trait Store: Logs + Accounts {
    /// Returns when the store can no longer be trusted, with the reason. Whoever runs the process ends it then.
    async fn failed(&self) -> String;

    /// Can it answer now? For `/readyz`.
    ///
    /// # Errors
    /// It cannot.
    async fn ready(&self) -> Result<(), StoreError>;
}

/// Tells the time of day.
pub trait Clock: Send + Sync + 'static {
    fn now(&self) -> Timestamp;
}

/// Gives unpredictable bytes: ids, keys and tokens come from here.
pub trait Randomness: Send + Sync + 'static {
    fn fill(&self, bytes: &mut [u8]);

    fn next_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn next_u128(&self) -> u128 {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        u128::from_le_bytes(bytes)
    }
}
