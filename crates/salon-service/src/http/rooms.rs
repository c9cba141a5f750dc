//! `rooms` and `rooms/{room}/members`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::IntoResponse as _;
use axum::routing::{get, put};
use axum::{Json, Router};
use salon_core::{CommandError, HistoryPolicy, MemberChange, Role, RoomChange, RoomKind, UserId};
use salon_proto::v1;

use super::Answer;
use super::caller::Caller;
use super::fields::{Fields, Params};
use super::path::{InRoom, InRoomOfUser};
use crate::Service;
use crate::commands::CreateRoom;

pub(super) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/rooms", get(list).post(create))
        .route("/rooms/{room}", get(show).patch(change).delete(delete))
        .route("/rooms/{room}/members", get(members).post(join))
        .route("/rooms/{room}/members/{user}", put(set_role).delete(remove))
}

async fn list(State(service): State<Arc<Service>>, Caller(who): Caller, mut params: Params) -> Answer {
    let query = v1::ListRooms { cursor: params.text("cursor"), limit: Some(params.limit()?) };
    Ok(Json(service.list_rooms(&who, query).await?).into_response())
}

/// `{name, title?, kind?, history?}`, or `{kind: "direct", user}`. 201; 200 for a direct room that was there already.
async fn create(State(service): State<Arc<Service>>, Caller(who): Caller, mut fields: Fields) -> Answer {
    let kind = fields.optional_word("kind", "public, private, direct", room_kind)?.unwrap_or(RoomKind::Public);
    let direct = kind == RoomKind::Direct;
    let peer = if direct { Some(fields.text("user")?) } else { None };
    let peer = peer.map(|peer| UserId::parse(&peer)).transpose().map_err(CommandError::bad_id("user"))?;
    let new = CreateRoom {
        name: if direct { String::new() } else { fields.text("name")? },
        title: fields.optional_text("title")?.unwrap_or_default(),
        kind,
        peer,
        history: history(&mut fields)?.unwrap_or_default(),
    };
    let (room, created) = service.create_room(&who, new).await?;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let location = HeaderValue::try_from(format!("/api/v1/rooms/{}", room.room)).ok();
    let mut response = (status, Json(room)).into_response();
    response.headers_mut().extend(location.map(|location| (header::LOCATION, location)));
    Ok(response)
}

async fn show(State(service): State<Arc<Service>>, Caller(who): Caller, InRoom(room): InRoom) -> Answer {
    Ok(Json(service.room_summary(&who, &room).await?).into_response())
}

/// `{title?, topic?, archived?, history?}`
async fn change(State(service): State<Arc<Service>>, Caller(who): Caller, InRoom(room): InRoom, mut fields: Fields) -> Answer {
    let change = RoomChange {
        title: fields.optional_text("title")?,
        topic: fields.optional_text("topic")?,
        archived: fields.optional_flag("archived")?,
        history: history(&mut fields)?,
    };
    if change.is_empty() {
        return Err(CommandError::invalid("body", "nothing to change: title, topic, archived or history").into());
    }
    Ok(Json(service.update_room(&who, &room, change).await?).into_response())
}

async fn delete(State(service): State<Arc<Service>>, Caller(who): Caller, InRoom(room): InRoom) -> Answer {
    service.delete_room(&who, &room).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn members(State(service): State<Arc<Service>>, Caller(who): Caller, InRoom(room): InRoom, mut params: Params) -> Answer {
    let query = v1::ListMembers { room: room.to_string(), cursor: params.text("cursor"), limit: Some(params.limit()?) };
    Ok(Json(service.list_members(&who, query).await?).into_response())
}

/// `{}`: one joins by oneself.
async fn join(State(service): State<Arc<Service>>, Caller(who): Caller, InRoom(room): InRoom, mut fields: Fields) -> Answer {
    if fields.optional_text("user")?.is_some_and(|user| user != who.user.id.as_str()) {
        return Err(CommandError::invalid("user", "people join by themselves: invite them instead").into());
    }
    let ack = service.change_member(&who, &room, &who.user.id, MemberChange::Joined, None).await?;
    Ok(Json(ack).into_response())
}

/// `{role}`
async fn set_role(
    State(service): State<Arc<Service>>,
    Caller(who): Caller,
    InRoomOfUser(room, user): InRoomOfUser,
    mut fields: Fields,
) -> Answer {
    let role = fields.optional_word("role", "member, moderator, owner", Role::parse)?;
    let role = role.ok_or_else(|| CommandError::invalid("role", "role is missing"))?;
    let ack = service.change_member(&who, &room, &user, MemberChange::Role, Some(role)).await?;
    Ok(Json(ack).into_response())
}

/// Removes somebody, or with `?ban=true` for good; one's own membership just ends. Removing somebody who is banned lifts
/// the ban.
async fn remove(
    State(service): State<Arc<Service>>,
    Caller(who): Caller,
    InRoomOfUser(room, user): InRoomOfUser,
    mut params: Params,
) -> Answer {
    let change = match params.flag("ban")? {
        true => MemberChange::Banned,
        false if user == who.user.id => MemberChange::Left,
        false => MemberChange::Removed,
    };
    Ok(Json(service.change_member(&who, &room, &user, change, None).await?).into_response())
}

fn room_kind(text: &str) -> Option<RoomKind> {
    RoomKind::parse(text).filter(|kind| *kind != RoomKind::Me)
}

fn history(fields: &mut Fields) -> Result<Option<HistoryPolicy>, CommandError> {
    fields.optional_word("history", "all, since_join", HistoryPolicy::parse)
}
