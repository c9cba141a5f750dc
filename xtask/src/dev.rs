//! `cargo xtask dev`: the server restarts when Rust changes, the page reloads when the page changes.

use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, SystemTime};

use anyhow::Context;

use crate::program::{call, cargo, command, root};

const HTTP_ADDR: &str = "127.0.0.1:8080";
const SERVER_ORIGIN: &str = "http://127.0.0.1:8080";
/// Vite's port; `web/vite.config.ts` sends `/ws` and `/api` from there to the server.
const PAGE_ORIGIN: &str = "http://localhost:5173";
const LOOK_EVERY: Duration = Duration::from_millis(500);

fn run_page() -> anyhow::Result<Child> {
    let web = root().join("web");
    if !web.join("node_modules").exists() {
        call(command("npm", &["ci", "--no-audit", "--no-fund"]).current_dir(&web))?;
    }
    Command::new("npm").args(["run", "dev"]).current_dir(web).spawn().context("cannot start npm")
}

pub(crate) fn run() -> anyhow::Result<()> {
    println!("Open {PAGE_ORIGIN}. Ctrl-C ends both.");
    let mut page = run_page()?;
    let mut built = SystemTime::UNIX_EPOCH;
    let mut server: Option<Child> = None;
    loop {
        let changed = newest(&root().join("crates"));
        if changed > built {
            built = changed;
            let compiled = call(&mut command(&cargo(), &["build", "--package", "salon", "--no-default-features"]));
            if compiled.is_ok() {
                stop(server.take());
                server = Some(start_server()?);
            }
        }
        if page.try_wait()?.is_some() {
            stop(server);
            return Ok(());
        }
        wait();
    }
}

fn start_server() -> anyhow::Result<Child> {
    let arguments = ["run", "--quiet", "--package", "salon", "--no-default-features", "--"];
    // Links lead to the page of Vite, whose proxy speaks in the name of the server itself.
    let serve = ["serve", "--data-dir", "data", "--http-addr", HTTP_ADDR, "--origin", PAGE_ORIGIN, "--origin", SERVER_ORIGIN];
    command(&cargo(), &arguments).args(serve).spawn().context("cannot start the server")
}

fn stop(server: Option<Child>) {
    if let Some(mut server) = server {
        // It may have ended by itself; then there is nothing to stop.
        let _ = server.kill();
        let _ = server.wait();
    }
}

/// When the newest Rust, SQL, proto or TOML file was changed.
fn newest(folder: &Path) -> SystemTime {
    let mut newest = SystemTime::UNIX_EPOCH;
    let Ok(entries) = std::fs::read_dir(folder) else { return newest };
    for entry in entries.flatten() {
        let path = entry.path();
        let time = if path.is_dir() {
            self::newest(&path)
        } else if path.extension().is_some_and(|e| ["rs", "sql", "proto", "toml"].iter().any(|known| e == *known)) {
            entry.metadata().and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
        } else {
            continue;
        };
        newest = newest.max(time);
    }
    newest
}

#[expect(clippy::disallowed_methods, reason = "a command for people, with nothing else to do meanwhile")]
fn wait() {
    std::thread::sleep(LOOK_EVERY);
}
