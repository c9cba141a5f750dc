//! `rooms`: the rooms that somebody belongs to, is invited to, or might join.

use std::sync::Arc;

use salon_core::limits::{LIST_MAX, PAGE_BYTES_MAX};
use salon_core::ports::{RoomListing, StoreError};
use salon_core::rules::{Action, authorise};
use salon_core::{CommandError, RoomId, Standing, UserId};
use salon_proto::v1;

use crate::names::NameList;
use crate::print::{Quotes, other_of, title};
use crate::{Identity, Service, unavailable};

impl Service {
    /// A page of rooms: the same as over WebSocket.
    ///
    /// # Errors
    /// `invalid`.
    pub async fn list_rooms(&self, by: &Identity, query: v1::ListRooms) -> Result<v1::RoomsPage, CommandError> {
        self.rooms(&by.user.id, &query).await
    }

    pub(super) async fn rooms(&self, asker: &UserId, query: &v1::ListRooms) -> Result<v1::RoomsPage, CommandError> {
        let after = query.cursor.as_deref().map(RoomId::parse).transpose();
        let after = after.map_err(|_| CommandError::invalid("cursor", "not a cursor from an earlier page"))?;
        let limit = query.limit.unwrap_or(LIST_MAX).clamp(1, LIST_MAX);
        let listings = self.parts.store.rooms_of(asker, false, after.as_ref(), limit).await;
        let mut listings = listings.map_err(|error| unavailable(&error))?;
        let more = listings.len() >= limit as usize;
        let cut = cut_to_size(&mut listings);
        let next = listings.last().filter(|_| more || cut).map(|listing| listing.room.id.as_str().to_owned());
        let mut rooms = Vec::with_capacity(listings.len());
        let people: Vec<UserId> = listings.iter().filter_map(|listing| other_of(&listing.room.id, asker)).collect();
        let names = self.names(people.iter()).await.map_err(|error| unavailable(&error))?;
        for listing in listings {
            rooms.push(self.summary(asker, listing, &names).await.map_err(|error| unavailable(&error))?);
        }
        Ok(v1::RoomsPage { rooms, next })
    }

    /// One room as the asker sees it.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn room_summary(&self, by: &Identity, room: &RoomId) -> Result<v1::RoomSummary, CommandError> {
        let row = self.parts.store.room(room, &by.user.id).await.map_err(|error| unavailable(&error))?;
        let row = row.ok_or_else(CommandError::no_such_room)?;
        authorise(by.actor(), &row.room, &row.standing, Action::See)?;
        let names = self.names(other_of(room, &by.user.id).iter()).await.map_err(|error| unavailable(&error))?;
        let listing = RoomListing { room: row.room, standing: row.standing, last: None };
        self.summary(&by.user.id, listing, &names).await.map_err(|error| unavailable(&error))
    }

    async fn summary(&self, asker: &UserId, listing: RoomListing, names: &NameList) -> Result<v1::RoomSummary, StoreError> {
        let RoomListing { room, standing, last } = listing;
        let member = standing.member();
        let last = match last {
            Some(last) => {
                let quotes = Quotes::VisibleFrom(member.map_or(room.first, |member| member.visible_from));
                self.print(&room.id, &[Arc::new(last)], quotes).await?.pop()
            }
            None => None,
        };
        Ok(v1::RoomSummary {
            room: room.id.public().to_owned(),
            title: title(&room, asker, names),
            kind: room.kind.as_str().to_owned(),
            role: role(&standing).to_owned(),
            seq: room.head.0,
            unread: member.map_or(0, |member| member.unread),
            mentions: member.map_or(0, |member| member.mentions),
            last,
            topic: room.topic,
            archived: room.archived,
            members: room.members,
            peer: other_of(&room.id, asker).map(|other| other.as_str().to_owned()),
        })
    }
}

fn role(standing: &Standing) -> &'static str {
    match standing {
        Standing::Member(member) => member.role.as_str(),
        Standing::Invited => "invited",
        Standing::Stranger => "none",
        Standing::Banned => "banned",
    }
}

/// Last messages can be large: the page ends where they exceed what a page may hold. One room always fits.
fn cut_to_size(listings: &mut Vec<RoomListing>) -> bool {
    let bytes_of = |listing: &RoomListing| {
        let message = listing.last.as_ref().and_then(crate::print::message);
        message.map_or(0, |message| message.content.len() + message.extra.as_ref().map_or(0, String::len))
    };
    let mut bytes = 0;
    let fits = |listing: &&RoomListing| {
        bytes += bytes_of(listing);
        bytes <= PAGE_BYTES_MAX
    };
    let kept = listings.iter().take_while(fits).count().max(1);
    let cut = kept < listings.len();
    listings.truncate(kept);
    cut
}
