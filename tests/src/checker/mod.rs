//! Finds every breach of Salon's guarantees in what clients sent, were told and found afterwards.
//!
//! The trace is taken at the wire, before a client drops repetitions, so nothing is hidden by a client that is clever.
//! The aftermath is what a newcomer reads when everything has come to rest. What is checked:
//!
//! | guarantee | breach |
//! |---|---|
//! | G1 an acked entry survives | [`Violation::LostAck`], [`Violation::AckMismatch`] |
//! | G2 one gap-free order for everybody, commands in real-time order | [`Violation::Hole`], [`Violation::Disordered`], [`Violation::Disagreement`], [`Violation::Overtaken`] |
//! | G3 exactly once | [`Violation::Doubled`], [`Violation::Repeated`], [`Violation::Invented`], [`Violation::WrongRoom`] |
//! | G4 honest resume | [`Violation::Hole`], [`Violation::NeedlessGap`], [`Violation::CaughtUp`] |
//! | G6 everything arrives in the end | [`Violation::NotDrained`] |
//! | G7 nothing for outsiders | [`Violation::Outsider`], [`Violation::Intruder`] |
//! | the present state is the last change | [`Violation::StaleEdit`], [`Violation::HistoryMismatch`] |

mod aftermath;
mod commands;
mod delivery;
mod log;
pub mod mutation;
mod pages;
mod recorder;
#[cfg(test)]
mod tests;
mod told;
mod trace;
mod violation;

pub use aftermath::{Aftermath, FinalRoom};
pub use recorder::{DeviceRecorder, Recorder};
pub use trace::{Answer, Body, Device, Entry, Intent, PageMessage, Step, Told, Trace, What};
pub use violation::Violation;

use commands::Commands;
use log::Logs;

/// Checks everything. An empty list means: nothing that Salon promises was broken.
#[must_use]
pub fn check(trace: &Trace, aftermath: &Aftermath) -> Vec<Violation> {
    let mut violations = Vec::new();
    let commands = Commands::of(trace);
    let logs = Logs::of(aftermath, &commands, &mut violations);
    commands.check(&logs, &mut violations);
    delivery::check(trace, &logs, &mut violations);
    pages::check(aftermath, &commands, &logs, &mut violations);
    told::check(trace, &mut violations);
    violations
}

/// Checks everything and panics with the first breaches.
///
/// # Panics
/// A guarantee was broken.
pub fn assert_kept(trace: &Trace, aftermath: &Aftermath) {
    /// More would bury the first.
    const SHOWN_MAX: usize = 10;
    let violations = check(trace, aftermath);
    let shown: Vec<String> = violations.iter().take(SHOWN_MAX).map(ToString::to_string).collect();
    assert!(violations.is_empty(), "{} guarantees broken, among them:\n{}", violations.len(), shown.join("\n"));
}
