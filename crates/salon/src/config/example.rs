//! The example files, printed from the definition of the command line so that they cannot be out of date.

use std::collections::BTreeSet;
use std::fmt::Write;

use clap::{Arg, CommandFactory};

use crate::cli::{Arguments, Example};

/// Read from the environment or the file only, because other people see command lines.
const SECRETS: [(&str, &str); 1] = [("metrics_token", "Who presents this as a bearer token may read the metrics from afar.")];
/// Variables that are no settings of this role: those of `tail` and `send`, the log's, other roles'.
const OTHER_VARIABLES: [&str; 8] = [
    "SALON_TOKEN",
    "SALON_URL",
    "SALON_LOG",
    "SALON_LOG_FORMAT",
    "SALON_LINK_SECRET",
    "SALON_LINK_SECRET_FILE",
    "SALON_METRICS_ADDR",
    "SALON_SERVICE_URL",
];

/// The text of `.env.example` or `salon.example.toml`.
pub(crate) fn example(format: Example) -> String {
    let serve = Arguments::command();
    let Some(serve) = serve.get_subcommands().find(|command| command.get_name() == "serve") else { return String::new() };
    let mut text = match format {
        Example::Env => "# Every setting as an environment variable. Copy to .env and uncomment what you change.\n".to_owned(),
        Example::Toml => "# Every setting as a key of salon.toml. Uncomment what you change.\n".to_owned(),
    };
    for argument in serve.get_arguments().filter(|argument| argument.get_long().is_some()) {
        describe(&mut text, format, argument);
    }
    for (key, help) in SECRETS {
        // Writing to a String cannot fail.
        let _ = match format {
            Example::Env => writeln!(text, "\n# {help}\n# {}=", variable(key)),
            Example::Toml => writeln!(text, "\n# {help}\n# {key} = \"\""),
        };
    }
    text
}

/// Every variable that some command reads.
pub(super) fn variables() -> BTreeSet<String> {
    let command = Arguments::command();
    let arguments = command.get_subcommands().flat_map(clap::Command::get_arguments).chain(command.get_arguments());
    let flags = arguments.filter_map(|argument| argument.get_env()).filter_map(|name| name.to_str()).map(str::to_owned);
    let others = OTHER_VARIABLES.iter().map(|name| (*name).to_owned());
    flags.chain(others).chain(SECRETS.iter().map(|(key, _)| variable(key))).collect()
}

fn describe(text: &mut String, format: Example, argument: &Arg) {
    let Some(long) = argument.get_long() else { return };
    let key = long.replace('-', "_");
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let value = argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string).unwrap_or_default();
    let many = matches!(argument.get_action(), clap::ArgAction::Append);
    let shown = match (format, many, value.as_str()) {
        (Example::Env, false, _) => format!("{}={value}", variable(&key)),
        (Example::Env, true, _) => format!("{}={value},{value}", variable(&key)),
        // The file cannot name itself, nor the log that is already being written.
        (Example::Toml, ..) if ["config", "log", "log_format"].contains(&key.as_str()) => return,
        (Example::Toml, true, _) => format!("{key} = [\"{value}\"]"),
        (Example::Toml, false, "N" | "BYTES" | "SECONDS" | "DAYS" | "MS") => format!("{key} = 1"),
        (Example::Toml, false, "BOOL") => format!("{key} = true"),
        (Example::Toml, false, _) => format!("{key} = \"{value}\""),
    };
    let _ = write!(text, "\n# {help}\n# {shown}\n");
}

fn variable(key: &str) -> String {
    format!("SALON_{}", key.to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    #[test]
    fn every_key_of_the_example_is_a_key() {
        let keys: String = example(Example::Toml)
            .lines()
            .filter_map(|line| {
                line.strip_prefix("# ").filter(|rest| rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')))
            })
            .map(|line| line.replace("ADDR:PORT", "127.0.0.1:0") + "\n")
            .collect();
        let settings: Settings = toml::from_str(&keys).unwrap();
        assert!(settings.rooms_per_connection_max.is_some() && settings.metrics_token.is_some());
    }

    #[test]
    fn variables_are_known() {
        for name in ["SALON_HTTP_ADDR", "SALON_TOKEN", "SALON_METRICS_TOKEN", "SALON_LOG"] {
            assert!(variables().contains(name), "{name}");
        }
    }
}
