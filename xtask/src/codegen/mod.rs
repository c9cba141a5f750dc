//! Files that are generated and committed, because people read them. `tidy` fails where one is stale.

mod asyncapi;

use std::fs;
use std::path::PathBuf;

use anyhow::Context;

use crate::program::{cargo, command, output, root};

/// A committed file and the arguments of `salon` that print it.
const PRINTED_BY_SALON: [(&str, &[&str]); 2] = [
    (".env.example", &["check-config", "--example", "env"]),
    ("docs/salon.example.toml", &["check-config", "--example", "toml"]),
];

pub(crate) fn write() -> anyhow::Result<()> {
    for (path, text) in generate()? {
        fs::write(&path, text).with_context(|| path.display().to_string())?;
        println!("wrote {}", path.display());
    }
    Ok(())
}

/// The generated files that differ from what is committed.
pub(crate) fn stale() -> anyhow::Result<Vec<PathBuf>> {
    let files = generate()?;
    Ok(files
        .into_iter()
        .filter(|(path, text)| fs::read_to_string(path).ok().as_ref() != Some(text))
        .map(|(path, _)| path)
        .collect())
}

fn generate() -> anyhow::Result<Vec<(PathBuf, String)>> {
    let mut files = Vec::new();
    for (path, arguments) in PRINTED_BY_SALON {
        let mut all = vec!["run", "--quiet", "--package", "salon", "--"];
        all.extend(arguments);
        files.push((root().join(path), output(&mut command(&cargo(), &all))?));
    }
    files.push((root().join("docs/asyncapi.json"), asyncapi::generate()?));
    Ok(files)
}
