//! People, logins, invitations and keys, as a store keeps them.
//!
//! Secrets (passwords, refresh tokens, tickets, cookies, codes) never reach a store: it keeps hashes.

use crate::entry::Entry;
use crate::ids::{Epoch, LoginId, RoomId, UserId};
use crate::ports::StoreError;
use crate::time::Timestamp;

/// SHA-256 of a secret with at least 128 random bits.
pub type SecretHash = [u8; 32];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub email: String,
    pub name: String,
    pub admin: bool,
    /// May not log in any more; open sessions were ended.
    pub disabled: bool,
    pub created_at: Timestamp,
}

#[derive(Clone, PartialEq, Eq)]
pub struct NewAccount {
    pub id: UserId,
    /// As given; unique in lower case.
    pub email: String,
    pub name: String,
    /// PHC string of argon2id.
    pub password: String,
    pub admin: bool,
    /// Epoch of the person's own log, which is created with the account.
    pub epoch: Epoch,
    pub at: Timestamp,
    /// Consumed in the same transaction; an administrator's invitation makes an administrator.
    pub invite: Option<SecretHash>,
}

impl std::fmt::Debug for NewAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewAccount").field("id", &self.id).field("admin", &self.admin).finish_non_exhaustive()
    }
}

/// What became of a sign-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignUp {
    /// `room` is where the invitation leads.
    Created {
        user: User,
        room: Option<RoomId>,
    },
    EmailTaken,
    /// Unknown, used up or expired.
    InviteInvalid,
}

/// What a login compares with.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub user: User,
    /// PHC string of argon2id.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLogin {
    pub id: LoginId,
    pub user: UserId,
    pub refresh: SecretHash,
    pub cookie: SecretHash,
    pub at: Timestamp,
    pub expires_at: Timestamp,
}

/// One login, alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    pub id: LoginId,
    pub user: User,
    pub expires_at: Timestamp,
}

/// What came of presenting a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    Rotated(Login),
    /// It had been rotated before: somebody has stolen one of the two. The login is ended now.
    Reused(LoginId, UserId),
    Unknown,
}

/// What a ticket stands for. `login` is `None` for a token that no login made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    pub user: UserId,
    pub login: Option<LoginId>,
    /// When the credential behind the ticket expires, where it does.
    pub session_expires_at: Option<Timestamp>,
    pub expires_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInvite {
    pub hash: SecretHash,
    /// `None`: made by the server itself (the one-time link of the first start) or by the command line.
    pub created_by: Option<UserId>,
    /// Leads into this room.
    pub room: Option<RoomId>,
    /// Makes an administrator.
    pub admin: bool,
    pub uses_max: u32,
    pub at: Timestamp,
    pub expires_at: Option<Timestamp>,
}

/// An invitation that can still be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    pub room: Option<RoomId>,
    pub admin: bool,
    pub created_by: Option<UserId>,
}

/// What came of using an invitation with an existing account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InviteUse {
    Used(Invite),
    Invalid,
}

/// A login that ended, or all of somebody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Ascending; ask for what came after it.
    pub number: u64,
    pub user: UserId,
    pub login: Option<LoginId>,
}

#[async_trait::async_trait]
pub trait Accounts: Send + Sync + 'static {
    /// Creates an account and its own log.
    async fn sign_up(&self, new: NewAccount) -> Result<SignUp, StoreError>;

    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError>;

    /// By e-mail address; case does not matter.
    async fn user_by_email(&self, email: &str) -> Result<Option<Credentials>, StoreError>;

    /// Display names; unknown ids are left out.
    async fn names(&self, ids: &[UserId]) -> Result<Vec<(UserId, String)>, StoreError>;

    /// People whose name or e-mail starts with `prefix` (case does not matter), in order of id behind `after`.
    async fn users(&self, prefix: &str, after: Option<&UserId>, limit: u32) -> Result<Vec<User>, StoreError>;

    /// Is there anybody, and is there an administrator?
    async fn has_admin(&self) -> Result<bool, StoreError>;

    /// Changes what is `Some`. A new password ends every login. `Ok(None)`: there is no such person.
    async fn update_user(
        &self,
        id: &UserId,
        name: Option<&str>,
        password: Option<&str>,
        at: Timestamp,
    ) -> Result<Option<User>, StoreError>;

    /// Sets a new password and ends every login but `keep`, with a revocation for each; without `keep`, all of them with
    /// one revocation. Returns the logins that it ended. `Ok(None)`: there is no such person.
    async fn change_password(
        &self,
        id: &UserId,
        password: &str,
        keep: Option<&LoginId>,
        at: Timestamp,
    ) -> Result<Option<Vec<LoginId>>, StoreError>;

    async fn create_login(&self, new: NewLogin) -> Result<(), StoreError>;

    /// A login that is alive: neither ended nor expired, its owner not disabled.
    async fn login(&self, id: &LoginId, now: Timestamp) -> Result<Option<Login>, StoreError>;

    async fn login_by_cookie(&self, cookie: &SecretHash, now: Timestamp) -> Result<Option<Login>, StoreError>;

    /// Replaces a refresh token by the next one; the old one stays known for reuse detection.
    async fn rotate_refresh(&self, old: &SecretHash, new: &SecretHash, now: Timestamp) -> Result<Rotation, StoreError>;

    /// Ends a login, or all of somebody's. True if there was one.
    async fn revoke(&self, user: &UserId, login: Option<&LoginId>, at: Timestamp) -> Result<bool, StoreError>;

    /// Revocations behind `number`; with `None`, just the last one.
    async fn revocations(&self, behind: Option<u64>) -> Result<Vec<Revocation>, StoreError>;

    async fn put_ticket(&self, hash: &SecretHash, ticket: Ticket) -> Result<(), StoreError>;

    /// Consumes a ticket: it is found once, and only before it expires.
    async fn take_ticket(&self, hash: &SecretHash, now: Timestamp) -> Result<Option<Ticket>, StoreError>;

    async fn put_invite(&self, new: NewInvite) -> Result<(), StoreError>;

    /// An invitation that can still be used, without using it.
    async fn invite(&self, hash: &SecretHash, now: Timestamp) -> Result<Option<Invite>, StoreError>;

    /// Uses an invitation once, for somebody who has an account already.
    async fn use_invite(&self, hash: &SecretHash, now: Timestamp) -> Result<InviteUse, StoreError>;

    /// Withdraws every unused administrator's invitation that the server made itself: a new start prints a new link.
    async fn withdraw_setup_invites(&self) -> Result<(), StoreError>;

    /// Publishes the public half of a node's token key.
    async fn publish_key(&self, kid: &str, public: &[u8], at: Timestamp) -> Result<(), StoreError>;

    async fn public_key(&self, kid: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// The value under this name in the installation's own settings, or `value` where there was none: every node gets
    /// the same. Holds the key of the body hashes.
    async fn setting_or_insert(&self, name: &str, value: &[u8]) -> Result<Vec<u8>, StoreError>;

    /// Tells somebody something through their own log. `Ok(None)`: there is no such person.
    async fn notify(&self, user: &UserId, text: &str, at: Timestamp) -> Result<Option<Entry>, StoreError>;
}
