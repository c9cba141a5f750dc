//! `presence`: say how one is.

use salon_core::CommandError;
use salon_core::limits::STATUS_TEXT_CHARS_MAX;
use salon_core::presence::Status;
use salon_proto::v1::{self, ack::Data};

use super::one_line;
use crate::Service;
use crate::session::Session;

impl Service {
    pub(super) async fn presence(&self, session: &Session, command: v1::SetPresence) -> Result<Data, CommandError> {
        let status = Status::parse_settable(&command.status)
            .ok_or_else(|| CommandError::invalid("status", "a status is online, away or busy"))?;
        let text = command.text.map(|text| one_line("text", &text, STATUS_TEXT_CHARS_MAX)).transpose()?;
        let text = text.filter(|text| !text.is_empty());
        if self.roster.set(session, status, text).is_some() {
            self.tell_presence(&session.user).await;
        }
        Ok(Data::Empty(v1::Empty {}))
    }
}
