//! A whole Salon in one thread, in virtual time, on a network and a disk that misbehave by seed.
//!
//! Equal seeds give equal runs: one runtime with one thread and a paused clock, randomness from the seed only, no
//! iteration over hash maps, no unbiased `select!`. A failing seed is printed; `SALON_SEED=<seed>` runs it alone.

pub mod network;
pub mod seed;
