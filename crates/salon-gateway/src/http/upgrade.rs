//! `GET /ws`: from a request to a WebSocket with a session, or without one yet.

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;
use http::{Response, StatusCode};
use parking_lot::Mutex;
use salon_core::ErrorCode;
use salon_proto::link::open_session::Credential;
use tokio::time::timeout;

use super::credentials::{self, Unusable};
use super::handshake;
use super::origin::{self, Verdict};
use super::respond::{self, Body};
use super::{Front, Sessions, Start};

/// How a connection goes on behind its 101, kept for the moment when HTTP lets go of the socket. A session whose
/// connection ends before that is given back.
#[derive(Debug)]
pub(super) struct Handover {
    sessions: Arc<dyn Sessions>,
    start: Mutex<Option<Start>>,
}

impl Handover {
    pub(super) fn new(sessions: Arc<dyn Sessions>) -> Self {
        Self { sessions, start: Mutex::new(None) }
    }

    /// Takes the promise over; the caller keeps it now.
    pub(super) fn take(&self) -> Option<Start> {
        self.start.lock().take()
    }

    pub(super) fn promise(&self, start: Start) {
        let before = self.start.lock().replace(start);
        self.give_back(before);
    }

    pub(super) fn give_back(&self, start: Option<Start>) {
        match start {
            Some(Start::Opened(opened)) => self.sessions.abandon(opened),
            Some(Start::AwaitHello { .. } | Start::RefuseOrigin) | None => {}
        }
    }
}

impl Drop for Handover {
    fn drop(&mut self) {
        let start = self.start.get_mut().take();
        self.give_back(start);
    }
}

/// Answers `/ws`. On 101 the way to go on lies in `handover`.
pub(super) async fn answer(front: &Front, client: IpAddr, request: &Parts, handover: &Handover) -> Response<Body> {
    let handshake = match handshake::check(request) {
        Ok(handshake) => handshake,
        Err(refusal) => return *refusal,
    };
    if front.sessions.draining() {
        return respond::unavailable("this gateway is about to stop: connect again");
    }
    match start(front, client, request).await {
        Ok(start) => {
            handover.promise(start);
            handshake.response()
        }
        Err(refusal) => *refusal,
    }
}

async fn start(front: &Front, client: IpAddr, request: &Parts) -> Result<Start, Box<Response<Body>>> {
    let origin = origin::judge(&request.headers, &front.config.origins);
    match origin {
        // A page cannot see the status of a refused handshake, a close code it can. No credential is looked at.
        Verdict::Refused => return Ok(Start::RefuseOrigin),
        Verdict::Allowed | Verdict::Absent => {}
    }
    match credentials::of_handshake(request, origin, front.config.token_in_url) {
        Ok(Some(credential)) => open(front, client, credential).await,
        Ok(None) => Ok(Start::AwaitHello { peer: client.to_string() }),
        Err(Unusable::Query) => Err(Box::new(respond::text(StatusCode::BAD_REQUEST, "The query is malformed.\n"))),
        Err(Unusable::TokenInUrl) => Err(unauthenticated("tokens in URLs are switched off here: use a ticket or a hello")),
        Err(Unusable::Scheme) => Err(unauthenticated("only Bearer tokens are understood here")),
    }
}

async fn open(front: &Front, client: IpAddr, credential: Credential) -> Result<Start, Box<Response<Body>>> {
    match timeout(front.config.limits.api_timeout, front.sessions.open(credential, client.to_string())).await {
        Ok(Ok(opened)) => Ok(Start::Opened(opened)),
        Ok(Err(error)) => Err(Box::new(respond::problem(&error))),
        Err(_elapsed) => Err(Box::new(respond::unavailable("the service does not answer: try again"))),
    }
}

fn unauthenticated(message: &str) -> Box<Response<Body>> {
    Box::new(respond::problem(&respond::error(ErrorCode::Unauthenticated, message)))
}
