//! `invites` and `rooms/{room}/invites`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use axum::{Json, Router};
use salon_core::{CommandError, MemberChange, RoomId, UserId};
use serde_json::json;

use super::Answer;
use super::caller::Caller;
use super::fields::Fields;
use super::path::{InRoom, WithCode};
use crate::auth::{INVITE_LIFE_S_DEFAULT, InviteRequest, Invited, NewCode};
use crate::{Identity, Service};

pub(super) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/invites", post(create))
        .route("/invites/{code}", get(show).post(accept))
        .route("/rooms/{room}/invites", post(invite_to_room))
}

/// `{room?, uses?, expires_in?}`
async fn create(State(service): State<Arc<Service>>, Caller(who): Caller, mut fields: Fields) -> Answer {
    let room = fields.optional_text("room")?.map(|room| RoomId::parse(&room)).transpose();
    let room = room.map_err(CommandError::bad_id("room"))?;
    created(&service.auth.create_invite(&who, request(room, &mut fields)?).await?)
}

/// Needs no login: who holds the code may know what it is good for.
async fn show(State(service): State<Arc<Service>>, WithCode(code): WithCode) -> Answer {
    let invite = service.auth.invite(&code).await?;
    let mut body = json!({ "admin": invite.admin });
    let said = [
        ("room", invite.room.map(|room| room.to_string())),
        ("room_title", invite.room_title),
        ("invited_by", invite.invited_by),
    ];
    for (name, text) in said {
        if let Some(text) = text {
            body[name] = text.into();
        }
    }
    Ok(Json(body).into_response())
}

/// Somebody who has an account follows an invitation into its room. Costs no use where they are in already.
async fn accept(State(service): State<Arc<Service>>, Caller(who): Caller, WithCode(code): WithCode) -> Answer {
    if let Some(room) = service.auth.invite_room(&code).await?
        && service.auth.is_member(&room, &who.user.id).await?
    {
        return Ok(Json(json!({ "room": room.as_str() })).into_response());
    }
    let invited = service.auth.use_invite(&code).await?;
    enter(&service, &who, &invited).await?;
    Ok(Json(json!({ "room": invited.room.as_str() })).into_response())
}

/// With `user`, that person is invited; without, the answer is a code that leads into the room.
async fn invite_to_room(
    State(service): State<Arc<Service>>,
    Caller(who): Caller,
    InRoom(room): InRoom,
    mut fields: Fields,
) -> Answer {
    let Some(user) = fields.optional_text("user")? else {
        return created(&service.auth.create_invite(&who, request(Some(room), &mut fields)?).await?);
    };
    let target = UserId::parse(&user).map_err(CommandError::bad_id("user"))?;
    let ack = service.change_member(&who, &room, &target, MemberChange::Invited, None).await?;
    Ok(Json(ack).into_response())
}

/// Follows an invitation into its room. Both steps pass the rule table: the invitation in the name of who made it, if they
/// may still invite, and the entry in the name of who follows it.
pub(super) async fn enter(service: &Service, who: &Identity, invited: &Invited) -> Result<(), CommandError> {
    let room = &invited.room;
    if service.auth.is_banned(room, &who.user.id).await? {
        return Err(CommandError::forbidden("you are banned from this room"));
    }
    if let Some(inviter) = service.auth.inviter(invited).await?
        && let Err(error) = service.change_member(&inviter, room, &who.user.id, MemberChange::Invited, None).await
    {
        // A public room lets them in all the same.
        tracing::info!(%room, inviter = %inviter.user.id, %error, "an invitation no longer stands");
    }
    service.change_member(who, room, &who.user.id, MemberChange::Joined, None).await.map(|_| ())
}

fn request(room: Option<RoomId>, fields: &mut Fields) -> Result<InviteRequest, CommandError> {
    let uses = fields.optional_count("uses")?.unwrap_or(1);
    let life_s = fields.optional_count("expires_in")?.unwrap_or(INVITE_LIFE_S_DEFAULT);
    Ok(InviteRequest { room, uses, life_s })
}

fn created(new: &NewCode) -> Answer {
    let body = json!({ "code": new.code.expose(), "url": new.url.expose() });
    Ok((StatusCode::CREATED, Json(body)).into_response())
}
