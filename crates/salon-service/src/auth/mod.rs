//! Accounts: sign-up, login, tokens, tickets, invitations. Nothing works anonymously.

use salon_core::ports::User;
use salon_core::{CommandError, LoginId, Timestamp};
use salon_proto::link::open_session::Credential;

use crate::{Parts, StartError};

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
#[derive(Debug)]
pub struct Auth {}

impl Auth {
    pub(crate) async fn start(_parts: &Parts) -> Result<Self, StartError> {
        Ok(Self {})
    }

    /// Who presents this credential. A ticket is consumed.
    ///
    /// # Errors
    /// `unauthenticated`, or `unavailable` where the store does not answer.
    pub async fn open(&self, _credential: &Credential) -> Result<Identity, CommandError> {
        Err(CommandError::unavailable("not built yet"))
    }
}
