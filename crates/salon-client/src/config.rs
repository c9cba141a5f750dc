//! How a client is set up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use rand::TryRng as _;
use salon_core::Timestamp;
use salon_core::ports::{Clock, Randomness};
use salon_proto::v1;

use crate::Backoff;

/// Events that wait for the application unless told otherwise.
const EVENTS_MAX_DEFAULT: usize = 256;

/// Everything a client needs to know. [`ClientConfig::new`] fills in what is usually right.
#[derive(Clone)]
pub struct ClientConfig {
    /// `ws://host:port/ws`.
    pub url: String,
    pub credential: Credential,
    /// The `Origin` header, for servers that expect one.
    pub origin: Option<String>,
    /// Events that wait for the application; beyond that the socket is not read.
    pub events_max: usize,
    /// A command without an answer for this long fails, reconnections included.
    pub command_timeout: Duration,
    /// A connection that is not welcomed within this time is given up.
    pub connect_timeout: Duration,
    pub backoff: Backoff,
    pub clock: Arc<dyn Clock>,
    pub rng: Arc<dyn Randomness>,
    /// Sees every frame, for traces and tests.
    pub tap: Option<Arc<dyn Tap>>,
}

impl ClientConfig {
    #[must_use]
    pub fn new(url: impl Into<String>, credential: Credential) -> Self {
        Self {
            url: url.into(),
            credential,
            origin: None,
            events_max: EVENTS_MAX_DEFAULT,
            command_timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(15),
            backoff: Backoff::default(),
            clock: Arc::new(SystemClock),
            rng: Arc::new(SystemRandomness),
            tap: None,
        }
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig").field("url", &self.url).field("credential", &self.credential).finish_non_exhaustive()
    }
}

/// Who connects.
#[derive(Clone)]
pub enum Credential {
    /// A JWT that stays good for as long as the client runs.
    Token(String),
    /// Asked before every connection: tickets are good once, tokens expire.
    Provider(Arc<dyn CredentialProvider>),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token(…)",
            Self::Provider(_) => "Provider(…)",
        })
    }
}

/// What is shown to the server, and where (PROTOCOL §2).
#[derive(Clone, PartialEq, Eq)]
pub enum Proof {
    /// `Authorization: Bearer …` at the handshake.
    Bearer(String),
    /// `hello {token}` as the first frame.
    Hello(String),
    /// `?ticket=…`, good once.
    Ticket(String),
    /// A `Cookie` header, as a browser sends it.
    Cookie(String),
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bearer(_) => "Bearer(…)",
            Self::Hello(_) => "Hello(…)",
            Self::Ticket(_) => "Ticket(…)",
            Self::Cookie(_) => "Cookie(…)",
        })
    }
}

/// Why there is no credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// There will never be one: the client stops.
    #[error("{0}")]
    Refused(String),
    /// Not now: the client tries again later.
    #[error("{0}")]
    Unavailable(String),
}

/// Gives credentials.
pub trait CredentialProvider: Send + Sync + 'static {
    /// For the next connection.
    fn proof(&self) -> BoxFuture<'_, Result<Proof, CredentialError>>;

    /// A fresh token for the open connection, shortly before `welcome.expires_at`. `None`: let it expire.
    fn renew(&self) -> BoxFuture<'_, Result<Option<String>, CredentialError>> {
        Box::pin(async { Ok(None) })
    }
}

/// Sees what goes over the wire: `connection` counts the connections of one client from 1.
pub trait Tap: Send + Sync + 'static {
    fn opened(&self, _connection: u64) {}
    fn sent(&self, _connection: u64, _frame: &v1::ClientFrame) {}
    /// Before anything is done with it. `answers` is the command that an acknowledgement or an error replies to.
    fn received(&self, _connection: u64, _frame: &v1::ServerFrame, _answers: Option<&v1::ClientFrame>) {}
    /// `code` is absent where the connection broke without a close frame.
    fn closed(&self, _connection: u64, _code: Option<u16>) {}
}

/// The computer's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one clock that reads the real time")]
    fn now(&self) -> Timestamp {
        let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The operating system's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    #[expect(clippy::expect_used, reason = "getrandom(2) cannot fail once the kernel has booted; without it no id is safe")]
    fn fill(&self, bytes: &mut [u8]) {
        rand::rngs::SysRng.try_fill_bytes(bytes).expect("the operating system gives random bytes");
    }
}
