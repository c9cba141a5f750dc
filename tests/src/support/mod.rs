//! The product's language for black-box tests.
//!
//! ```no_run
//! # async fn story() {
//! use salon_tests::support::World;
//! let world = World::start().await;
//! let (alice, bob) = (world.person("alice").await, world.person("bob").await);
//! alice.joins("general").await;
//! bob.joins("general").await;
//! alice.says("hi").await;
//! bob.hears("hi").await;
//! # }
//! ```
//!
//! Everything here waits for at most [`PATIENCE`] and then panics with what was awaited and what came instead.

mod device;
pub(crate) mod inspector;
mod journal;
mod line;
mod person;
mod process;
mod raw;
mod rest;
mod world;

use std::future::Future;
use std::time::Duration;

pub use device::Device;
pub use journal::Journal;
pub use line::Line;
pub use person::Person;
pub use process::{Command, Outcome};
pub use raw::{Credential, Heard, RawSocket};
pub use rest::{Reply, Rest};
pub use world::{Options, World};

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits, but not for ever.
///
/// # Panics
/// It took longer than [`PATIENCE`].
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    within(PATIENCE, what, future).await
}

/// Waits for as long as this.
///
/// # Panics
/// It took longer.
pub async fn within<T>(limit: Duration, what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(limit, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {limit:?} for {what}"),
    }
}
