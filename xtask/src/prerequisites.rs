//! What the tests need besides Rust: found, installed from Debian's packages, or named exactly.

use std::path::Path;
use std::process::Command;

use anyhow::bail;

use crate::program::{call, output};

/// A program, the names it goes by, and the Debian package that brings it.
struct Program {
    names: &'static [&'static str],
    package: &'static str,
    why: &'static str,
}

const PROGRAMS: [Program; 2] = [
    Program { names: &["cc", "gcc", "clang"], package: "gcc", why: "compiles the embedded database" },
    Program { names: &["chromium", "chromium-browser", "google-chrome"], package: "chromium", why: "runs the browser tests" },
];

/// Vite needs at least this Node.
const NODE_VERSION_MIN: (u32, u32) = (20, 19);

/// Makes sure that everything is there.
pub(crate) fn ensure() -> anyhow::Result<()> {
    ensure_node()?;
    let missing: Vec<&Program> = PROGRAMS.iter().filter(|program| find(program.names).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|program| program.package).collect();
    for program in &missing {
        println!("missing: {} ({})", program.names[0], program.why);
    }
    if !may_install() {
        bail!("install what is missing, then call this command again:\n    sudo apt-get install -y {}", packages.join(" "));
    }
    call(Command::new("apt-get").args(["update", "-qq"]))?;
    let mut install = Command::new("apt-get");
    install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(&packages).env("DEBIAN_FRONTEND", "noninteractive");
    call(&mut install)
}

/// The browser that the tests drive.
pub(crate) fn chromium() -> Option<String> {
    find(PROGRAMS[1].names)
}

fn ensure_node() -> anyhow::Result<()> {
    let (major, minor) = NODE_VERSION_MIN;
    let version = output(Command::new("node").arg("--version")).unwrap_or_default();
    let mut numbers = version.trim().trim_start_matches('v').split('.').map(|n| n.parse::<u32>().unwrap_or(0));
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found < NODE_VERSION_MIN {
        bail!("Node {major}.{minor} or newer with npm is needed (found: {:?}); see https://nodejs.org/", version.trim());
    }
    Ok(())
}

fn find(names: &[&str]) -> Option<String> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|file| file.is_file())
        .map(|file| file.to_string_lossy().into_owned())
}

/// Packages are installed by root on Debian's family only.
fn may_install() -> bool {
    let root = output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    root && Path::new("/usr/bin/apt-get").exists()
}
