//! What the path names. A name that is none names nothing: the answer is 404, not 400.

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use salon_core::{CommandError, ErrorCode, RoomId, UserId};

use super::Problem;

/// `{room}`
pub(super) struct InRoom(pub(super) RoomId);

/// `{user}`
pub(super) struct OfUser(pub(super) UserId);

/// `{room}` and `{user}`
pub(super) struct InRoomOfUser(pub(super) RoomId, pub(super) UserId);

/// `{code}`
pub(super) struct WithCode(pub(super) String);

pub(super) fn no_such_person() -> CommandError {
    CommandError { field: Some("user"), ..CommandError::new(ErrorCode::NotFound, "there is no such person") }
}

/// The named parts of the path, decoded.
struct Names(BTreeMap<String, String>);

impl Names {
    async fn of<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(names)) => Ok(Self(names)),
            Err(_) => Err(Problem::no_such_route()),
        }
    }

    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    fn room(&self) -> Result<RoomId, CommandError> {
        RoomId::parse(self.get("room")).map_err(|_| CommandError::no_such_room())
    }

    fn user(&self) -> Result<UserId, CommandError> {
        UserId::parse(self.get("user")).map_err(|_| no_such_person())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for InRoom {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Self(Names::of(parts, state).await?.room()?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OfUser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Self(Names::of(parts, state).await?.user()?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for InRoomOfUser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let names = Names::of(parts, state).await?;
        Ok(Self(names.room()?, names.user()?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for WithCode {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Self(Names::of(parts, state).await?.get("code").to_owned()))
    }
}
