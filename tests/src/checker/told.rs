//! What the client tells its application: one unbroken run of entries per room, across all its connections, unless it
//! announces a gap.

use std::collections::BTreeMap;

use super::trace::{Device, Told, Trace, What};
use super::violation::Violation;

pub(super) fn check(trace: &Trace, violations: &mut Vec<Violation>) {
    // `None`: the next entry may be any.
    let mut rooms: BTreeMap<(Device, &str), Option<u64>> = BTreeMap::new();
    for step in &trace.steps {
        let What::Told(told) = &step.what else { continue };
        match told {
            Told::Joined { room, resumed: false } | Told::Gap { room } => {
                rooms.insert((step.device, room), None);
            }
            Told::Joined { resumed: true, .. } => {}
            Told::Entry { room, seq } => {
                let had = rooms.entry((step.device, room)).or_default();
                if let Some(had) = had.filter(|had| *seq != had + 1) {
                    violations.push(Violation::ClientHole { device: step.device, room: room.clone(), had, got: *seq });
                }
                *had = Some(*seq);
            }
            Told::CaughtUp { room, seq } => {
                rooms.insert((step.device, room), Some(*seq));
            }
        }
    }
}
