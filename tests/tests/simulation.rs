//! The seeded simulation: a thousand bad days, and no guarantee broken.
//!
//! `SALON_SEEDS=<count>` says how many, `SALON_SEED=<seed>` runs one alone, and with `SALON_TRACE=1` a
//! failing one prints its trace.
#![expect(clippy::expect_used, reason = "helpers of tests fail like tests")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use salon_tests::checker::check;
use salon_tests::checker::mutation::Fault;
use salon_tests::simulation::simulate;

/// Runs without optimisation take their time; `cargo xtask test` sets a thousand.
const SEEDS_DEFAULT: u64 = if cfg!(debug_assertions) { 30 } else { 300 };
/// Real time after which a run must be spinning.
const SEED_REAL_TIME_MAX: Duration = Duration::from_secs(120);
/// Violations of one seed that are shown.
const SHOWN_MAX: usize = 5;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("seeds are numbers"))
}

/// `None`: a good run.
fn verdict(seed: u64) -> Option<String> {
    match catch_unwind(AssertUnwindSafe(|| simulate(seed))) {
        Ok(report) if report.violations.is_empty() => None,
        Ok(report) => {
            if std::env::var_os("SALON_TRACE").is_some() {
                for step in &report.trace.steps {
                    println!("{:>8} {}#{} {:?}", step.at_ms, step.device, step.connection, step.what);
                }
            }
            let shown: Vec<String> = report.violations.iter().take(SHOWN_MAX).map(ToString::to_string).collect();
            Some(format!("{} violations:\n  {}", report.violations.len(), shown.join("\n  ")))
        }
        Err(_) => Some("it panicked, see above".to_owned()),
    }
}

#[test]
fn no_seed_breaks_a_guarantee() {
    let (first, count) = match number("SALON_SEED") {
        Some(seed) => (seed, 1),
        None => (1, number("SALON_SEEDS").unwrap_or(SEEDS_DEFAULT)),
    };
    let next = AtomicU64::new(first);
    let (tell, told) = mpsc::channel();
    let mut failures = Vec::new();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            let (tell, next) = (tell.clone(), &next);
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    tell.send((seed, None)).expect("the test listens");
                    let verdict = verdict(seed);
                    tell.send((seed, Some(verdict))).expect("the test listens");
                }
            });
        }
        drop(tell);
        let mut running = std::collections::BTreeSet::new();
        loop {
            match told.recv_timeout(SEED_REAL_TIME_MAX) {
                Ok((seed, None)) => drop(running.insert(seed)),
                Ok((seed, Some(verdict))) => {
                    running.remove(&seed);
                    failures.extend(verdict.map(|why| format!("SALON_SEED={seed}: {why}")));
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    // Scoped threads cannot be left, so the process ends here.
                    eprintln!("these seeds spin without time passing: {running:?}");
                    std::process::abort();
                }
            }
        }
    });
    assert!(failures.is_empty(), "{} of {count} seeds failed:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn equal_seeds_give_equal_traces() {
    for seed in 1..=3 {
        let (one, other) = (simulate(seed), simulate(seed));
        let difference = one.trace.steps.iter().zip(&other.trace.steps).position(|(one, other)| one != other);
        if let Some(at) = difference {
            panic!("seed {seed} went another way at step {at}: {:?} / {:?}", one.trace.steps[at], other.trace.steps[at]);
        }
        assert_eq!(one.trace.fingerprint(), other.trace.fingerprint(), "seed {seed} was longer one time");
    }
    assert_ne!(simulate(1).trace.fingerprint(), simulate(2).trace.fingerprint());
}

#[test]
fn a_fault_planted_in_a_real_trace_is_found() {
    let report = (1..=20).map(simulate).find(|report| report.violations.is_empty()).expect("one good run among twenty");
    let mut planted = 0;
    for fault in Fault::ALL {
        for seed in 0..5 {
            let (mut trace, mut aftermath) = (report.trace.clone(), report.aftermath.clone());
            if fault.plant(&mut trace, &mut aftermath, &mut StdRng::seed_from_u64(seed)) {
                planted += 1;
                let violations = check(&trace, &aftermath);
                assert!(fault.is_found_in(&violations), "{fault:?} with seed {seed} was taken for: {violations:?}");
            }
        }
    }
    assert!(planted >= 80, "{planted} faults found a place");
}
