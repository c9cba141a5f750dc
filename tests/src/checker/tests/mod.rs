//! The checker is checked: an ideal server breaks nothing, and every planted fault is found.

mod ideal;

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::mutation::Fault;
use super::{Violation, assert_kept, check};
use ideal::Ideal;

const SEEDS: u64 = 40;

#[test]
fn an_ideal_server_breaks_nothing() {
    for seed in 0..SEEDS {
        let (trace, aftermath) = Ideal::run(seed);
        assert_kept(&trace, &aftermath);
    }
}

#[test]
fn every_planted_fault_is_found() {
    for fault in Fault::ALL {
        let mut planted = 0;
        for seed in 0..SEEDS {
            let (mut trace, mut aftermath) = Ideal::run(seed);
            if !fault.plant(&mut trace, &mut aftermath, &mut StdRng::seed_from_u64(seed)) {
                continue;
            }
            planted += 1;
            let violations = check(&trace, &aftermath);
            assert!(fault.is_found_in(&violations), "{fault:?} with seed {seed} was taken for: {violations:?}");
        }
        assert!(planted >= SEEDS / 2, "{fault:?} found a place in {planted} of {SEEDS} runs only");
    }
}

/// Each check has its own fault: none is found only because of another.
#[test]
fn faults_of_one_delivery_are_found_for_what_they_are() {
    let (trace, aftermath) = Ideal::run(7);
    for (fault, most) in [(Fault::Drop, 1), (Fault::Duplicate, 1), (Fault::Leak, 2), (Fault::NotInHistory, 1)] {
        let (mut trace, mut aftermath) = (trace.clone(), aftermath.clone());
        assert!(fault.plant(&mut trace, &mut aftermath, &mut StdRng::seed_from_u64(1)));
        let violations: Vec<Violation> = check(&trace, &aftermath);
        assert!((1..=most).contains(&violations.len()), "{fault:?}: {violations:?}");
    }
}

#[test]
fn equal_runs_have_equal_fingerprints_and_others_have_not() {
    let fingerprint = |seed| Ideal::run(seed).0.fingerprint();
    assert_eq!(fingerprint(3), fingerprint(3));
    assert_ne!(fingerprint(3), fingerprint(4));
}

#[test]
fn a_log_that_was_read_too_early_is_outgrown() {
    let (trace, mut aftermath) = Ideal::run(7);
    assert!(!trace.outgrows(&aftermath));
    for room in aftermath.rooms.values_mut() {
        room.entries.pop();
    }
    assert!(trace.outgrows(&aftermath));
}
