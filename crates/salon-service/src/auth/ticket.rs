//! Tickets: what a page puts into the address of a WebSocket, where a token must not be. Good once, for seconds.

use salon_core::ports::Ticket;
use salon_core::{CommandError, Timestamp};

use super::secret::{self, Secret};
use super::{Auth, Identity, store_error, unauthenticated};

/// Life of a ticket, in seconds (PROTOCOL §2).
pub(crate) const TICKET_LIFE_S: u32 = 30;

impl Auth {
    /// A ticket for whoever is asking: it opens one session with the rights and the end of the credential behind it.
    ///
    /// # Errors
    /// `rate_limited`, `unavailable`.
    pub async fn ticket(&self, who: &Identity) -> Result<Secret, CommandError> {
        let now = self.clock.now();
        self.attempts.ticket(&who.user.id, now)?;
        let ticket = Ticket {
            user: who.user.id.clone(),
            login: who.login.clone(),
            session_expires_at: who.expires_at,
            expires_at: now.plus_ms(i64::from(TICKET_LIFE_S) * 1000),
        };
        let secret = Secret::mint(&*self.rng);
        self.store.put_ticket(&secret.hash(), ticket).await.map_err(|error| store_error(&error))?;
        Ok(secret)
    }

    pub(super) async fn open_ticket(&self, text: &str) -> Result<Identity, CommandError> {
        let hash = secret::hash_presented(text).ok_or_else(unauthenticated)?;
        let now = self.clock.now();
        let taken = self.store.take_ticket(&hash, now).await.map_err(|error| store_error(&error))?;
        let ticket = taken.filter(|ticket| later(ticket.session_expires_at, now)).ok_or_else(unauthenticated)?;
        let identity = match &ticket.login {
            Some(login) => self.living_login(login).await?,
            None => self.without_login(&ticket.user, ticket.session_expires_at).await?,
        };
        if identity.user.id == ticket.user { Ok(identity) } else { Err(unauthenticated()) }
    }
}

fn later(end: Option<Timestamp>, now: Timestamp) -> bool {
    end.is_none_or(|end| end > now)
}
