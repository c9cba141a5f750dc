//! `cargo xtask test`: every test there is, in the order in which a failure is cheapest.

use std::time::Duration;

use anyhow::bail;

use crate::prerequisites;
use crate::program::{call, cargo, command, root};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only the steps whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Seeds of the simulation.
    #[arg(long, default_value_t = 1000)]
    seeds: u32,
}

type Step = (&'static str, Box<dyn Fn() -> anyhow::Result<()>>);

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    prerequisites::ensure()?;
    let steps = steps(options.seeds);
    let chosen: Vec<&Step> =
        steps.iter().filter(|(name, _)| options.only.as_ref().is_none_or(|only| name.contains(only.as_str()))).collect();
    if chosen.is_empty() {
        let names: Vec<_> = steps.iter().map(|(name, _)| *name).collect();
        bail!("no such step; there are: {}", names.join(", "));
    }
    let mut results = Vec::new();
    for (name, step) in chosen {
        println!("\n== {name}");
        let start = now();
        let result = step();
        if let Err(error) = &result {
            println!("{name}: {error:#}");
        }
        results.push((*name, result.is_ok(), now().saturating_sub(start)));
    }
    summary(&results)
}

fn summary(results: &[(&str, bool, Duration)]) -> anyhow::Result<()> {
    println!("\n== what ran");
    for (name, passed, time) in results {
        println!("{:6} {name} ({:.0} s)", if *passed { "passed" } else { "FAILED" }, time.as_secs_f64());
    }
    let failed = results.iter().filter(|(_, passed, _)| !passed).count();
    println!("{} passed, {failed} failed", results.len() - failed);
    if failed > 0 {
        bail!("{failed} steps failed");
    }
    Ok(())
}

fn steps(seeds: u32) -> Vec<Step> {
    vec![
        ("tidy", Box::new(crate::tidy::run)),
        ("clippy", Box::new(|| cargo_run(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))),
        ("units", Box::new(|| cargo_run(&["test", "--workspace", "--exclude", "salon-tests"]))),
        ("page", Box::new(page)),
        ("blackbox", Box::new(blackbox)),
        ("simulation", Box::new(move || simulation(seeds))),
        ("browser", Box::new(browser)),
    ]
}

fn cargo_run(arguments: &[&str]) -> anyhow::Result<()> {
    call(&mut command(&cargo(), arguments))
}

/// Types and units of the page.
fn page() -> anyhow::Result<()> {
    let web = root().join("web");
    npm_install("web")?;
    for script in ["check", "test"] {
        call(command("npm", &["run", "--silent", script]).current_dir(&web))?;
    }
    Ok(())
}

/// The real binary, driven from outside.
fn blackbox() -> anyhow::Result<()> {
    cargo_run(&["build", "--package", "salon"])?;
    let salon = root().join(target()).join("debug/salon");
    call(command(&cargo(), &["test", "--package", "salon-tests", "--lib", "--test", "blackbox"]).env("SALON_BIN", salon))
}

fn simulation(seeds: u32) -> anyhow::Result<()> {
    let mut tests = command(&cargo(), &["test", "--package", "salon-tests", "--test", "simulation"]);
    call(tests.env("SALON_SEEDS", seeds.to_string()))
}

/// The page in a real browser in front of the real binary.
fn browser() -> anyhow::Result<()> {
    let Some(chromium) = prerequisites::chromium() else { bail!("Chromium is missing") };
    cargo_run(&["build", "--package", "salon"])?;
    npm_install("tests/browser")?;
    let salon = root().join(target()).join("debug/salon");
    let mut tests = command("npm", &["test", "--silent"]);
    call(tests.current_dir(root().join("tests/browser")).env("SALON_BIN", salon).env("SALON_CHROMIUM", chromium))
}

fn npm_install(folder: &str) -> anyhow::Result<()> {
    call(command("npm", &["ci", "--no-audit", "--no-fund", "--silent"]).current_dir(root().join(folder)))
}

/// Where cargo builds, as the environment may say.
fn target() -> String {
    std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned())
}

#[expect(clippy::disallowed_methods, reason = "this is a stopwatch for people, no logic depends on it")]
fn now() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}
