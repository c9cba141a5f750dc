//! Every key of the configuration. One struct is the command line, the environment and the file at once, so that the
//! three cannot differ.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::Args;
use salon_core::limits::Limits;
use salon_service::{RoomCreation, ServiceConfig, SignupPolicy};
use serde::Deserialize;

use super::{BadConfig, file};

const DEFAULT_HTTP_ADDR: &str = "127.0.0.1:8080";
const DEFAULT_GRPC_ADDR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 50051);
const DEFAULT_DRAIN_S: u64 = 10;

#[derive(Debug, Clone, Default, PartialEq, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// The configuration file.
    #[arg(long, env = "SALON_CONFIG", value_name = "FILE", help_heading = "Where", default_value = "salon.toml")]
    #[serde(skip)]
    pub(crate) config: PathBuf,
    /// Where the embedded database and the node's key are kept.
    #[arg(long, env = "SALON_DATA_DIR", value_name = "DIR", help_heading = "Where")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Listen for HTTP and WebSocket here; port 0 means any free port. Repeatable.
    #[arg(long, env = "SALON_HTTP_ADDR", value_name = "ADDR:PORT", value_delimiter = ',', help_heading = "Where")]
    pub(crate) http_addr: Vec<SocketAddr>,
    /// Listen for gRPC here; port 0 means any free port.
    #[arg(long, env = "SALON_GRPC_ADDR", value_name = "ADDR:PORT", help_heading = "Where")]
    pub(crate) grpc_addr: Option<SocketAddr>,
    /// The database: sqlite:PATH; salon.db in the data directory unless told.
    #[arg(long, env = "SALON_DATABASE_URL", value_name = "URL", help_heading = "Where")]
    pub(crate) database_url: Option<String>,
    /// An origin from which browsers may connect, exactly as they send it; the printed address as localhost and 127.0.0.1
    /// unless told. The first one also begins the links that are printed. Repeatable.
    #[arg(long, env = "SALON_ORIGIN", value_name = "URL", value_delimiter = ',', help_heading = "Where")]
    pub(crate) origin: Vec<String>,

    /// Who may create an account: open, invite or closed.
    #[arg(long, env = "SALON_SIGNUP", value_name = "WHO", help_heading = "Who")]
    pub(crate) signup: Option<String>,
    /// Who may create rooms: everyone or admins.
    #[arg(long, env = "SALON_ROOM_CREATION", value_name = "WHO", help_heading = "Who")]
    pub(crate) room_creation: Option<String>,
    /// Accept access tokens in the URL of a WebSocket (true or false).
    #[arg(long, env = "SALON_TOKEN_IN_URL", value_name = "BOOL", help_heading = "Who")]
    pub(crate) token_in_url: Option<bool>,
    /// Life of an access token of a login, in seconds.
    #[arg(long, env = "SALON_ACCESS_TOKEN_S", value_name = "SECONDS", help_heading = "Who")]
    pub(crate) access_token_s: Option<u32>,
    /// Life of a login, in days.
    #[arg(long, env = "SALON_LOGIN_DAYS", value_name = "DAYS", help_heading = "Who")]
    pub(crate) login_days: Option<u32>,
    /// Who presents this as a bearer token may read the metrics from afar. Environment or file only.
    #[arg(skip = std::env::var("SALON_METRICS_TOKEN").ok())]
    pub(crate) metrics_token: Option<String>,

    /// Drop entries that are older than this many days; everything is kept unless told.
    #[arg(long, env = "SALON_RETENTION_DAYS", value_name = "DAYS", help_heading = "How")]
    pub(crate) retention_days: Option<u32>,
    /// On SIGTERM, let clients go for at most this many seconds.
    #[arg(long, env = "SALON_DRAIN_S", value_name = "SECONDS", help_heading = "How")]
    pub(crate) drain_s: Option<u64>,
    /// Heartbeat of connections, in milliseconds.
    #[arg(long, env = "SALON_HEARTBEAT_MS", value_name = "MS", help_heading = "How")]
    pub(crate) heartbeat_ms: Option<u32>,
    /// Passwords hashed at the same time; each takes 19 MiB.
    #[arg(long, env = "SALON_HASHING_THREADS", value_name = "N", help_heading = "How")]
    pub(crate) hashing_threads: Option<usize>,

    /// Connections in all.
    #[arg(long, env = "SALON_CONNECTIONS_MAX", value_name = "N", help_heading = "Limits")]
    pub(crate) connections_max: Option<usize>,
    /// Connections from one address.
    #[arg(long, env = "SALON_CONNECTIONS_PER_IP_MAX", value_name = "N", help_heading = "Limits")]
    pub(crate) connections_per_ip_max: Option<usize>,
    /// One WebSocket message, in bytes.
    #[arg(long, env = "SALON_FRAME_BYTES_MAX", value_name = "BYTES", help_heading = "Limits")]
    pub(crate) frame_bytes_max: Option<usize>,
    /// The content of a message, in bytes of UTF-8.
    #[arg(long, env = "SALON_CONTENT_BYTES_MAX", value_name = "BYTES", help_heading = "Limits")]
    pub(crate) content_bytes_max: Option<usize>,
    /// `extra` of a message, in bytes of JSON.
    #[arg(long, env = "SALON_EXTRA_BYTES_MAX", value_name = "BYTES", help_heading = "Limits")]
    pub(crate) extra_bytes_max: Option<usize>,
    /// `emoji` of a reaction, in bytes.
    #[arg(long, env = "SALON_EMOJI_BYTES_MAX", value_name = "BYTES", help_heading = "Limits")]
    pub(crate) emoji_bytes_max: Option<usize>,
    /// Commands of one connection that wait for an answer.
    #[arg(long, env = "SALON_COMMANDS_IN_FLIGHT_MAX", value_name = "N", help_heading = "Limits")]
    pub(crate) commands_in_flight_max: Option<usize>,
    /// Messages that a person may send at once.
    #[arg(long, env = "SALON_MESSAGE_BURST", value_name = "N", help_heading = "Limits")]
    pub(crate) message_burst: Option<u32>,
    /// Messages that a person may send in the long run, per second.
    #[arg(long, env = "SALON_MESSAGES_PER_S", value_name = "N", help_heading = "Limits")]
    pub(crate) messages_per_s: Option<u32>,
    /// Rooms that one connection may have joined.
    #[arg(long, env = "SALON_ROOMS_PER_CONNECTION_MAX", value_name = "N", help_heading = "Limits")]
    pub(crate) rooms_per_connection_max: Option<usize>,
}

impl Settings {
    /// These settings, completed by the configuration file.
    pub(crate) fn complete(self) -> Result<Self, BadConfig> {
        let file = file::read(&self.config, self.config != Path::new("salon.toml"))?;
        Ok(self.or(file))
    }

    /// Ours where we have a value, the other's elsewhere.
    fn or(self, other: Self) -> Self {
        Self {
            config: self.config,
            data_dir: self.data_dir.or(other.data_dir),
            http_addr: if self.http_addr.is_empty() { other.http_addr } else { self.http_addr },
            grpc_addr: self.grpc_addr.or(other.grpc_addr),
            database_url: self.database_url.or(other.database_url),
            origin: if self.origin.is_empty() { other.origin } else { self.origin },
            signup: self.signup.or(other.signup),
            room_creation: self.room_creation.or(other.room_creation),
            token_in_url: self.token_in_url.or(other.token_in_url),
            access_token_s: self.access_token_s.or(other.access_token_s),
            login_days: self.login_days.or(other.login_days),
            metrics_token: self.metrics_token.or(other.metrics_token),
            retention_days: self.retention_days.or(other.retention_days),
            drain_s: self.drain_s.or(other.drain_s),
            heartbeat_ms: self.heartbeat_ms.or(other.heartbeat_ms),
            hashing_threads: self.hashing_threads.or(other.hashing_threads),
            connections_max: self.connections_max.or(other.connections_max),
            connections_per_ip_max: self.connections_per_ip_max.or(other.connections_per_ip_max),
            frame_bytes_max: self.frame_bytes_max.or(other.frame_bytes_max),
            content_bytes_max: self.content_bytes_max.or(other.content_bytes_max),
            extra_bytes_max: self.extra_bytes_max.or(other.extra_bytes_max),
            emoji_bytes_max: self.emoji_bytes_max.or(other.emoji_bytes_max),
            commands_in_flight_max: self.commands_in_flight_max.or(other.commands_in_flight_max),
            message_burst: self.message_burst.or(other.message_burst),
            messages_per_s: self.messages_per_s.or(other.messages_per_s),
            rooms_per_connection_max: self.rooms_per_connection_max.or(other.rooms_per_connection_max),
        }
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.data_dir.clone().unwrap_or_else(|| PathBuf::from("data"))
    }

    pub(crate) fn http_addrs(&self) -> Vec<SocketAddr> {
        if self.http_addr.is_empty() { DEFAULT_HTTP_ADDR.parse().into_iter().collect() } else { self.http_addr.clone() }
    }

    pub(crate) fn grpc_addr(&self) -> SocketAddr {
        self.grpc_addr.unwrap_or(DEFAULT_GRPC_ADDR)
    }

    pub(crate) fn drain_s(&self) -> u64 {
        self.drain_s.unwrap_or(DEFAULT_DRAIN_S)
    }

    /// The file of the embedded database.
    pub(crate) fn database(&self) -> Result<PathBuf, BadConfig> {
        match self.database_url.as_deref() {
            None => Ok(self.data_dir().join("salon.db")),
            Some(url) => match url.strip_prefix("sqlite:") {
                Some(path) if !path.is_empty() => Ok(PathBuf::from(path)),
                Some(_) | None => {
                    let scheme = url.split_once(':').map_or(url, |(scheme, _)| scheme);
                    Err(BadConfig::new("database_url", scheme, "this version keeps its data in sqlite:PATH"))
                }
            },
        }
    }

    /// The origins that browsers may come from, given the address of the first listener.
    pub(crate) fn origins(&self, first: SocketAddr) -> Vec<String> {
        if !self.origin.is_empty() {
            return self.origin.iter().map(|origin| origin.trim_end_matches('/').to_owned()).collect();
        }
        let port = first.port();
        let mut origins = vec![format!("http://localhost:{port}"), format!("http://127.0.0.1:{port}")];
        if !first.ip().is_loopback() && !first.ip().is_unspecified() {
            origins.push(format!("http://{first}"));
        }
        origins
    }

    pub(crate) fn limits(&self) -> Result<Limits, BadConfig> {
        let default = Limits::default();
        let limits = Limits {
            frame_bytes_max: at_least("frame_bytes_max", self.frame_bytes_max, default.frame_bytes_max, 1024)?,
            content_bytes_max: at_least("content_bytes_max", self.content_bytes_max, default.content_bytes_max, 1)?,
            extra_bytes_max: self.extra_bytes_max.unwrap_or(default.extra_bytes_max),
            emoji_bytes_max: at_least("emoji_bytes_max", self.emoji_bytes_max, default.emoji_bytes_max, 1)?,
            client_id_bytes_max: default.client_id_bytes_max,
            commands_in_flight_max: at_least(
                "commands_in_flight_max",
                self.commands_in_flight_max,
                default.commands_in_flight_max,
                1,
            )?,
            message_burst: at_least("message_burst", self.message_burst, default.message_burst, 1)?,
            messages_per_s: at_least("messages_per_s", self.messages_per_s, default.messages_per_s, 1)?,
            rooms_per_connection_max: at_least(
                "rooms_per_connection_max",
                self.rooms_per_connection_max,
                default.rooms_per_connection_max,
                1,
            )?,
        };
        if limits.content_bytes_max > limits.frame_bytes_max {
            let remedy = format!("a message travels in one frame: stay below frame_bytes_max ({})", limits.frame_bytes_max);
            return Err(BadConfig::new("content_bytes_max", limits.content_bytes_max, remedy));
        }
        Ok(limits)
    }

    pub(crate) fn service(&self, public_url: String) -> Result<ServiceConfig, BadConfig> {
        let default = ServiceConfig::default();
        Ok(ServiceConfig {
            limits: self.limits()?,
            signup: choose("signup", self.signup.as_deref(), &SIGNUP, default.signup)?,
            room_creation: choose("room_creation", self.room_creation.as_deref(), &ROOM_CREATION, default.room_creation)?,
            key_dir: Some(self.data_dir()),
            public_url,
            token_in_url: self.token_in_url.unwrap_or(default.token_in_url),
            access_token_s: self.access_token_s.unwrap_or(default.access_token_s),
            login_days: self.login_days.unwrap_or(default.login_days),
            retention_days: self.retention_days.or(default.retention_days),
            heartbeat_ms: self.heartbeat_ms()?,
            hashing_threads: at_least("hashing_threads", self.hashing_threads, default.hashing_threads, 1)?,
        })
    }

    /// Everything that can be wrong with the values, without opening anything.
    pub(crate) fn check(&self) -> Result<(), BadConfig> {
        self.database()?;
        at_least("connections_max", self.connections_max, 1, 1)?;
        at_least("connections_per_ip_max", self.connections_per_ip_max, 1, 1)?;
        at_least("retention_days", self.retention_days, 1, 1)?;
        self.service(String::new())?;
        Ok(())
    }

    pub(crate) fn heartbeat_ms(&self) -> Result<u32, BadConfig> {
        at_least("heartbeat_ms", self.heartbeat_ms, ServiceConfig::default().heartbeat_ms, 100)
    }
}

const SIGNUP: [(&str, SignupPolicy); 3] =
    [("open", SignupPolicy::Open), ("invite", SignupPolicy::Invite), ("closed", SignupPolicy::Closed)];
const ROOM_CREATION: [(&str, RoomCreation); 2] = [("everyone", RoomCreation::Everyone), ("admins", RoomCreation::Admins)];

fn choose<T: Copy>(key: &str, value: Option<&str>, choices: &[(&str, T)], default: T) -> Result<T, BadConfig> {
    let Some(value) = value else { return Ok(default) };
    let found = choices.iter().find(|(name, _)| *name == value).map(|(_, choice)| *choice);
    let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
    found.ok_or_else(|| BadConfig::new(key, value, format!("use one of: {}", names.join(", "))))
}

fn at_least<T: Copy + PartialOrd + std::fmt::Display>(key: &str, value: Option<T>, default: T, least: T) -> Result<T, BadConfig> {
    let value = value.unwrap_or(default);
    if value < least { Err(BadConfig::new(key, value, format!("use at least {least}"))) } else { Ok(value) }
}

/// Reads `90s`, `15m`, `1h` or `30d` as seconds.
pub(crate) fn parse_duration_s(text: &str) -> Result<u64, String> {
    const REMEDY: &str = "write a number and a unit: 90s, 15m, 1h, 30d";
    let unit = text.chars().last().ok_or(REMEDY)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(REMEDY.to_owned()),
    };
    let count: u64 = text[..text.len() - 1].parse().map_err(|_| REMEDY)?;
    count.checked_mul(seconds).filter(|total| *total > 0).ok_or_else(|| REMEDY.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_choice_names_key_value_and_remedy() {
        let settings = Settings { signup: Some("anyone".into()), ..Settings::default() };
        let error = settings.service(String::new()).unwrap_err();
        assert_eq!(error.to_string(), r#"configuration: signup = "anyone": use one of: open, invite, closed"#);
    }

    #[test]
    fn flags_win_over_the_file() {
        let flags = Settings { signup: Some("open".into()), ..Settings::default() };
        let file = Settings { signup: Some("closed".into()), drain_s: Some(3), ..Settings::default() };
        let both = flags.or(file);
        assert_eq!((both.signup.as_deref(), both.drain_s()), (Some("open"), 3));
    }

    #[test]
    fn origins_are_the_printed_address_unless_told() {
        let first = "127.0.0.1:8080".parse().unwrap();
        assert_eq!(Settings::default().origins(first), ["http://localhost:8080", "http://127.0.0.1:8080"]);
        let told = Settings { origin: vec!["https://chat.example.org/".into()], ..Settings::default() };
        assert_eq!(told.origins(first), ["https://chat.example.org"]);
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(parse_duration_s("15m"), Ok(900));
        for bad in ["", "15", "m", "-1h", "0s", "99999999999999999999d", "1é"] {
            assert!(parse_duration_s(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn other_databases_are_refused_without_repeating_their_password() {
        let settings = Settings { database_url: Some("postgres://u:secret@db/x".into()), ..Settings::default() };
        let error = settings.database().unwrap_err().to_string();
        assert!(!error.contains("secret") && error.contains("postgres"), "{error}");
    }
}
