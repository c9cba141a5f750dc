//! Logs: to standard error, structured, never with message bodies, passwords or tokens.

use std::io::IsTerminal;

use clap::Args;
use tracing_subscriber::EnvFilter;

#[derive(Debug, Args)]
pub(crate) struct LogSettings {
    /// What is logged: error, warn, info, debug, trace, or filters like `salon_gateway=debug`.
    #[arg(long, env = "SALON_LOG", global = true, value_name = "FILTER", default_value = "info", help_heading = "Logs")]
    log: String,
    /// How logs look.
    #[arg(long, env = "SALON_LOG_FORMAT", global = true, value_enum, default_value_t = Format::Text, help_heading = "Logs")]
    log_format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Starts logging; what cannot be understood of the filter is told and left out.
pub(crate) fn start(settings: &LogSettings) {
    let (filter, mistake) = match EnvFilter::try_new(&settings.log) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some(error)),
    };
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match settings.log_format {
        Format::Text => logs.with_ansi(std::io::stderr().is_terminal()).init(),
        Format::Json => logs.json().flatten_event(true).init(),
    }
    if let Some(error) = mistake {
        tracing::warn!(%error, "the log filter is not understood; logging at info");
    }
}
