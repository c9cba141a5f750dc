//! The command line (PROTOCOL §8).

use std::ffi::OsString;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::config::Settings;
use crate::telemetry::LogSettings;

#[derive(Debug, Parser)]
#[command(
    name = "salon",
    version,
    about = "A self-hosted server for real-time rooms",
    long_about = "A self-hosted server for real-time rooms.\n\n`salon` alone is `salon serve`. Every flag has an environment variable \
                  (SALON_…, also read from .env) and a key in salon.toml; flags win over the environment, the environment over the file."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) log: LogSettings,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server: gateway and chat service in one process, with the page at `/`.
    Serve(Box<Settings>),
    /// Accounts.
    #[command(subcommand)]
    User(User),
    /// Access tokens.
    #[command(subcommand)]
    Token(Token),
    /// Rooms.
    #[command(subcommand)]
    Room(Room),
    /// Print what is said in a room, and go on printing.
    Tail(Tail),
    /// Say something in a room.
    Send(Send),
    /// Read the configuration as `serve` would, say what is wrong with it or what it comes to.
    CheckConfig(Box<CheckConfig>),
}

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Create an account.
    Add(UserAdd),
}

#[derive(Debug, Args)]
pub(crate) struct UserAdd {
    pub(crate) email: String,
    /// The display name; the left part of the e-mail unless told.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Make an administrator.
    #[arg(long)]
    pub(crate) admin: bool,
    /// Read the password from standard input (one line): the only way to give it.
    #[arg(long, required = true)]
    pub(crate) password_stdin: bool,
    #[command(flatten)]
    pub(crate) settings: Box<Settings>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Print an access token (a JWT) for somebody.
    Create(TokenCreate),
}

#[derive(Debug, Args)]
pub(crate) struct TokenCreate {
    pub(crate) email: String,
    /// How long it is good for: 90s, 15m, 1h, 30d.
    #[arg(long, default_value = "1h", value_parser = crate::config::parse_duration_s)]
    pub(crate) ttl: u64,
    #[command(flatten)]
    pub(crate) settings: Box<Settings>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Room {
    /// Create a room, owned by the first administrator where there is one.
    Create(RoomCreate),
}

#[derive(Debug, Args)]
pub(crate) struct RoomCreate {
    /// Its permanent name: a-z, 0-9 and -.
    pub(crate) name: String,
    /// The display title; the name unless told.
    #[arg(long)]
    pub(crate) title: Option<String>,
    /// Only members see it.
    #[arg(long)]
    pub(crate) private: bool,
    #[command(flatten)]
    pub(crate) settings: Box<Settings>,
}

/// Where a running server is, and who asks it.
#[derive(Debug, Args)]
pub(crate) struct Remote {
    /// The server's address.
    #[arg(long, env = "SALON_URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// An access token (`salon token create`). Never a flag: other people see command lines.
    #[arg(skip = std::env::var("SALON_TOKEN").ok())]
    pub(crate) token: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Tail {
    pub(crate) room: String,
    /// Messages from before to begin with.
    #[arg(long, default_value_t = 10)]
    pub(crate) last: u32,
    /// Print events as JSON lines.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

#[derive(Debug, Args)]
pub(crate) struct Send {
    pub(crate) room: String,
    pub(crate) text: String,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

#[derive(Debug, Args)]
pub(crate) struct CheckConfig {
    /// Print an example file with every key and its default instead.
    #[arg(long, value_enum)]
    pub(crate) example: Option<Example>,
    #[command(flatten)]
    pub(crate) settings: Box<Settings>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Example {
    Env,
    Toml,
}

/// Reads the command line; prints help or a mistake and ends the process where there is one.
pub(crate) fn parse() -> Arguments {
    Arguments::parse_from(with_default_command(std::env::args_os().collect()))
}

/// `salon` and `salon --flag` mean `salon serve`.
fn with_default_command(mut words: Vec<OsString>) -> Vec<OsString> {
    let first = words.get(1).and_then(|word| word.to_str()).unwrap_or_default();
    let own = ["-h", "--help", "-V", "--version", "help"].contains(&first);
    let command = Arguments::command().get_subcommands().any(|known| known.get_name() == first);
    let flag_or_nothing = first.is_empty() || first.starts_with('-');
    if flag_or_nothing && !own && !command {
        words.insert(1, "serve".into());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Command, clap::Error> {
        let words = words.iter().map(Into::into).collect();
        Arguments::try_parse_from(with_default_command(words)).map(|arguments| arguments.command)
    }

    #[test]
    fn salon_alone_serves() {
        assert!(matches!(parse(&["salon"]), Ok(Command::Serve(_))));
        let Ok(Command::Serve(settings)) = parse(&["salon", "--http-addr", "127.0.0.1:0"]) else { panic!("no serve") };
        assert_eq!(settings.http_addr.len(), 1);
        assert!(parse(&["salon", "sing"]).is_err());
    }

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }
}
