//! Sessions begin and end here.

use std::sync::Arc;

use salon_core::error::{CommandError, ErrorCode};
use salon_core::ids::base32;
use salon_core::limits::LIST_MAX;
use salon_core::ports::StoreError;
use salon_core::{RoomId, UserId};
use salon_proto::json;
use salon_proto::link::frames::{EndSession, OpenSession, SessionOpened, SessionRefused};
use salon_proto::link::service_frame::Frame;
use salon_proto::v1::{self, server_frame::Event};

use super::{Link, Slot};
use crate::session::Session;
use crate::{Identity, Service};

/// Characters of a session's public id behind `s_`: 80 random bits.
const SESSION_ID_CHARS: usize = 16;
/// Rooms of one person in which presence and activity are kept up; in further ones only what was joined counts.
const TRACKED_ROOMS_MAX: usize = 2_000;

/// Close code: the login was ended, or the person banned from the installation (PROTOCOL §3).
pub(crate) const REVOKED: u32 = 4502;
/// Close code: reconnect and join again, the log goes on under another epoch.
pub(crate) const LOG_CHANGED: u32 = 4001;

impl Service {
    pub(super) fn begin_session(&self, link: &Arc<Link>, open: OpenSession) {
        link.sessions.lock().insert(open.session, Slot::Opening);
        let link = Arc::clone(link);
        self.spawn(|service| async move {
            let number = open.session;
            if let Err(error) = service.open_session(&link, open).await {
                refuse(&link, number, &error);
            }
        });
    }

    async fn open_session(&self, link: &Arc<Link>, open: OpenSession) -> Result<(), CommandError> {
        let number = open.session;
        let credential = open.credential.ok_or_else(|| CommandError::new(ErrorCode::Unauthenticated, "no credential"))?;
        let revoked_before = self.revoked.count();
        let identity = self.within_time(async { Ok(self.auth.open(&credential).await) }).await??;
        let (key, id) = (self.next_number(), self.parts.rng.next_u128());
        let session = Arc::new(Session::new(key, id, Arc::clone(link), number, &identity));
        let welcome = self.welcome(&session, &identity).await?;
        if !self.admit(link, &session, &identity, welcome) {
            return Ok(());
        }
        self.metrics.sessions.inc();
        // A login that was ended between the look at the credential and now was not found among the sessions.
        if self.revoked.count() != revoked_before && !self.still_valid(&identity).await {
            self.revoke_session(&session);
            return Ok(());
        }
        self.appear(&session).await;
        Ok(())
    }

    /// The session is open, unless its socket is gone already.
    fn admit(&self, link: &Link, session: &Arc<Session>, identity: &Identity, welcome: v1::Welcome) -> bool {
        let mut sessions = link.sessions.lock();
        let Some(slot @ Slot::Opening) = sessions.get_mut(&session.number) else { return false };
        *slot = Slot::Open(Arc::clone(session));
        self.roster.connect(session);
        // Under the lock, so that nothing is sent to the session before its welcome.
        link.outbox.send(Frame::Opened(SessionOpened {
            session: session.number,
            welcome: Some(welcome),
            expires_at_ms: expiry_ms(identity),
            user: session.user.as_str().to_owned(),
        }));
        true
    }

    pub(crate) async fn welcome(&self, session: &Session, identity: &Identity) -> Result<v1::Welcome, CommandError> {
        let me = RoomId::me(&identity.user.id);
        let heads = self.within_time(self.parts.store.heads(&[me])).await?;
        let me = heads.into_iter().next().map(|head| v1::Position { epoch: head.epoch.as_str().to_owned(), seq: head.seq.0 });
        Ok(v1::Welcome {
            session: format!("s_{}", base32(session.id, SESSION_ID_CHARS)),
            user: Some(v1::Person {
                id: identity.user.id.as_str().to_owned(),
                name: identity.user.name.clone(),
                email: Some(identity.user.email.clone()).filter(|email| !email.is_empty()),
                guest: identity.user.id.is_guest(),
            }),
            expires_at: identity.expires_at.filter(|_| identity.login.is_none()).map(|at| at.to_string()),
            heartbeat_ms: self.parts.config.heartbeat_ms,
            limits: Some(self.limits()),
            me,
        })
    }

    fn limits(&self) -> v1::Limits {
        let limits = &self.parts.config.limits;
        let number = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX);
        v1::Limits {
            frame_bytes: number(limits.frame_bytes_max),
            content_bytes: number(limits.content_bytes_max),
            extra_bytes: number(limits.extra_bytes_max),
            emoji_bytes: number(limits.emoji_bytes_max),
            client_id_bytes: number(limits.client_id_bytes_max),
            commands_in_flight: number(limits.commands_in_flight_max),
            message_burst: limits.message_burst,
            messages_per_s: limits.messages_per_s,
            rooms_per_connection: number(limits.rooms_per_connection_max),
        }
    }

    /// The person is there: learns the rooms once per person, and tells them.
    async fn appear(&self, session: &Session) {
        if !self.roster.needs_rooms(&session.user) {
            return;
        }
        match self.joined_rooms(&session.user).await {
            Ok(rooms) => {
                for (room, epoch, head) in rooms {
                    // The log's own copy of its name: one for everybody.
                    let live = self.track(&room, epoch, head).await;
                    self.roster.add(&session.user, &live.log);
                }
                self.tell_presence(&session.user).await;
            }
            Err(error) => {
                self.roster.rooms_unknown(&session.user);
                tracing::warn!(%error, "the rooms of a person are not known: presence and activity are incomplete");
            }
        }
    }

    async fn joined_rooms(&self, user: &UserId) -> Result<Vec<(RoomId, salon_core::Epoch, salon_core::Seq)>, StoreError> {
        let mut rooms: Vec<(RoomId, salon_core::Epoch, salon_core::Seq)> = Vec::new();
        while rooms.len() < TRACKED_ROOMS_MAX {
            let after = rooms.last().map(|(room, ..)| room.clone());
            let page = self.parts.store.rooms_of(user, true, after.as_ref(), LIST_MAX).await?;
            let last = page.len() < LIST_MAX as usize;
            rooms.extend(page.into_iter().map(|listing| (listing.room.id, listing.room.epoch, listing.room.head)));
            if last {
                break;
            }
        }
        Ok(rooms)
    }

    /// The session is over: the socket is gone, or is to be closed.
    pub(crate) fn end_session(&self, session: &Arc<Session>) {
        let Some(joined) = session.close() else { return };
        self.metrics.sessions.dec();
        let mut left = Vec::new();
        for log in joined {
            if self.detach(session, &log) {
                left.push(log);
            }
        }
        let shown = self.roster.disconnect(session, self.now());
        if !left.is_empty() || shown.is_some() {
            let user = session.user.clone();
            self.spawn(|service| async move {
                for log in left {
                    service.tell_went(&user, &log).await;
                }
                if shown.is_some() {
                    service.tell_presence(&user).await;
                }
            });
        }
    }

    /// Ends a session whose login is over.
    pub(crate) fn revoke_session(&self, session: &Arc<Session>) {
        self.close_session(session, REVOKED, "logged out");
    }

    /// Ends a session from this side.
    pub(crate) fn close_session(&self, session: &Arc<Session>, code: u32, reason: &str) {
        session.link.sessions.lock().remove(&session.number);
        let end = EndSession { session: session.number, code, reason: reason.to_owned(), reconnect_after_ms: None };
        session.link.outbox.send(Frame::End(end));
        self.end_session(session);
    }

    pub(crate) async fn still_valid(&self, identity: &Identity) -> bool {
        let store = &self.parts.store;
        let valid = async {
            match &identity.login {
                Some(login) => Ok(store.login(login, self.now()).await?.is_some()),
                None => Ok(store.user(&identity.user.id).await?.is_some_and(|user| !user.disabled)),
            }
        };
        // Closed by default: where the store does not answer, the client comes back with its credential.
        self.within_time(valid).await.unwrap_or(false)
    }
}

/// When the credential expires; not for sessions that live as long as their login.
pub(crate) fn expiry_ms(identity: &Identity) -> Option<i64> {
    identity.expires_at.filter(|_| identity.login.is_none()).map(|at| at.0)
}

fn refuse(link: &Link, number: u64, error: &CommandError) {
    link.sessions.lock().remove(&number);
    let Some(Event::Error(error)) = json::error(None, error).event else { return };
    link.outbox.send(Frame::Refused(SessionRefused { session: number, error: Some(error) }));
}
