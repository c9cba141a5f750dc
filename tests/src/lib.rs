//! The tests of the whole product and what they are made of.
//!
//! - [`checker`] knows what Salon promises (DESIGN §5) and finds every breach of it in a recorded trace.
//! - [`support`] starts the real binary and speaks the product's language: `alice.says("hi")`, `bob.hears("hi")`.
//! - [`simulation`] runs gateway, service and store in one thread, in virtual time, on a network that misbehaves by seed.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "this crate is made of tests: a failure is a panic that tells its story"
)]

pub mod checker;
pub mod simulation;
pub mod support;
