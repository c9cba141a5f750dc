//! `hello` on an open session: another token of the same person, and the session goes on.

use std::sync::Arc;

use salon_core::{CommandError, ErrorCode};
use salon_proto::link::open_session::Credential;
use salon_proto::v1;

use super::Answer;
use crate::Service;
use crate::link::expiry_ms;
use crate::session::Session;

/// Close code for a credential that proves nothing (PROTOCOL §3).
const BAD_CREDENTIALS: u32 = 4500;

impl Service {
    /// A credential that proves nothing ends the connection, as it would have at its beginning (PROTOCOL §2).
    pub(super) async fn hello(&self, session: &Arc<Session>, command: v1::Hello) -> Result<Answer, CommandError> {
        let renewed = self.renew(session, command).await;
        if renewed.as_ref().is_err_and(|refusal| refusal.code == ErrorCode::Unauthenticated) {
            self.close_session(session, BAD_CREDENTIALS, "bad credentials");
        }
        renewed
    }

    async fn renew(&self, session: &Session, command: v1::Hello) -> Result<Answer, CommandError> {
        let revoked_before = self.revoked.count();
        let identity = self.auth.open(&Credential::Token(command.token)).await?;
        if identity.user.id != session.user {
            return Err(CommandError::forbidden("this connection belongs to somebody else: open another one"));
        }
        let welcome = self.welcome(session, &identity).await?;
        session.renew(identity.login.clone());
        if self.revoked.count() != revoked_before && !self.still_valid(&identity).await {
            return Err(CommandError::new(ErrorCode::Unauthenticated, "this login has ended"));
        }
        Ok(Answer::Renewed { welcome: Box::new(welcome), expires_at_ms: expiry_ms(&identity) })
    }
}
