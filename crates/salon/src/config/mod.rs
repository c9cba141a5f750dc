//! Configuration: flags over the environment over `salon.toml` over the defaults.

mod example;
mod file;
mod settings;

pub(crate) use example::example;
pub(crate) use settings::{Settings, parse_duration_s};

use std::path::Path;

/// A value that cannot be used: key, value, remedy. The process ends with exit code 2.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadConfig {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) remedy: String,
}

impl BadConfig {
    pub(crate) fn new(key: &str, value: impl ToString, remedy: impl Into<String>) -> Self {
        Self { key: key.to_owned(), value: value.to_string(), remedy: remedy.into() }
    }
}

impl std::fmt::Display for BadConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "configuration: {} = {:?}: {}", self.key, self.value, self.remedy)
    }
}

impl std::error::Error for BadConfig {}

/// Reads `.env` in the working directory, where there is one.
pub(crate) fn load_dotenv() -> anyhow::Result<()> {
    match dotenvy::from_path(Path::new(".env")) {
        Ok(()) => Ok(()),
        Err(dotenvy::Error::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        // The line may hold a secret: it is not repeated.
        Err(_) => Err(BadConfig::new(".env", "", "a line is not NAME=value; see .env.example").into()),
    }
}

/// `SALON_…` variables that nothing reads: probably misspelt.
pub(crate) fn unknown_variables() -> Vec<String> {
    let known = example::variables();
    let mut unknown: Vec<String> = std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| name.starts_with("SALON_") && !known.contains(name))
        .collect();
    unknown.sort();
    unknown
}
