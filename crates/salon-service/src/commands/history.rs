//! `history`: a page of messages as they are now.

use std::sync::Arc;

use salon_core::limits::{PAGE_BYTES_MAX, PAGE_MESSAGES_DEFAULT, PAGE_MESSAGES_MAX};
use salon_core::ports::{Page, PageQuery, Position, Reaction, StoredMessage};
use salon_core::rules::{Action, Actor, authorise};
use salon_core::{CommandError, Seq, Timestamp, UserId};
use salon_proto::v1::{self, entry::Body};

use super::cursor::{self, Asked};
use super::room_id;
use crate::access::Access;
use crate::print::Quotes;
use crate::{Identity, Service, unavailable};

/// Bytes of a printed page. Escapes make JSON larger than its content; the gateway keeps 256 KiB for replies.
const PRINTED_BYTES_MAX: usize = 192 * 1024;
/// Words to search for, in bytes.
const QUERY_BYTES_MAX: usize = 1024;

impl Service {
    /// A page of history: the same as over WebSocket.
    ///
    /// # Errors
    /// `not_found`, `forbidden`, `invalid`.
    pub async fn list_history(&self, by: &Identity, query: v1::GetHistory) -> Result<v1::HistoryPage, CommandError> {
        self.history(by.actor(), query).await
    }

    pub(super) async fn history(&self, by: Actor<'_>, command: v1::GetHistory) -> Result<v1::HistoryPage, CommandError> {
        let room = room_id(&command.room, by.user)?;
        let asked = cursor::asked(&command)?;
        let user = command.user.as_deref().map(UserId::parse).transpose().map_err(CommandError::bad_id("user"))?;
        let text = command.query.filter(|query| !query.trim().is_empty());
        if text.as_ref().is_some_and(|text| text.len() > QUERY_BYTES_MAX) {
            return Err(CommandError::too_large("query", format!("at most {QUERY_BYTES_MAX} bytes")));
        }
        // What may be read is looked up afresh: a page is not worth a wrong answer.
        let row = self.parts.store.room(&room, by.user).await.map_err(|error| unavailable(&error))?;
        let row = row.ok_or_else(CommandError::no_such_room)?;
        let access = Access { room: row.room.into(), standing: row.standing };
        authorise(by, &access.room, &access.standing, Action::Read)?;
        let mut query = PageQuery {
            room,
            visible_from: access.visible_from(),
            position: Position::Newest,
            limit: command.limit.unwrap_or(PAGE_MESSAGES_DEFAULT).clamp(1, PAGE_MESSAGES_MAX),
            bytes_max: PAGE_BYTES_MAX,
            user,
            text,
            asker: by.user.clone(),
        };
        query.position = match asked.position() {
            Ok(position) => position,
            Err(time) => self.position_at(&query, asked, time).await?,
        };
        let page = self.parts.store.page(query.clone()).await.map_err(|error| unavailable(&error))?;
        self.print_page(&query, page).await
    }

    /// The place of a time: right before the first message that is not earlier.
    async fn position_at(&self, query: &PageQuery, asked: Asked, time: Timestamp) -> Result<Position, CommandError> {
        let around = PageQuery { position: Position::AtTime(time), limit: 2, user: None, text: None, ..query.clone() };
        let page = self.parts.store.page(around).await.map_err(|error| unavailable(&error))?;
        let first = page.messages.iter().map(|message| &message.entry).find(|entry| entry.at >= time).map(|entry| entry.seq);
        let last = page.messages.last().map_or(Seq::START, |message| message.entry.seq);
        Ok(match (asked, first) {
            (Asked::Before(_), Some(first)) => Position::Before(first),
            (Asked::After(_), Some(first)) => Position::After(Seq(first.0 - 1)),
            (Asked::After(_), None) => Position::After(last),
            (Asked::Before(_) | Asked::Newest | Asked::Around(_), _) => Position::Newest,
        })
    }

    async fn print_page(&self, query: &PageQuery, page: Page) -> Result<v1::HistoryPage, CommandError> {
        let (mut more_before, mut more_after) = (page.more_before, page.more_after);
        let (entries, reactions): (Vec<_>, Vec<_>) =
            page.messages.into_iter().map(|StoredMessage { entry, reactions }| (Arc::new(entry), reactions)).unzip();
        let printed = self.print(&query.room, &entries, Quotes::VisibleFrom(query.visible_from)).await;
        let mut messages = printed.map_err(|error| unavailable(&error))?;
        for (message, reactions) in messages.iter_mut().zip(reactions) {
            if let Some(Body::Message(body)) = &mut message.body {
                body.reactions = reactions.into_iter().map(print_reaction).collect();
            }
        }
        let from_the_end = matches!(query.position, Position::Newest | Position::Before(_));
        let cut = cut_to_size(&mut messages, from_the_end);
        more_before |= cut && from_the_end;
        more_after |= cut && !from_the_end;
        let cursor = |entry: Option<&v1::Entry>| entry.map(|entry| cursor::print(Seq(entry.seq)));
        Ok(v1::HistoryPage {
            room: query.room.public().to_owned(),
            prev: cursor(messages.first()).filter(|_| more_before),
            next: cursor(messages.last()).filter(|_| more_after),
            messages,
        })
    }
}

/// Ends a page early where it is too large to be sent; one message always fits. True if something was cut off.
fn cut_to_size(messages: &mut Vec<v1::Entry>, from_the_end: bool) -> bool {
    let mut bytes = 0;
    let mut kept = 0;
    let mut fits = |message: &v1::Entry| {
        bytes += serde_json::to_vec(message).map_or(0, |json| json.len());
        let fits = kept == 0 || bytes <= PRINTED_BYTES_MAX;
        kept += usize::from(fits);
        fits
    };
    let before = messages.len();
    let kept = if from_the_end {
        messages.iter().rev().take_while(|message| fits(message)).count()
    } else {
        messages.iter().take_while(|message| fits(message)).count()
    };
    if from_the_end {
        messages.drain(..before - kept);
    } else {
        messages.truncate(kept);
    }
    kept < before
}

fn print_reaction(reaction: Reaction) -> v1::Reaction {
    v1::Reaction { emoji: reaction.emoji, count: reaction.count, mine: reaction.mine }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(sizes: &[usize]) -> Vec<v1::Entry> {
        let body = |size: &usize| Body::Message(v1::Message { content: "\n".repeat(*size), ..v1::Message::default() });
        let entry = |(seq, size)| v1::Entry { seq, body: Some(body(size)), ..v1::Entry::default() };
        (1..).zip(sizes).map(entry).collect()
    }

    #[test]
    fn a_page_of_escapes_is_cut_on_the_side_where_it_goes_on() {
        let sizes = [PRINTED_BYTES_MAX / 5; 4];
        let mut messages = page(&sizes);
        assert!(cut_to_size(&mut messages, true));
        assert_eq!(messages.iter().map(|m| m.seq).collect::<Vec<_>>(), [3, 4]);
        let mut messages = page(&sizes);
        assert!(cut_to_size(&mut messages, false));
        assert_eq!(messages.iter().map(|m| m.seq).collect::<Vec<_>>(), [1, 2]);
        let mut messages = page(&[PRINTED_BYTES_MAX]);
        assert!(!cut_to_size(&mut messages, true));
    }
}
