//! Accounts: sign-up, login, tokens, tickets, invitations. Nothing works anonymously.
//!
//! A login stands behind everything that a person's device holds: the access token, the refresh token, the session
//! cookie and the tickets all end with it. Secrets are shown once and kept as hashes.

use std::sync::Arc;

use salon_core::ports::{Bus, Clock, Randomness, Store, StoreError, User};
use salon_core::{CommandError, ErrorCode, LoginId, Timestamp, UserId};
use salon_proto::link::open_session::Credential;

use crate::{Parts, SignupPolicy, StartError};

mod account;
mod attempts;
mod fields;
mod invite;
mod key;
mod login;
mod password;
mod people;
mod secret;
#[cfg(test)]
pub(crate) mod tests;
mod ticket;
mod token;

pub use account::SignUpRequest;
pub use invite::{InviteRequest, InviteView, NewCode};
pub use login::{Granted, Invited};
pub use people::People;
pub use secret::Secret;

pub(crate) use fields::parse_name;
pub(crate) use invite::INVITE_LIFE_S_DEFAULT;
pub(crate) use ticket::TICKET_LIFE_S;

use attempts::Attempts;
use password::Passwords;
use token::Tokens;

/// When to ask a store again that did not answer, in milliseconds.
const STORE_RETRY_AFTER_MS: u64 = 1_000;

/// Who acts, as a credential proved it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub user: User,
    /// The login that the credential belongs to; what it makes lives as long as that login.
    pub login: Option<LoginId>,
    /// When the credential expires, where no login stands behind it.
    pub expires_at: Option<Timestamp>,
}

/// Proves identities and makes the secrets that prove them.
pub struct Auth {
    store: Arc<dyn Store>,
    bus: Arc<dyn Bus>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Randomness>,
    tokens: Tokens,
    passwords: Passwords,
    attempts: Attempts,
    signup: SignupPolicy,
    public_url: String,
    access_token_s: u32,
    login_days: u32,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth").field("tokens", &self.tokens).finish_non_exhaustive()
    }
}

impl Auth {
    /// Opens the accounts: reads or makes this node's token key and publishes its public half. A service is not needed;
    /// the command line works on accounts this way.
    ///
    /// # Errors
    /// The store does not answer, or the key cannot be read or written.
    pub async fn start(parts: &Parts) -> Result<Self, StartError> {
        let key = key::NodeKey::open(parts.config.key_dir.as_deref(), &*parts.rng)?;
        parts.store.publish_key(&key.kid, &key.public, parts.clock.now()).await?;
        Ok(Self {
            store: parts.store.clone(),
            bus: parts.bus.clone(),
            clock: parts.clock.clone(),
            rng: parts.rng.clone(),
            tokens: Tokens::new(key, parts.store.clone()),
            passwords: Passwords::new(parts.config.hashing_threads),
            attempts: Attempts::new(),
            signup: parts.config.signup,
            public_url: parts.config.public_url.trim_end_matches('/').to_owned(),
            access_token_s: parts.config.access_token_s,
            login_days: parts.config.login_days,
        })
    }

    /// Who presents this credential. A ticket is consumed.
    ///
    /// # Errors
    /// `unauthenticated`, or `unavailable` where the store does not answer.
    pub async fn open(&self, credential: &Credential) -> Result<Identity, CommandError> {
        match credential {
            Credential::Ticket(ticket) => self.open_ticket(ticket).await,
            Credential::Token(token) => self.open_token(token).await,
            Credential::Cookie(cookie) => self.open_cookie(cookie).await,
        }
    }

    /// Waits for the password hashes that are being computed; later ones are refused.
    pub async fn stop(&self) {
        self.passwords.stop().await;
    }

    pub(crate) fn signup_policy(&self) -> SignupPolicy {
        self.signup
    }

    /// Browsers reach this server over TLS, if the public URL is right.
    pub(crate) fn is_https(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// Life of a login, in seconds.
    pub(crate) fn login_life_s(&self) -> u64 {
        u64::from(self.login_days) * 24 * 3600
    }

    async fn open_token(&self, token: &str) -> Result<Identity, CommandError> {
        let now = self.clock.now();
        let verified = self.tokens.verify(token, now).await?;
        let identity = match &verified.login {
            Some(login) => self.living_login(login).await?,
            None => self.without_login(&verified.user, Some(verified.expires_at)).await?,
        };
        if identity.user.id == verified.user { Ok(identity) } else { Err(unauthenticated()) }
    }

    async fn open_cookie(&self, cookie: &str) -> Result<Identity, CommandError> {
        let hash = secret::hash_presented(cookie).ok_or_else(unauthenticated)?;
        let login = self.store.login_by_cookie(&hash, self.clock.now()).await.map_err(|error| store_error(&error))?;
        let login = login.ok_or_else(unauthenticated)?;
        Ok(Identity { user: login.user, login: Some(login.id), expires_at: None })
    }

    /// The store is asked each time: a login that was ended is not believed for one more second.
    async fn living_login(&self, login: &LoginId) -> Result<Identity, CommandError> {
        let login = self.store.login(login, self.clock.now()).await.map_err(|error| store_error(&error))?;
        let login = login.ok_or_else(unauthenticated)?;
        Ok(Identity { user: login.user, login: Some(login.id), expires_at: None })
    }

    async fn without_login(&self, user: &UserId, expires_at: Option<Timestamp>) -> Result<Identity, CommandError> {
        let user = self.store.user(user).await.map_err(|error| store_error(&error))?;
        let user = user.filter(|user| !user.disabled).ok_or_else(unauthenticated)?;
        Ok(Identity { user, login: None, expires_at })
    }
}

fn unauthenticated() -> CommandError {
    CommandError::new(ErrorCode::Unauthenticated, "log in: the credential is missing, wrong or no longer valid")
}

/// What somebody is told whose command met a store that did not answer. What exactly it said is for the log.
pub(crate) fn store_error(error: &StoreError) -> CommandError {
    tracing::warn!(%error, "the store did not answer");
    match error {
        StoreError::Unavailable(_) => {
            let told = CommandError::unavailable("the store does not answer at this moment: try again");
            CommandError { retry_after_ms: Some(STORE_RETRY_AFTER_MS), ..told }
        }
        StoreError::Failed(_) => CommandError::unavailable("the store has failed"),
    }
}
