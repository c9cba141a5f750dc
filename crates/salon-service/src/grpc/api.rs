//! `salon.v1.ChatService`: every method checks who calls and does what the command of the same name does.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use salon_core::{CommandError, ErrorCode, HistoryPolicy, RoomKind, Standing, UserId};
use salon_proto::link::open_session::Credential;
use salon_proto::v1::{self, chat_service_server::ChatService};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use super::connection::Connection;
use super::door::Door;
use super::streams::{self, Answers};
use super::{credentials, status};
use crate::commands::{CreateRoom, room_id};
use crate::{Identity, Service, unavailable};

/// What a command may take that goes on when its caller has hung up, in milliseconds.
const COMMAND_MS_MAX: u64 = 9_500;
/// The two directions of a page token of the history.
const OLDER: &str = "o";
const NEWER: &str = "n";

#[derive(Debug, Clone)]
pub(super) struct Api {
    door: Arc<Door>,
}

impl Api {
    pub(super) fn new(door: Arc<Door>) -> Self {
        Self { door }
    }

    fn service(&self) -> &Arc<Service> {
        self.door.service()
    }

    async fn identify(&self, metadata: &MetadataMap) -> Result<Identity, CommandError> {
        let credential = Credential::Token(credentials::token(metadata)?);
        self.service().auth().open(&credential).await
    }

    /// Runs a command and counts it.
    async fn answer<T>(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<T, CommandError>>,
    ) -> Result<Response<T>, Status> {
        let result = work.await;
        let outcome = result.as_ref().map_or_else(|error| error.code.as_str(), |_| "ok");
        self.service().metrics.command(name, outcome);
        result.map(Response::new).map_err(|error| status::status(&error))
    }

    /// Runs a command that writes: to its end, whatever becomes of the call.
    async fn write<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, CommandError>> + Send + 'static,
    ) -> Result<T, CommandError> {
        let bounded = async {
            let late = || Err(CommandError::unavailable("no answer in time: the outcome is unknown, ask again"));
            tokio::time::timeout(Duration::from_millis(COMMAND_MS_MAX), work).await.unwrap_or_else(|_elapsed| late())
        };
        self.door.to_the_end(bounded).await
    }
}

#[tonic::async_trait]
impl ChatService for Api {
    type JoinChatStream = Answers<v1::ChatEvent>;
    type ChatStream = Answers<v1::ChatStream>;
    type WatchPresenceStream = Answers<v1::WatchPresenceResponse>;

    async fn get_user(&self, request: Request<v1::GetUserRequest>) -> Result<Response<v1::GetUserResponse>, Status> {
        self.answer("user", async {
            let who = self.identify(request.metadata()).await?;
            self.user(&who, &request.get_ref().user_id).await
        })
        .await
    }

    async fn join_chat(&self, request: Request<v1::JoinRequest>) -> Result<Response<Self::JoinChatStream>, Status> {
        let token = credentials::token(request.metadata()).map_err(|error| status::status(&error))?;
        let connection = connection(&request)?;
        streams::join(&self.door, &connection, token, request.into_inner()).await.map(Response::new)
    }

    async fn send_message(&self, request: Request<v1::SendMessageRequest>) -> Result<Response<v1::MessageAck>, Status> {
        self.answer("message", async {
            let who = self.identify(request.metadata()).await?;
            let service = Arc::clone(self.service());
            self.write(async move { service.say_entering(&who, request.into_inner()).await }).await
        })
        .await
    }

    async fn get_history(&self, request: Request<v1::GetHistoryRequest>) -> Result<Response<v1::HistoryResponse>, Status> {
        self.answer("history", async {
            let who = self.identify(request.metadata()).await?;
            let query = history_query(request.into_inner())?;
            let page = self.service().list_history(&who, query).await.map_err(about_the_token)?;
            let token = |direction: &str, cursor: Option<String>| cursor.map(|c| format!("{direction}{c}")).unwrap_or_default();
            Ok(v1::HistoryResponse {
                messages: page.messages,
                next_page_token: token(OLDER, page.prev),
                previous_page_token: token(NEWER, page.next),
            })
        })
        .await
    }

    async fn chat(&self, request: Request<Streaming<v1::ChatStream>>) -> Result<Response<Self::ChatStream>, Status> {
        let token = credentials::token(request.metadata()).map_err(|error| status::status(&error))?;
        let connection = connection(&request)?;
        streams::chat(&self.door, &connection, token, request.into_inner()).await.map(Response::new)
    }

    async fn watch_presence(
        &self,
        request: Request<v1::WatchPresenceRequest>,
    ) -> Result<Response<Self::WatchPresenceStream>, Status> {
        let identified = async { Ok((self.identify(request.metadata()).await?, credentials::token(request.metadata())?)) };
        let who = identified.await.map_err(|error| status::status(&error))?;
        let connection = connection(&request)?;
        streams::watch_presence(&self.door, &connection, who, request.into_inner().room).await.map(Response::new)
    }

    async fn list_rooms(&self, request: Request<v1::ListRoomsRequest>) -> Result<Response<v1::ListRoomsResponse>, Status> {
        self.answer("rooms", async {
            let who = self.identify(request.metadata()).await?;
            let v1::ListRoomsRequest { page_size, page_token } = request.into_inner();
            let query = v1::ListRooms { cursor: some(page_token), limit: page_size };
            let page = self.service().list_rooms(&who, query).await.map_err(about_the_token)?;
            Ok(v1::ListRoomsResponse { rooms: page.rooms, next_page_token: page.next.unwrap_or_default() })
        })
        .await
    }

    async fn list_members(&self, request: Request<v1::ListMembersRequest>) -> Result<Response<v1::ListMembersResponse>, Status> {
        self.answer("members", async {
            let who = self.identify(request.metadata()).await?;
            let v1::ListMembersRequest { room, page_size, page_token } = request.into_inner();
            let query = v1::ListMembers { room, cursor: some(page_token), limit: page_size };
            let page = self.service().list_members(&who, query).await.map_err(about_the_token)?;
            Ok(v1::ListMembersResponse { members: page.members, next_page_token: page.next.unwrap_or_default() })
        })
        .await
    }

    async fn create_room(&self, request: Request<v1::CreateRoomRequest>) -> Result<Response<v1::CreateRoomResponse>, Status> {
        self.answer("create_room", async {
            let who = self.identify(request.metadata()).await?;
            let new = new_room(request.into_inner())?;
            let service = Arc::clone(self.service());
            let (room, created) = self.write(async move { service.create_room(&who, new).await }).await?;
            Ok(v1::CreateRoomResponse { room: Some(room), created })
        })
        .await
    }
}

impl Api {
    async fn user(&self, who: &Identity, id: &str) -> Result<v1::GetUserResponse, CommandError> {
        let user = if id.is_empty() {
            who.user.clone()
        } else {
            let id = UserId::parse(id).map_err(CommandError::bad_id("user_id"))?;
            let nobody =
                || CommandError { field: Some("user_id"), ..CommandError::new(ErrorCode::NotFound, "there is no such person") };
            self.service().auth().person(&id).await?.ok_or_else(nobody)?
        };
        let status = self.service().roster.shown(&user.id).status.as_str().to_owned();
        let may_see_email = who.user.admin || who.user.id == user.id;
        let person = v1::Person {
            id: user.id.as_str().to_owned(),
            name: user.name,
            email: some(user.email).filter(|_| may_see_email),
            guest: user.id.is_guest(),
        };
        Ok(v1::GetUserResponse { user: Some(person), status })
    }
}

impl Service {
    /// Sends a message on a door without sessions: into a public room that the sender has not joined, by joining it.
    async fn say_entering(&self, by: &Identity, request: v1::SendMessageRequest) -> Result<v1::MessageAck, CommandError> {
        let v1::SendMessageRequest { room, content, client_id, reply_to, extra } = request;
        let command = v1::SendMessage { room, content, client_id, reply_to, attachments: Vec::new(), extra };
        match self.send_message(by, command.clone()).await {
            Err(refusal) if refusal.code == ErrorCode::Forbidden => {
                if !self.enter_public(by, &command.room).await? {
                    return Err(refusal);
                }
                self.send_message(by, command).await
            }
            answer => answer,
        }
    }

    /// Makes somebody a member of a public room. False where there is nothing to be done about a refusal.
    async fn enter_public(&self, by: &Identity, room: &str) -> Result<bool, CommandError> {
        let room = room_id(room, &by.user.id)?;
        let row = self.parts.store.room(&room, &by.user.id).await.map_err(|error| unavailable(&error))?;
        let Some(row) = row else { return Ok(false) };
        let outside = matches!(row.standing, Standing::Stranger | Standing::Invited);
        if row.room.kind != RoomKind::Public || !outside {
            return Ok(false);
        }
        self.enter(by.actor(), &room).await?;
        Ok(true)
    }
}

/// The connection that a call came over.
fn connection<T>(request: &Request<T>) -> Result<Arc<Connection>, Status> {
    let connection = request.extensions().get::<Arc<Connection>>();
    connection.cloned().ok_or_else(|| status::status(&CommandError::new(ErrorCode::Internal, "a call without a connection")))
}

fn history_query(request: v1::GetHistoryRequest) -> Result<v1::GetHistory, CommandError> {
    let v1::GetHistoryRequest { room, page_size, page_token, at, user, query } = request;
    let invalid = || CommandError::invalid("page_token", "a page token comes from an earlier page and stands alone");
    if at.is_some() && !page_token.is_empty() {
        return Err(invalid());
    }
    let before = page_token.strip_prefix(OLDER).map(str::to_owned);
    let after = page_token.strip_prefix(NEWER).map(str::to_owned);
    if !page_token.is_empty() && before.is_none() && after.is_none() {
        return Err(invalid());
    }
    Ok(v1::GetHistory { room, before, after, at, limit: page_size, user, query })
}

/// The commands call it a cursor.
fn about_the_token(error: CommandError) -> CommandError {
    let field = error.field.map(|field| if matches!(field, "before" | "after" | "cursor") { "page_token" } else { field });
    CommandError { field, ..error }
}

fn new_room(request: v1::CreateRoomRequest) -> Result<CreateRoom, CommandError> {
    let v1::CreateRoomRequest { name, title, kind, user, history } = request;
    let kind = match &*kind {
        "" => Some(RoomKind::Public),
        kind => RoomKind::parse(kind).filter(|kind| *kind != RoomKind::Me),
    };
    let kind = kind.ok_or_else(|| CommandError::invalid("kind", "a room is public, private or direct"))?;
    let history = match history.as_deref() {
        None | Some("") => HistoryPolicy::default(),
        Some(history) => {
            HistoryPolicy::parse(history).ok_or_else(|| CommandError::invalid("history", "history is all or since_join"))?
        }
    };
    let peer = user.as_deref().map(UserId::parse).transpose().map_err(CommandError::bad_id("user"))?;
    Ok(CreateRoom { name, title, kind, peer, history })
}

/// Protobuf's empty string where we have nothing.
fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
