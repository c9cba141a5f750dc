//! `cargo xtask tidy`: the house rules as a test. What a compiler or a linter checks already is not repeated here.

use std::fs;

use anyhow::{Context, bail};

use crate::codegen;
use crate::program::{call, cargo, command, output, root};

/// Lines of a source file, at most: a file fits a head.
const FILE_LINES_MAX: usize = 600;

/// Which of our crates each of our crates may use (DESIGN §4): the service never sees a socket, the store never sees
/// the wire, the gateway never sees a database.
const IMPORTS: [(&str, &[&str]); 9] = [
    ("salon-core", &[]),
    ("salon-proto", &["salon-core"]),
    ("salon-store", &["salon-core", "salon-proto"]),
    ("salon-bus", &["salon-core", "salon-proto"]),
    ("salon-client", &["salon-core", "salon-proto"]),
    ("salon-service", &["salon-core", "salon-proto", "salon-store", "salon-bus"]),
    ("salon-gateway", &["salon-core", "salon-proto"]),
    ("salon-load", &["salon-client"]),
    ("xtask", &[]),
];

/// Words that mean unfinished or switched off, with what to do instead. Split so that this file does not contain them.
const FORBIDDEN: [(&str, &str, &str); 7] = [
    ("todo", "!(", "finish it, or return an error that says what is missing"),
    ("unimplemented", "!(", "finish it, or return an error that says what is missing"),
    ("FIX", "ME", "fix it, or file an issue"),
    ("#[ig", "nore", "a test that does not run is no test"),
    ("#[al", "low(", "use #[expect(…, reason = \"…\")]"),
    (".sk", "ip(true", "a test that does not run is no test"),
    ("\"resolved\": \"", "http", "lock files record no download addresses: set omit-lockfile-registry-resolved"),
];

pub(crate) fn run() -> anyhow::Result<()> {
    run_format()?;
    let files = tracked()?;
    let mut findings = Vec::new();
    findings.extend(imports()?);
    for file in &files {
        findings.extend(look_at(file)?);
    }
    findings.extend(translated(&files)?);
    findings.extend(codegen::stale()?.iter().map(|path| format!("{} is stale: run cargo xtask codegen", path.display())));
    if findings.is_empty() {
        println!("tidy: {} files, no findings", files.len());
        return Ok(());
    }
    for finding in &findings {
        println!("tidy: {finding}");
    }
    bail!("{} findings", findings.len())
}

fn run_format() -> anyhow::Result<()> {
    call(&mut command(&cargo(), &["fmt", "--all", "--check"]))
}

/// The files that git knows or would know.
fn tracked() -> anyhow::Result<Vec<String>> {
    let listed = output(&mut command("git", &["ls-files", "--cached", "--others", "--exclude-standard"]))?;
    Ok(listed.lines().filter(|file| root().join(file).is_file()).map(str::to_owned).collect())
}

fn look_at(file: &str) -> anyhow::Result<Vec<String>> {
    let extension = file.rsplit('.').next().unwrap_or_default();
    let source = ["rs", "ts", "svelte", "mjs", "css", "sql", "proto"].contains(&extension);
    let mut findings = Vec::new();
    let Ok(text) = fs::read_to_string(root().join(file)) else { return Ok(findings) };
    let lines = text.lines().count();
    if source && lines > FILE_LINES_MAX {
        findings.push(format!("{file} has {lines} lines, more than {FILE_LINES_MAX}: cut it where it has two reasons to change"));
    }
    for (start, rest, instead) in FORBIDDEN {
        if (source || extension == "json") && text.contains(&format!("{start}{rest}")) {
            findings.push(format!("{file} contains {start}{rest}: {instead}"));
        }
    }
    Ok(findings)
}

fn imports() -> anyhow::Result<Vec<String>> {
    let text = output(&mut command(&cargo(), &["metadata", "--format-version", "1", "--no-deps", "--offline"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&text)?;
    let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    let names: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut findings = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, allowed)) = IMPORTS.iter().find(|(of, _)| *of == name) else { continue };
        let dependencies = package["dependencies"].as_array().context("a package names no dependencies")?;
        // Tests may use any of our crates.
        for dependency in dependencies.iter().filter(|d| d["kind"].as_str() != Some("dev")) {
            let used = dependency["name"].as_str().unwrap_or_default();
            if names.contains(&used) && !allowed.contains(&used) {
                findings.push(format!("{name} must not use {used} (ARCHITECTURE.md, the import rule)"));
            }
        }
    }
    Ok(findings)
}

/// Every page for users that exists in English exists in French, with the same sections.
fn translated(files: &[String]) -> anyhow::Result<Vec<String>> {
    let mut findings = Vec::new();
    for english in files.iter().filter(|file| *file == "README.md") {
        let french = english.replace(".md", ".fr.md");
        let sections = |file: &str| -> anyhow::Result<usize> {
            let text = fs::read_to_string(root().join(file)).with_context(|| file.to_owned())?;
            Ok(text.lines().filter(|line| line.starts_with("## ")).count())
        };
        let (ours, theirs) = (sections(english)?, sections(&french)?);
        if ours != theirs {
            findings.push(format!("{english} has {ours} sections, {french} has {theirs}"));
        }
    }
    Ok(findings)
}
