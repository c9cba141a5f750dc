//! `me` and `users`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::routing::get;
use axum::{Json, Router};
use salon_core::ports::User;
use salon_core::{CommandError, UserId};
use serde_json::{Value, json};

use super::caller::Caller;
use super::fields::{Fields, Params};
use super::path::{OfUser, no_such_person};
use super::{Answer, Peer};
use crate::auth::parse_name;
use crate::{Identity, Service};

pub(super) fn routes() -> Router<Arc<Service>> {
    Router::new().route("/me", get(me).patch(change_me)).route("/users", get(users)).route("/users/{user}", get(user))
}

async fn me(Caller(who): Caller) -> Answer {
    Ok(Json(own(&who.user)).into_response())
}

/// `{name?, password?, current_password?}`. A new password needs the current one and ends the other logins.
async fn change_me(State(service): State<Arc<Service>>, Caller(who): Caller, Peer(peer): Peer, mut fields: Fields) -> Answer {
    let (name, password) = (fields.optional_text("name")?, fields.optional_text("password")?);
    let current = match password {
        Some(_) => fields.text("current_password")?,
        None => String::new(),
    };
    // Both or none: what can be refused without a change is refused before the first one.
    if let Some(name) = &name {
        parse_name(name)?;
    }
    if let Some(password) = password {
        service.auth.change_password(&who, current, password, &peer).await?;
    }
    let user = match name {
        Some(name) => {
            let user = service.auth.rename(&who.user.id, &name).await?;
            service.renamed(&user.id);
            user
        }
        None => who.user,
    };
    Ok(Json(own(&user)).into_response())
}

async fn users(State(service): State<Arc<Service>>, Caller(who): Caller, mut params: Params) -> Answer {
    let prefix = params.text("prefix").unwrap_or_default();
    let after = params.text("cursor").map(|cursor| UserId::parse(&cursor)).transpose();
    let after = after.map_err(CommandError::bad_id("cursor"))?;
    let found = service.auth.people(&who, &prefix, after.as_ref(), params.limit()?).await?;
    let mut body = json!({ "users": found.users.iter().map(|user| shown(&who, user)).collect::<Vec<_>>() });
    if let Some(last) = found.users.last().filter(|_| found.more) {
        body["next"] = last.id.as_str().into();
    }
    Ok(Json(body).into_response())
}

async fn user(State(service): State<Arc<Service>>, Caller(who): Caller, OfUser(id): OfUser) -> Answer {
    let user = service.auth.person(&id).await?.ok_or_else(no_such_person)?;
    Ok(Json(shown(&who, &user)).into_response())
}

/// Somebody as they see themselves.
pub(super) fn own(user: &User) -> Value {
    json!({ "id": user.id.as_str(), "name": user.name, "email": user.email, "admin": user.admin })
}

/// Somebody as another one sees them: e-mail addresses are for administrators.
fn shown(by: &Identity, user: &User) -> Value {
    match () {
        () if by.user.id == user.id => own(user),
        () if by.user.admin => {
            let mut shown = own(user);
            shown["disabled"] = user.disabled.into();
            shown
        }
        () => json!({ "id": user.id.as_str(), "name": user.name }),
    }
}
