//! A whole Salon in one thread, in virtual time, on a network, a bus and a disk that misbehave by seed.
//!
//! Equal seeds give equal runs: one runtime with one thread and a paused clock, randomness from the seed only, no
//! iteration over hash maps, no unbiased `select!`. A failing seed is printed; `SALON_SEED=<seed>` runs it alone.
//!
//! [`run::simulate`] is one run: people on devices talk, edit, come and go ([`actor`]); meanwhile connections are cut,
//! readers stall, nodes crash, the store fails and people are thrown out ([`chaos`]). Then everything heals, whatever is
//! still on its way arrives, and the checker judges.

mod actor;
mod bus;
mod chaos;
mod cluster;
pub mod network;
pub mod run;
pub mod seed;

pub use run::{Report, simulate};
