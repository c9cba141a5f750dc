//! `react`: put an emoji on a message, or take it off.

use salon_core::ports::Change;
use salon_core::rules::{Action, Actor, authorise};
use salon_core::{CommandError, MessageId};
use salon_proto::v1;

use super::edit::changed;
use super::room_id;
use crate::Service;
use crate::append::Draft;

impl Service {
    pub(super) async fn react(&self, by: Actor<'_>, command: v1::React) -> Result<v1::ChangeAck, CommandError> {
        let room = room_id(&command.room, by.user)?;
        let id = MessageId::parse(&command.id).map_err(CommandError::bad_id("id"))?;
        check_emoji(&command.emoji, self.parts.config.limits.emoji_bytes_max)?;
        self.author(by, &room, &id).await?;
        self.may_write(by.user)?;
        let draft = Draft::new(Change::React { id, emoji: command.emoji, remove: command.remove });
        let written =
            self.append(&room, by, draft, |access| authorise(by, &access.room, &access.standing, Action::Speak)).await?;
        changed(&room, &written)
    }
}

/// Any short text without spaces may be a reaction: which of them are emoji is Unicode's business and changes.
fn check_emoji(emoji: &str, bytes_max: usize) -> Result<(), CommandError> {
    if emoji.len() > bytes_max {
        return Err(CommandError::too_large("emoji", format!("an emoji has at most {bytes_max} bytes")));
    }
    if emoji.is_empty() || emoji.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(CommandError::invalid("emoji", "say which emoji"));
    }
    Ok(())
}
