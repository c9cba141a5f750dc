//! What can be configured about the service. The binary reads it; the defaults are here.

use std::path::PathBuf;

use salon_core::limits::Limits;

#[derive(Debug, Clone)]
pub struct ServiceConfig {
    pub limits: Limits,
    pub signup: SignupPolicy,
    pub room_creation: RoomCreation,
    /// Where the node keeps its token key (0600). `None`: a key for this process only, for tests.
    pub key_dir: Option<PathBuf>,
    /// `http://localhost:8080`: what links to the server begin with.
    pub public_url: String,
    /// `?token=` on `/ws` and its like.
    pub token_in_url: bool,
    /// Life of an access token, in seconds.
    pub access_token_s: u32,
    /// Life of a login, in days.
    pub login_days: u32,
    /// Entries older than this are dropped; `None` keeps everything.
    pub retention_days: Option<u32>,
    /// Heartbeat told to clients, in milliseconds.
    pub heartbeat_ms: u32,
    /// argon2id hashes computed at the same time.
    pub hashing_threads: usize,
}

impl Default for ServiceConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            signup: SignupPolicy::Invite,
            room_creation: RoomCreation::Everyone,
            key_dir: None,
            public_url: "http://localhost:8080".to_owned(),
            token_in_url: true,
            access_token_s: 900,
            login_days: 30,
            retention_days: None,
            heartbeat_ms: 25_000,
            hashing_threads: 2,
        }
    }
}

/// Who may create an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignupPolicy {
    Open,
    Invite,
    Closed,
}

/// Who may create rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomCreation {
    Everyone,
    Admins,
}
