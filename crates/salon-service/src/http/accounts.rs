//! `auth/*`, `session` and `tickets`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::caller::{AnyCaller, Caller, clear_cookie, set_cookie};
use super::fields::Fields;
use super::people::own;
use super::{Answer, Peer, invites};
use crate::auth::{Auth, Granted, SignUpRequest, TICKET_LIFE_S};
use crate::{Service, SignupPolicy};

pub(super) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/auth/signup", post(sign_up))
        .route("/auth/login", post(log_in))
        .route("/auth/refresh", post(refresh))
        .route("/auth/logout", post(log_out))
        .route("/session", get(session))
        .route("/tickets", post(ticket))
}

/// `room` in the answer is where the invitation led.
async fn sign_up(State(service): State<Arc<Service>>, Peer(peer): Peer, mut fields: Fields) -> Answer {
    let request = SignUpRequest {
        email: fields.text("email")?,
        password: fields.text("password")?,
        name: fields.optional_text("name")?,
        invite: fields.optional_text("invite")?,
    };
    let granted = service.auth.sign_up(request, &peer).await?;
    let mut body = granted_body(&granted);
    if let Some(invited) = &granted.invited {
        // The account is made: a room that cannot be entered any more does not undo it.
        match invites::enter(&service, &granted.identity(), invited).await {
            Ok(()) => body["room"] = invited.room.to_string().into(),
            Err(error) => tracing::info!(room = %invited.room, %error, "an invitation led nowhere"),
        }
    }
    Ok((StatusCode::CREATED, with_cookie(&service.auth, &granted, Json(body).into_response())).into_response())
}

async fn log_in(State(service): State<Arc<Service>>, Peer(peer): Peer, mut fields: Fields) -> Answer {
    let (email, password) = (fields.text("email")?, fields.text("password")?);
    let granted = service.auth.log_in(&email, password, &peer).await?;
    Ok(with_cookie(&service.auth, &granted, Json(granted_body(&granted)).into_response()))
}

async fn refresh(State(service): State<Arc<Service>>, mut fields: Fields) -> Answer {
    let granted = service.auth.refresh(&fields.text("refresh_token")?).await?;
    Ok(Json(granted_body(&granted)).into_response())
}

async fn log_out(State(service): State<Arc<Service>>, Caller(who): Caller) -> Answer {
    service.auth.log_out(&who).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().extend(clear_cookie(&service.auth).map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

/// What a page has to know before it shows anything; always 200, so that being logged out is no error.
async fn session(State(service): State<Arc<Service>>, AnyCaller(who): AnyCaller) -> Answer {
    let signup = match service.auth.signup_policy() {
        SignupPolicy::Open => "open",
        SignupPolicy::Invite => "invite",
        SignupPolicy::Closed => "closed",
    };
    let setup = !service.auth.has_admin().await?;
    let user = who.map_or(Value::Null, |who| own(&who.user));
    Ok(Json(json!({ "user": user, "setup": setup, "signup": signup })).into_response())
}

async fn ticket(State(service): State<Arc<Service>>, Caller(who): Caller) -> Answer {
    let ticket = service.auth.ticket(&who).await?;
    let body = json!({ "ticket": ticket.expose(), "expires_in": TICKET_LIFE_S });
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

fn granted_body(granted: &Granted) -> Value {
    json!({
        "user": own(&granted.user),
        "access_token": granted.access_token.expose(),
        "expires_in": granted.expires_in_s,
        "refresh_token": granted.refresh_token.expose(),
    })
}

fn with_cookie(auth: &Auth, granted: &Granted, mut response: Response) -> Response {
    let cookie = granted.cookie.as_ref().and_then(|secret| set_cookie(auth, secret));
    response.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    response
}
