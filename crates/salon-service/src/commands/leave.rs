//! `leave`: stop listening on this connection. The membership stays.

use salon_core::CommandError;
use salon_proto::v1::{self, ack::Data};

use super::{Answer, room_id};
use crate::Service;
use crate::session::Session;

impl Service {
    pub(super) async fn leave(&self, session: &Session, command: &v1::Leave) -> Result<Answer, CommandError> {
        let log = room_id(&command.room, &session.user)?;
        if self.detach(session, &log) && log.owner().is_none() {
            self.tell_went(&session.user, &log).await;
        }
        let data = Data::Leave(v1::RoomAck { room: log.public().to_owned() });
        Ok(Answer::Detached { data, log })
    }
}
