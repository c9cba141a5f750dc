//! Accounts: made by sign-up or by the command line, renamed by their owners.

use salon_core::ports::{NewAccount, SecretHash, SignUp, User};
use salon_core::{CommandError, Epoch, ErrorCode, Timestamp, UserId};

use super::fields::{self, Email};
use super::login::{Granted, Invited};
use super::secret::{self, Secret};
use super::{Auth, store_error};
use crate::SignupPolicy;

/// Longest life of a token from the command line, in seconds: a year and a day.
const TOKEN_LIFE_S_MAX: u32 = 366 * 24 * 3600;

/// What somebody fills in to get an account.
pub struct SignUpRequest {
    pub email: String,
    pub password: String,
    /// The left part of the e-mail address where there is none.
    pub name: Option<String>,
    pub invite: Option<String>,
}

impl std::fmt::Debug for SignUpRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignUpRequest").finish_non_exhaustive()
    }
}

/// The invitation behind a sign-up.
struct Invitation {
    hash: SecretHash,
    by: Option<UserId>,
}

impl Auth {
    /// Creates an account where the sign-up policy or an invitation allows it, and logs it in.
    ///
    /// # Errors
    /// `invalid` with the field, `forbidden` where sign-up is closed, `conflict` where the address has an account,
    /// `rate_limited`, `unavailable`.
    pub async fn sign_up(&self, request: SignUpRequest, peer: &str) -> Result<Granted, CommandError> {
        let email = Email::parse(&request.email)?;
        let name = fields::parse_name(&request.name.unwrap_or_else(|| email.local_part()))?;
        fields::check_new_password(&request.password)?;
        self.attempts.begin(peer, email.as_str(), self.clock.now())?;
        // Asked before the costly hash, and before anything is said about the address.
        let invitation = self.invitation(request.invite.as_deref()).await?;
        let (invite, invited_by) = invitation.map(|invitation| (invitation.hash, invitation.by)).unzip();
        let password = self.passwords.hash(request.password, &*self.rng).await?;
        let new = self.new_account(email, name, password, invite);
        match self.store.sign_up(new).await.map_err(|error| store_error(&error))? {
            SignUp::Created { user, room } => {
                tracing::info!(user = %user.id, admin = user.admin, "signed up");
                if user.admin {
                    self.withdraw_setup_invites().await?;
                }
                let invited = room.map(|room| Invited { room, by: invited_by.flatten() });
                Ok(Granted { invited, ..self.grant(user).await? })
            }
            SignUp::EmailTaken => Err(email_taken()),
            SignUp::InviteInvalid => Err(invite_invalid()),
        }
    }

    /// Creates an account from the command line: no policy, no invitation.
    ///
    /// # Errors
    /// `invalid` with the field, `conflict` where the address has an account, `unavailable`.
    pub async fn add_user(&self, email: &str, name: Option<&str>, password: String, admin: bool) -> Result<User, CommandError> {
        let email = Email::parse(email)?;
        let name = fields::parse_name(&name.map_or_else(|| email.local_part(), str::to_owned))?;
        fields::check_new_password(&password)?;
        let password = self.passwords.hash(password, &*self.rng).await?;
        let new = NewAccount { admin, ..self.new_account(email, name, password, None) };
        match self.store.sign_up(new).await.map_err(|error| store_error(&error))? {
            SignUp::Created { user, .. } => {
                if user.admin {
                    self.withdraw_setup_invites().await?;
                }
                Ok(user)
            }
            SignUp::EmailTaken => Err(email_taken()),
            SignUp::InviteInvalid => Err(invite_invalid()),
        }
    }

    /// A token from the command line: no login stands behind it, so that only its expiry (or disabling the account) ends it.
    ///
    /// # Errors
    /// `not_found`, `invalid` for a life of 0 or more than a year, `unavailable`.
    pub async fn create_token(&self, email: &str, life_s: u32) -> Result<Secret, CommandError> {
        if life_s == 0 || life_s > TOKEN_LIFE_S_MAX {
            return Err(CommandError::invalid("ttl", "a token lives from one second to 366 days"));
        }
        let email = Email::parse(email)?;
        let known = self.store.user_by_email(email.as_str()).await.map_err(|error| store_error(&error))?;
        let user = known.map(|known| known.user).filter(|user| !user.disabled);
        let user = user.ok_or_else(|| CommandError::new(ErrorCode::NotFound, "nobody has this e-mail address"))?;
        self.tokens.issue(&user.id, None, self.clock.now(), life_s, &*self.rng)
    }

    /// Gives somebody another display name.
    ///
    /// # Errors
    /// `invalid`, field `name`; `unauthenticated` where the account is gone; `unavailable`.
    pub async fn rename(&self, user: &UserId, name: &str) -> Result<User, CommandError> {
        let name = fields::parse_name(name)?;
        let renamed = self.store.update_user(user, Some(&name), None, self.clock.now()).await;
        renamed.map_err(|error| store_error(&error))?.ok_or_else(super::unauthenticated)
    }

    /// Is there an administrator yet?
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn has_admin(&self) -> Result<bool, CommandError> {
        self.store.has_admin().await.map_err(|error| store_error(&error))
    }

    /// The invitation of this code where sign-up may go on with it; `None` where it may go on without.
    async fn invitation(&self, code: Option<&str>) -> Result<Option<Invitation>, CommandError> {
        let Some(code) = code.filter(|code| !code.trim().is_empty()) else {
            return match self.signup {
                SignupPolicy::Open => Ok(None),
                SignupPolicy::Invite => Err(CommandError::invalid("invite", "sign-up here needs an invitation")),
                SignupPolicy::Closed => Err(sign_up_closed()),
            };
        };
        let hash = secret::hash_presented_code(code).ok_or_else(invite_invalid)?;
        let invite = self.usable_invite(&hash).await?.ok_or_else(invite_invalid)?;
        match self.signup {
            SignupPolicy::Closed if !invite.admin => Err(sign_up_closed()),
            SignupPolicy::Open | SignupPolicy::Invite | SignupPolicy::Closed => {
                Ok(Some(Invitation { hash, by: invite.created_by }))
            }
        }
    }

    fn new_account(&self, email: Email, name: String, password: String, invite: Option<SecretHash>) -> NewAccount {
        let at: Timestamp = self.clock.now();
        NewAccount {
            id: UserId::mint(self.rng.next_u128()),
            email: email.as_str().to_owned(),
            name,
            password,
            admin: false,
            epoch: Epoch::mint(self.rng.next_u64()),
            at,
            invite,
        }
    }
}

fn email_taken() -> CommandError {
    CommandError { field: Some("email"), ..CommandError::new(ErrorCode::Conflict, "this e-mail address has an account: log in") }
}

fn sign_up_closed() -> CommandError {
    CommandError::forbidden("sign-up is closed on this server")
}

pub(super) fn invite_invalid() -> CommandError {
    CommandError::invalid("invite", "this invitation is unknown, used up or expired: ask for a new one")
}
