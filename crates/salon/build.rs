//! Builds the page with Node, so that it can be embedded: `cargo run` is all that anybody has to call.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

/// What the page is made of, in `web/`.
const SOURCES: [&str; 8] =
    ["src", "public", "index.html", "package.json", "package-lock.json", "svelte.config.js", "tsconfig.json", "vite.config.ts"];

fn main() -> ExitCode {
    println!("cargo:rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_UI").is_none() {
        return ExitCode::SUCCESS;
    }
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nThe page cannot be built: {error}\n");
            eprintln!("It needs Node 20.19 or newer with npm (https://nodejs.org/), and the npm registry or its cache.");
            eprintln!("To build a server without a page: cargo build --release --no-default-features\n");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo names no OUT_DIR")?).join("ui");
    for source in SOURCES.map(|name| web.join(name)).iter().filter(|path| path.exists()) {
        println!("cargo:rerun-if-changed={}", source.display());
    }
    if is_older(&web.join("node_modules/.package-lock.json"), &web.join("package-lock.json")) {
        npm(&web, &out, &["ci", "--no-audit", "--no-fund", "--silent"])?;
    }
    npm(&web, &out, &["run", "--silent", "build"])?;
    if out.join("index.html").exists() { Ok(()) } else { Err("the build made no index.html".to_owned()) }
}

fn npm(web: &Path, out: &Path, arguments: &[&str]) -> Result<(), String> {
    let mut command = Command::new("npm");
    command.args(arguments).current_dir(web).env("SALON_UI_OUT", out);
    let output = command.output().map_err(|error| format!("npm does not start: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let (printed, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(format!("npm {} failed:\n{printed}{told}", arguments.join(" ")))
}

/// True where `file` is missing or older than `than`.
fn is_older(file: &Path, than: &Path) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    changed(file) < changed(than)
}
