//! Invitations: codes that open sign-up, lead into a room, or (once, on an empty server) make the administrator.
//!
//! Who may invite: an administrator always; anybody else into a room where the rule table lets them invite. Whether they
//! still may is asked again when the code is used.

use salon_core::ports::{Invite, InviteUse, NewInvite, SecretHash};
use salon_core::rules::{self, Action};
use salon_core::{CommandError, ErrorCode, MemberChange, RoomId, Standing, UserId};

use super::account::invite_invalid;
use super::login::Invited;
use super::secret::{self, Secret};
use super::{Auth, Identity, store_error};
use crate::SignupPolicy;

/// Life of the link that makes the first administrator, in milliseconds: a day.
const SETUP_LIFE_MS: i64 = 24 * 3600 * 1000;
/// Life of an invitation where none is asked for, in seconds: a week.
pub(crate) const INVITE_LIFE_S_DEFAULT: u32 = 7 * 24 * 3600;
/// Shortest and longest life of an invitation, in seconds: a minute and a year.
const INVITE_LIFE_S_MIN: u32 = 60;
const INVITE_LIFE_S_MAX: u32 = 366 * 24 * 3600;
/// How often one invitation may be used, at most.
const INVITE_USES_MAX: u32 = 1_000;

/// What an invitation is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InviteRequest {
    pub room: Option<RoomId>,
    pub uses: u32,
    pub life_s: u32,
}

/// A code just made, and the link that carries it. The code is in the fragment, which browsers keep to themselves.
#[derive(Debug, Clone)]
pub struct NewCode {
    pub code: Secret,
    pub url: Secret,
}

/// What somebody who holds a code may know about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InviteView {
    pub admin: bool,
    pub room: Option<RoomId>,
    /// The room's title; the room's id where it has none.
    pub room_title: Option<String>,
    pub invited_by: Option<String>,
}

impl Auth {
    /// The link that creates the first administrator, while there is none. Earlier links are withdrawn: only the last
    /// one that was printed works.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn setup_link(&self) -> Result<Option<Secret>, CommandError> {
        if self.has_admin().await? {
            return Ok(None);
        }
        self.withdraw_setup_invites().await?;
        let (code, now) = (Secret::mint_code(&*self.rng), self.clock.now());
        let new = NewInvite {
            hash: code.hash(),
            created_by: None,
            room: None,
            admin: true,
            uses_max: 1,
            at: now,
            expires_at: Some(now.plus_ms(SETUP_LIFE_MS)),
        };
        self.store.put_invite(new).await.map_err(|error| store_error(&error))?;
        Ok(Some(Secret::new(format!("{}/#/setup/{}", self.public_url, code.expose()))))
    }

    /// # Errors
    /// `forbidden`, `not_found` where there is no such room, `invalid` with the field, `rate_limited`, `unavailable`.
    pub async fn create_invite(&self, by: &Identity, request: InviteRequest) -> Result<NewCode, CommandError> {
        if !(1..=INVITE_USES_MAX).contains(&request.uses) {
            return Err(CommandError::invalid("uses", "an invitation is used 1 to 1000 times"));
        }
        if !(INVITE_LIFE_S_MIN..=INVITE_LIFE_S_MAX).contains(&request.life_s) {
            return Err(CommandError::invalid("expires_in", "an invitation lives from 60 seconds to 366 days"));
        }
        match &request.room {
            Some(room) => self.check_may_invite(by, room).await?,
            None if self.signup == SignupPolicy::Closed => {
                return Err(CommandError::forbidden("sign-up is closed: an invitation has to lead into a room"));
            }
            None if by.user.admin => {}
            None => return Err(CommandError::forbidden("only an administrator invites to the server; name a room")),
        }
        let (code, now) = (Secret::mint_code(&*self.rng), self.clock.now());
        self.attempts.invite(&by.user.id, now)?;
        let new = NewInvite {
            hash: code.hash(),
            created_by: Some(by.user.id.clone()),
            room: request.room,
            admin: false,
            uses_max: request.uses,
            at: now,
            expires_at: Some(now.plus_ms(i64::from(request.life_s) * 1000)),
        };
        self.store.put_invite(new).await.map_err(|error| store_error(&error))?;
        let url = Secret::new(format!("{}/#/invite/{}", self.public_url, code.expose()));
        Ok(NewCode { code, url })
    }

    /// What a code is good for. Whoever holds the code may ask.
    ///
    /// # Errors
    /// `not_found` where it is unknown, used up or expired; `unavailable`.
    pub async fn invite(&self, code: &str) -> Result<InviteView, CommandError> {
        let none = || CommandError { code: ErrorCode::NotFound, ..invite_invalid() };
        let hash = secret::hash_presented_code(code).ok_or_else(none)?;
        let invite = self.usable_invite(&hash).await?.ok_or_else(none)?;
        let invited_by = match &invite.created_by {
            Some(user) => self.store.user(user).await.map_err(|error| store_error(&error))?.map(|user| user.name),
            None => None,
        };
        let room_title = match (&invite.room, &invite.created_by) {
            (Some(room), Some(creator)) => self.room_title(room, creator).await?,
            (Some(_) | None, _) => None,
        };
        Ok(InviteView { admin: invite.admin, room: invite.room, room_title, invited_by })
    }

    /// Uses a code that leads into a room, for somebody who has an account.
    ///
    /// # Errors
    /// `invalid`, field `invite`, where it is not to be used, or leads nowhere; `unavailable`.
    pub async fn use_invite(&self, code: &str) -> Result<Invited, CommandError> {
        let hash = secret::hash_presented_code(code).ok_or_else(invite_invalid)?;
        let invite = self.usable_invite(&hash).await?.ok_or_else(invite_invalid)?;
        if invite.room.is_none() {
            return Err(CommandError::invalid("invite", "this invitation is for people without an account"));
        }
        match self.store.use_invite(&hash, self.clock.now()).await.map_err(|error| store_error(&error))? {
            InviteUse::Used(Invite { room: Some(room), created_by, .. }) => Ok(Invited { room, by: created_by }),
            InviteUse::Used(Invite { room: None, .. }) | InviteUse::Invalid => Err(invite_invalid()),
        }
    }

    /// Where a code would lead, without using it.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn invite_room(&self, code: &str) -> Result<Option<RoomId>, CommandError> {
        let Some(hash) = secret::hash_presented_code(code) else { return Ok(None) };
        Ok(self.usable_invite(&hash).await?.and_then(|invite| invite.room))
    }

    /// Who made an invitation, if they still have an account, to act in their name.
    pub(crate) async fn inviter(&self, invited: &Invited) -> Result<Option<Identity>, CommandError> {
        let Some(by) = &invited.by else { return Ok(None) };
        let user = self.store.user(by).await.map_err(|error| store_error(&error))?;
        Ok(user.filter(|user| !user.disabled).map(|user| Identity { user, login: None, expires_at: None }))
    }

    pub(crate) async fn is_member(&self, room: &RoomId, user: &UserId) -> Result<bool, CommandError> {
        let row = self.store.room(room, user).await.map_err(|error| store_error(&error))?;
        Ok(row.is_some_and(|row| row.standing.member().is_some()))
    }

    pub(crate) async fn is_banned(&self, room: &RoomId, user: &UserId) -> Result<bool, CommandError> {
        let row = self.store.room(room, user).await.map_err(|error| store_error(&error))?;
        Ok(row.is_some_and(|row| row.standing == Standing::Banned))
    }

    /// A setup code is worth nothing any more once there is an administrator, however that came about.
    pub(super) async fn usable_invite(&self, hash: &SecretHash) -> Result<Option<Invite>, CommandError> {
        let invite = self.store.invite(hash, self.clock.now()).await.map_err(|error| store_error(&error))?;
        match invite {
            Some(invite) if invite.admin && invite.created_by.is_none() && self.has_admin().await? => Ok(None),
            Some(_) | None => Ok(invite),
        }
    }

    pub(super) async fn withdraw_setup_invites(&self) -> Result<(), CommandError> {
        self.store.withdraw_setup_invites().await.map_err(|error| store_error(&error))
    }

    async fn check_may_invite(&self, by: &Identity, room: &RoomId) -> Result<(), CommandError> {
        let row = self.store.room(room, &by.user.id).await.map_err(|error| store_error(&error))?;
        let row = row.ok_or_else(CommandError::no_such_room)?;
        let target = &by.user.id;
        let invite = Action::Member { target, change: MemberChange::Invited, target_role: None, role: None };
        rules::authorise(by.actor(), &row.room, &row.standing, invite)
    }

    async fn room_title(&self, room: &RoomId, creator: &UserId) -> Result<Option<String>, CommandError> {
        let row = self.store.room(room, creator).await.map_err(|error| store_error(&error))?;
        Ok(row.map(|row| if row.room.title.is_empty() { room.to_string() } else { row.room.title }))
    }
}
