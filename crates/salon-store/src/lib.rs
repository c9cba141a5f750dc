//! Salon's stores behind the [`Store`](salon_core::ports::Store) port.
//!
//! What a write means is written once, in `transactions/`, over the few rows it touches (`rows.rs`). The adapters bring
//! the rows and the queries: [`SqliteStore`] on a disk, [`MemoryStore`] for tests and the simulation. Both pass the one
//! conformance suite in `tests/conformance/`.

mod accounts;
mod body;
mod memory;
mod observer;
mod paging;
mod rows;
mod sqlite;
mod transactions;

pub use memory::{Faults, MemoryStore, WriteFault};
pub use observer::{StoreObserver, Unobserved};
pub use sqlite::{OpenError, SqliteOptions, SqliteStore};
