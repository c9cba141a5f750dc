//! Logins: made by a password, renewed by a refresh token, ended by a logout, a stolen refresh token or a new password.

use salon_core::ports::{BusMessage, Login, NewLogin, Rotation, Topic, User};
use salon_core::{CommandError, ErrorCode, LoginId, RoomId, UserId};

use super::secret::{self, Secret};
use super::{Auth, Identity, fields, store_error};

const DAY_MS: i64 = 24 * 3600 * 1000;

/// What a sign-up, a login or a refresh gives to the device. Shown once.
#[derive(Debug, Clone)]
pub struct Granted {
    pub user: User,
    pub login: LoginId,
    pub access_token: Secret,
    /// Life of the access token, in seconds.
    pub expires_in_s: u32,
    pub refresh_token: Secret,
    /// For the session cookie; a refresh leaves the cookie as it is.
    pub cookie: Option<Secret>,
    /// Where the invitation leads, and whose it is.
    pub invited: Option<Invited>,
}

/// The room that an invitation leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invited {
    pub room: RoomId,
    pub by: Option<UserId>,
}

impl Granted {
    /// Who this makes of the device.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity { user: self.user.clone(), login: Some(self.login.clone()), expires_at: None }
    }
}

impl Auth {
    /// # Errors
    /// `unauthenticated` with the same words and after the same time for a wrong password, an unknown address and a
    /// disabled account; `rate_limited`; `unavailable`.
    pub async fn log_in(&self, email: &str, password: String, peer: &str) -> Result<Granted, CommandError> {
        let email = fields::Email::parse(email)?;
        if password.len() > fields::PASSWORD_BYTES_MAX {
            return Err(wrong());
        }
        let attempt = self.attempts.begin(peer, email.as_str(), self.clock.now())?;
        let known = self.store.user_by_email(email.as_str()).await.map_err(|error| store_error(&error))?;
        let (user, stored) = known.map(|known| (known.user, known.password)).unzip();
        let right = self.passwords.verify(password, stored).await?;
        let Some(user) = user.filter(|user| right && !user.disabled) else {
            tracing::info!(peer, "a login was refused");
            return Err(wrong());
        };
        self.attempts.succeeded(&attempt);
        self.grant(user).await
    }

    /// The next access token and refresh token of a login. A refresh token that was used before ends its login: one of
    /// the two who hold it has stolen it.
    ///
    /// # Errors
    /// `unauthenticated`, `unavailable`.
    pub async fn refresh(&self, refresh_token: &str) -> Result<Granted, CommandError> {
        let old = secret::hash_presented(refresh_token).ok_or_else(super::unauthenticated)?;
        let next = Secret::mint(&*self.rng);
        let rotated = self.store.rotate_refresh(&old, &next.hash(), self.clock.now()).await;
        match rotated.map_err(|error| store_error(&error))? {
            Rotation::Rotated(login) => self.renewed(login, next),
            Rotation::Reused(login, user) => {
                tracing::warn!(%user, %login, "a refresh token came a second time: the login is ended");
                self.tell_revoked(user, Some(login));
                Err(super::unauthenticated())
            }
            Rotation::Unknown => Err(super::unauthenticated()),
        }
    }

    /// Ends the login of this credential: its tokens, its cookie, its tickets and its open sockets.
    ///
    /// # Errors
    /// `invalid` for a token that no login made: it ends by itself. `unavailable`.
    pub async fn log_out(&self, who: &Identity) -> Result<(), CommandError> {
        let Some(login) = &who.login else {
            return Err(CommandError::new(ErrorCode::Invalid, "this token belongs to no login: it ends when it expires"));
        };
        let ended = self.store.revoke(&who.user.id, Some(login), self.clock.now()).await;
        if ended.map_err(|error| store_error(&error))? {
            tracing::info!(user = %who.user.id, %login, "logged out");
        }
        self.tell_revoked(who.user.id.clone(), Some(login.clone()));
        Ok(())
    }

    /// Sets a new password and ends every other login of this person.
    ///
    /// # Errors
    /// `invalid`, field `current_password` or `password`; `rate_limited`; `unavailable`.
    pub async fn change_password(&self, who: &Identity, current: String, new: String, peer: &str) -> Result<(), CommandError> {
        fields::check_new_password(&new)?;
        let attempt = self.attempts.begin(peer, &who.user.email, self.clock.now())?;
        let known = self.store.user_by_email(&who.user.email).await.map_err(|error| store_error(&error))?;
        let stored = known.filter(|known| known.user.id == who.user.id).map(|known| known.password);
        let short_enough = current.len() <= fields::PASSWORD_BYTES_MAX;
        if !short_enough || !self.passwords.verify(current, stored).await? {
            return Err(CommandError::invalid("current_password", "this is not the current password"));
        }
        self.attempts.succeeded(&attempt);
        let hash = self.passwords.hash(new, &*self.rng).await?;
        let now = self.clock.now();
        let ended = self.store.change_password(&who.user.id, &hash, who.login.as_ref(), now).await;
        let ended = ended.map_err(|error| store_error(&error))?.ok_or_else(super::unauthenticated)?;
        tracing::info!(user = %who.user.id, logins_ended = ended.len(), "the password was changed");
        if who.login.is_none() {
            self.tell_revoked(who.user.id.clone(), None);
        }
        for login in ended {
            self.tell_revoked(who.user.id.clone(), Some(login));
        }
        Ok(())
    }

    /// A new login of somebody who has proved who they are.
    pub(super) async fn grant(&self, user: User) -> Result<Granted, CommandError> {
        let (refresh_token, cookie) = (Secret::mint(&*self.rng), Secret::mint(&*self.rng));
        let (login, now) = (LoginId::mint(self.rng.next_u128()), self.clock.now());
        let access_token = self.tokens.issue(&user.id, Some(&login), now, self.access_token_s, &*self.rng)?;
        let new = NewLogin {
            id: login.clone(),
            user: user.id.clone(),
            refresh: refresh_token.hash(),
            cookie: cookie.hash(),
            at: now,
            expires_at: now.plus_ms(i64::from(self.login_days) * DAY_MS),
        };
        self.store.create_login(new).await.map_err(|error| store_error(&error))?;
        tracing::info!(user = %user.id, %login, "logged in");
        Ok(Granted {
            user,
            login,
            access_token,
            expires_in_s: self.access_token_s,
            refresh_token,
            cookie: Some(cookie),
            invited: None,
        })
    }

    fn renewed(&self, login: Login, refresh_token: Secret) -> Result<Granted, CommandError> {
        let (user, now) = (login.user, self.clock.now());
        let access_token = self.tokens.issue(&user.id, Some(&login.id), now, self.access_token_s, &*self.rng)?;
        let expires_in_s = self.access_token_s;
        Ok(Granted { user, login: login.id, access_token, expires_in_s, refresh_token, cookie: None, invited: None })
    }

    /// The row in the store is what counts; the bus makes it quick.
    fn tell_revoked(&self, user: UserId, login: Option<LoginId>) {
        self.bus.publish(Topic::Everyone, BusMessage::Revoked { user, login });
    }
}

fn wrong() -> CommandError {
    CommandError::new(ErrorCode::Unauthenticated, "the e-mail address or the password is wrong")
}
