//! `salon.v1.json`: `{"event", "id"?, "data"}`, one object per text frame, over the same types as the protobuf form.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::v1::{self, Ack, ClientFrame, Entry, ServerFrame, ack, client_frame::Command, entry::Body, server_frame::Event};

/// Why a client's text is no command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not an object with an `event`, an integer `id` and an object `data`: the connection closes with 4501.
    #[error("not a frame of salon.v1.json: {0}")]
    NotAFrame(String),
    #[error("there is no command {event:?}")]
    UnknownEvent { id: Option<i64>, event: String },
    /// The data does not fit the command.
    #[error("{message}")]
    Invalid { id: Option<i64>, message: String },
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(default)]
    id: Option<i64>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Printed<'a, T> {
    event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
    data: &'a T,
}

impl<'a> Envelope<'a> {
    fn parse(text: &'a str) -> Result<Self, Malformed> {
        // The deserialiser would also take an array for a struct.
        if !text.trim_start().starts_with('{') {
            return Err(Malformed::NotAFrame("not an object".into()));
        }
        let envelope: Self = serde_json::from_str(text).map_err(|error| Malformed::NotAFrame(error.to_string()))?;
        match envelope.data {
            Some(data) if !data.get().starts_with('{') => Err(Malformed::NotAFrame("data is not an object".into())),
            Some(_) | None => Ok(envelope),
        }
    }

    fn data(&self) -> &'a str {
        self.data.map_or("{}", RawValue::get)
    }

    fn read<T: Deserialize<'a>>(&self) -> Result<T, Malformed> {
        serde_json::from_str(self.data())
            .map_err(|error| Malformed::Invalid { id: self.id, message: format!("{}: {error}", self.event) })
    }
}

/// Parses a command.
///
/// # Errors
/// See [`Malformed`].
pub fn parse_client(text: &str) -> Result<ClientFrame, Malformed> {
    let envelope = Envelope::parse(text)?;
    let command = match &*envelope.event {
        "hello" => Command::Hello(envelope.read()?),
        "join" => Command::Join(envelope.read()?),
        "leave" => Command::Leave(envelope.read()?),
        "part" => Command::Part(envelope.read()?),
        "message" => Command::Message(envelope.read()?),
        "edit" => Command::Edit(envelope.read()?),
        "delete" => Command::Delete(envelope.read()?),
        "react" => Command::React(envelope.read()?),
        "history" => Command::History(envelope.read()?),
        "read" => Command::Read(envelope.read()?),
        "rooms" => Command::Rooms(envelope.read()?),
        "members" => Command::Members(envelope.read()?),
        "typing" => Command::Typing(envelope.read()?),
        "presence" => Command::Presence(envelope.read()?),
        "signal" => Command::Signal(envelope.read()?),
        "location" => Command::Location(envelope.read()?),
        "ping" => Command::Ping(envelope.read()?),
        _ => return Err(Malformed::UnknownEvent { id: envelope.id, event: envelope.event.into_owned() }),
    };
    Ok(ClientFrame { id: envelope.id, command: Some(command) })
}

/// The name of a command in JSON, in metrics and in logs.
#[must_use]
pub fn command_name(command: &Command) -> &'static str {
    match command {
        Command::Hello(_) => "hello",
        Command::Join(_) => "join",
        Command::Leave(_) => "leave",
        Command::Part(_) => "part",
        Command::Message(_) => "message",
        Command::Edit(_) => "edit",
        Command::Delete(_) => "delete",
        Command::React(_) => "react",
        Command::History(_) => "history",
        Command::Read(_) => "read",
        Command::Rooms(_) => "rooms",
        Command::Members(_) => "members",
        Command::Typing(_) => "typing",
        Command::Presence(_) => "presence",
        Command::Signal(_) => "signal",
        Command::Location(_) => "location",
        Command::Ping(_) => "ping",
    }
}

/// Prints a command, as a client sends it.
///
/// # Errors
/// `extra` or `payload` is not JSON.
pub fn print_client(frame: &ClientFrame) -> Result<String, serde_json::Error> {
    let Some(command) = &frame.command else {
        return Err(serde::ser::Error::custom("a frame without a command cannot be sent"));
    };
    let (event, id) = (command_name(command), frame.id);
    match command {
        Command::Hello(data) => print(event, id, data),
        Command::Join(data) => print(event, id, data),
        Command::Leave(data) => print(event, id, data),
        Command::Part(data) => print(event, id, data),
        Command::Message(data) => print(event, id, data),
        Command::Edit(data) => print(event, id, data),
        Command::Delete(data) => print(event, id, data),
        Command::React(data) => print(event, id, data),
        Command::History(data) => print(event, id, data),
        Command::Read(data) => print(event, id, data),
        Command::Rooms(data) => print(event, id, data),
        Command::Members(data) => print(event, id, data),
        Command::Typing(data) => print(event, id, data),
        Command::Presence(data) => print(event, id, data),
        Command::Signal(data) => print(event, id, data),
        Command::Location(data) => print(event, id, data),
        Command::Ping(data) => print(event, id, data),
    }
}

/// Prints what the server sends.
///
/// # Errors
/// `extra` or `payload` is not JSON, or the frame has no event.
pub fn print_server(frame: &ServerFrame) -> Result<String, serde_json::Error> {
    let Some(event) = &frame.event else {
        return Err(serde::ser::Error::custom("a frame without an event cannot be sent"));
    };
    let id = frame.id;
    match event {
        Event::Welcome(data) => print("welcome", id, data),
        Event::Ack(data) => print("ack", id, data),
        Event::Error(data) => print("error", id, data),
        Event::Entry(data) => print(entry_name(data), id, data),
        Event::CaughtUp(data) => print("caught_up", id, data),
        Event::Presence(data) => print("presence", id, data),
        Event::Typing(data) => print("typing", id, data),
        Event::Read(data) => print("read", id, data),
        Event::Signal(data) => print("signal", id, data),
        Event::Location(data) => print("location", id, data),
        Event::Activity(data) => print("activity", id, data),
        Event::Ping(data) => print("ping", id, data),
        Event::Closing(data) => print("closing", id, data),
    }
}

fn print<T: Serialize>(event: &str, id: Option<i64>, data: &T) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Printed { event, id, data })
}

/// The event under which an entry is printed. An entry of a kind that this version does not know still has a position.
#[must_use]
pub fn entry_name(entry: &Entry) -> &'static str {
    match &entry.body {
        Some(Body::Message(_)) => "message",
        Some(Body::Edit(_)) => "edit",
        Some(Body::Delete(_)) => "delete",
        Some(Body::React(_)) => "react",
        Some(Body::Member(_)) => "member",
        Some(Body::RoomChanged(_)) => "room",
        Some(Body::Call(_)) => "call",
        Some(Body::RoomAdded(_)) => "room_added",
        Some(Body::RoomRemoved(_)) => "room_removed",
        Some(Body::Mention(_)) => "mention",
        Some(Body::Read(_)) => "read",
        Some(Body::Notice(_)) => "notice",
        None => "unknown",
    }
}

/// What a client receives. An acknowledgement does not name the command that it answers: whoever sent that knows.
#[derive(Debug)]
pub enum Received {
    Frame(Box<ServerFrame>),
    Ack { id: Option<i64>, data: Box<RawValue> },
}

/// Parses what the server sends.
///
/// # Errors
/// Not an event of this protocol.
pub fn parse_server(text: &str) -> Result<Received, Malformed> {
    let envelope = Envelope::parse(text)?;
    let event = match &*envelope.event {
        "ack" => {
            let data = RawValue::from_string(envelope.data().to_owned()).map_err(|e| Malformed::NotAFrame(e.to_string()))?;
            return Ok(Received::Ack { id: envelope.id, data });
        }
        "welcome" => Event::Welcome(envelope.read()?),
        "error" => Event::Error(envelope.read()?),
        "caught_up" => Event::CaughtUp(envelope.read()?),
        "presence" => Event::Presence(envelope.read()?),
        "typing" => Event::Typing(envelope.read()?),
        "signal" => Event::Signal(envelope.read()?),
        "location" => Event::Location(envelope.read()?),
        "activity" => Event::Activity(envelope.read()?),
        "ping" => Event::Ping(envelope.read()?),
        "closing" => Event::Closing(envelope.read()?),
        // In one's own log `read` is an entry and has an epoch, elsewhere it is somebody's passing mark.
        "read" if envelope.read::<Entry>()?.epoch.is_empty() => Event::Read(envelope.read()?),
        name => Event::Entry(parse_entry(name, envelope.id, envelope.data())?),
    };
    Ok(Received::Frame(Box::new(ServerFrame { id: envelope.id, event: Some(event) })))
}

/// Parses the data of an acknowledgement of `command`.
///
/// # Errors
/// It is the acknowledgement of something else.
pub fn parse_ack(command: &Command, data: &RawValue) -> Result<Ack, serde_json::Error> {
    let text = data.get();
    let data = match command {
        Command::Join(_) => ack::Data::Join(serde_json::from_str(text)?),
        Command::Leave(_) => ack::Data::Leave(serde_json::from_str(text)?),
        Command::Part(_) => ack::Data::Part(serde_json::from_str(text)?),
        Command::Message(_) => ack::Data::Message(serde_json::from_str(text)?),
        Command::Edit(_) | Command::Delete(_) | Command::React(_) => ack::Data::Change(serde_json::from_str(text)?),
        Command::History(_) => ack::Data::History(serde_json::from_str(text)?),
        Command::Read(_) => ack::Data::Read(serde_json::from_str(text)?),
        Command::Rooms(_) => ack::Data::Rooms(serde_json::from_str(text)?),
        Command::Members(_) => ack::Data::Members(serde_json::from_str(text)?),
        Command::Hello(_)
        | Command::Typing(_)
        | Command::Presence(_)
        | Command::Signal(_)
        | Command::Location(_)
        | Command::Ping(_) => ack::Data::Empty(serde_json::from_str(text)?),
    };
    Ok(Ack { data: Some(data) })
}

fn parse_entry(name: &str, id: Option<i64>, data: &str) -> Result<Entry, Malformed> {
    let body = || -> Result<Option<Body>, serde_json::Error> {
        Ok(Some(match name {
            "message" => Body::Message(serde_json::from_str(data)?),
            "edit" => Body::Edit(serde_json::from_str(data)?),
            "delete" => Body::Delete(serde_json::from_str(data)?),
            "react" => Body::React(serde_json::from_str(data)?),
            "member" => Body::Member(serde_json::from_str(data)?),
            "room" => Body::RoomChanged(serde_json::from_str(data)?),
            "call" => Body::Call(serde_json::from_str(data)?),
            "room_added" => Body::RoomAdded(serde_json::from_str(data)?),
            "room_removed" => Body::RoomRemoved(serde_json::from_str(data)?),
            "mention" => Body::Mention(serde_json::from_str(data)?),
            "read" => Body::Read(serde_json::from_str(data)?),
            "notice" => Body::Notice(serde_json::from_str(data)?),
            _ => return Ok(None),
        }))
    };
    let invalid = |error: serde_json::Error| Malformed::Invalid { id, message: format!("{name}: {error}") };
    let header: Entry = serde_json::from_str(data).map_err(invalid)?;
    if header.seq == 0 {
        return Err(Malformed::UnknownEvent { id, event: name.to_owned() });
    }
    Ok(Entry { body: body().map_err(invalid)?, ..header })
}

/// The messages of a page are printed as the data of message events.
pub(crate) fn message_entries<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Entry>, D::Error> {
    let pages: Vec<Box<RawValue>> = Deserialize::deserialize(from)?;
    pages.iter().map(|raw| parse_entry("message", None, raw.get()).map_err(serde::de::Error::custom)).collect()
}

/// The same for a single, optional message.
pub(crate) fn message_entry<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Entry>, D::Error> {
    let raw: Option<Box<RawValue>> = Deserialize::deserialize(from)?;
    raw.map(|raw| parse_entry("message", None, raw.get()).map_err(serde::de::Error::custom)).transpose()
}

/// Wraps an event without an id.
#[must_use]
pub fn event(event: Event) -> ServerFrame {
    ServerFrame { id: None, event: Some(event) }
}

/// Wraps the acknowledgement of a command that asked for one.
#[must_use]
pub fn acknowledge(id: i64, data: ack::Data) -> ServerFrame {
    ServerFrame { id: Some(id), event: Some(Event::Ack(Ack { data: Some(data) })) }
}

/// Wraps an error as the protocol prints it.
#[must_use]
pub fn error(id: Option<i64>, error: &salon_core::CommandError) -> ServerFrame {
    let data = v1::Error {
        code: error.code.as_str().to_owned(),
        message: error.message.clone(),
        field: error.field.map(str::to_owned),
        retryable: error.code.retryable(),
        retry_after_ms: error.retry_after_ms,
    };
    ServerFrame { id, event: Some(Event::Error(data)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_parsed_and_unknown_fields_are_ignored() {
        let text = r#"{"event":"message","id":7,"data":{"room":"general","content":"hi","extra":{"a":[1, 2]},"new":1},"x":0}"#;
        let frame = parse_client(text).unwrap();
        assert_eq!(frame.id, Some(7));
        let Some(Command::Message(message)) = frame.command else { panic!("{frame:?}") };
        assert_eq!((&*message.room, &*message.content, message.extra.as_deref()), ("general", "hi", Some(r#"{"a":[1, 2]}"#)));
    }

    #[test]
    fn what_is_no_frame_is_told_from_what_is_no_command() {
        for text in [
            "",
            "5",
            "[]",
            "{}",
            r#"{"event":5}"#,
            r#"{"event":"ping","id":"7"}"#,
            r#"{"event":"ping","data":[]}"#,
            r#"["ping",1,{}]"#,
        ] {
            assert!(matches!(parse_client(text), Err(Malformed::NotAFrame(_))), "{text}");
        }
        assert!(matches!(parse_client(r#"{"event":"fly","id":3}"#), Err(Malformed::UnknownEvent { id: Some(3), .. })));
        let wrong = r#"{"event":"join","id":3,"data":{"room":5}}"#;
        assert!(matches!(parse_client(wrong), Err(Malformed::Invalid { id: Some(3), .. })));
    }

    #[test]
    fn an_entry_is_printed_flat() {
        let body = Body::Message(v1::Message { id: "m_1".into(), content: "hi".into(), ..Default::default() });
        let entry = Entry { room: "general".into(), epoch: "e".into(), seq: 4, body: Some(body), ..Default::default() };
        let text = print_server(&event(Event::Entry(entry.clone()))).unwrap();
        assert_eq!(
            text,
            r#"{"event":"message","data":{"room":"general","epoch":"e","seq":4,"timestamp":"","user":"","name":"","id":"m_1","content":"hi"}}"#
        );
        let Ok(Received::Frame(parsed)) = parse_server(&text) else { panic!("{text}") };
        assert_eq!(*parsed, event(Event::Entry(entry)));
    }

    #[test]
    fn an_ack_prints_its_data_without_a_tag() {
        let frame = acknowledge(3, ack::Data::Change(v1::ChangeAck { room: "general".into(), seq: None, duplicate: true }));
        assert_eq!(print_server(&frame).unwrap(), r#"{"event":"ack","id":3,"data":{"room":"general","duplicate":true}}"#);
        assert_eq!(print_server(&acknowledge(3, ack::Data::Empty(v1::Empty {}))).unwrap(), r#"{"event":"ack","id":3,"data":{}}"#);
    }
}
