//! `docs/asyncapi.json`: the client protocol as an AsyncAPI 3 document, made from the types that the server itself uses.

use std::collections::BTreeMap;

use anyhow::Context;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto};
use protox::prost_reflect::DescriptorPool;
use serde_json::{Map, Value, json};

use crate::program::root;

const FILE: &str = "salon/v1/ws.proto";
/// Fields of `ClientFrame` and `ServerFrame` other than the commands and events.
const ENVELOPE_FIELDS: [&str; 1] = ["id"];
/// Field numbers of the descriptor's own schema, which name a message and a field in a comment's path.
const MESSAGE_PATH: i32 = 4;
const FIELD_PATH: i32 = 2;

pub(super) fn generate() -> anyhow::Result<String> {
    let protos = root().join("crates/salon-proto/proto");
    let files = protox::compile([FILE], [protos])?;
    let pool = DescriptorPool::from_file_descriptor_set(files)?;
    let file = pool.get_file_by_name(FILE).context("the compiler lost the file")?;
    let file = Api::new(file.file_descriptor_proto());
    Ok(serde_json::to_string_pretty(&file.document()?)? + "\n")
}

struct Api<'a> {
    messages: BTreeMap<&'a str, &'a DescriptorProto>,
    /// By message and, for a field's comment, field.
    comments: BTreeMap<(&'a str, Option<&'a str>), String>,
}

impl<'a> Api<'a> {
    fn new(file: &'a FileDescriptorProto) -> Self {
        let mut comments = BTreeMap::new();
        for location in file.source_code_info.iter().flat_map(|info| &info.location) {
            let Some(comment) = location.leading_comments.as_deref() else { continue };
            let index = |at: usize| location.path.get(at).and_then(|n| usize::try_from(*n).ok());
            let message =
                index(1).and_then(|at| file.message_type.get(at)).filter(|_| location.path.first() == Some(&MESSAGE_PATH));
            let Some(message) = message else { continue };
            let field = index(3).and_then(|at| message.field.get(at)).filter(|_| location.path.get(2) == Some(&FIELD_PATH));
            let text = comment.split_whitespace().collect::<Vec<_>>().join(" ");
            comments.insert((message.name(), field.map(FieldDescriptorProto::name)), text);
        }
        Self { messages: file.message_type.iter().map(|message| (message.name(), message)).collect(), comments }
    }

    fn document(&self) -> anyhow::Result<Value> {
        let mut messages = Map::new();
        for (name, schema) in self.variants("ClientFrame")? {
            messages.insert(format!("command.{name}"), envelope(&name, &schema, "From the client"));
        }
        for (name, schema) in self.variants("ServerFrame")? {
            if name != "entry" {
                messages.insert(format!("event.{name}"), envelope(&name, &schema, "From the server"));
                continue;
            }
            for (kind, body) in self.variants("Entry")? {
                // One event is named differently, because `room` is a field of every entry.
                let kind = if kind == "room_changed" { "room".to_owned() } else { kind };
                let mut message = envelope(&kind, &body, "From the server: an entry of a log");
                message["payload"]["properties"]["data"] = json!({"allOf": [reference("Entry"), reference(&body)]});
                messages.insert(format!("entry.{kind}"), message);
            }
        }
        let channel: Map<_, _> =
            messages.keys().map(|name| (name.clone(), json!({"$ref": format!("#/components/messages/{name}")}))).collect();
        let named = |prefix: &str| -> Vec<Value> {
            channel
                .keys()
                .filter(|name| name.starts_with(prefix))
                .map(|n| json!({"$ref": format!("#/channels/ws/messages/{n}")}))
                .collect()
        };
        let heard: Vec<Value> = named("event.").into_iter().chain(named("entry.")).collect();
        Ok(json!({
            "asyncapi": "3.0.0",
            "info": {
                "title": "Salon's client protocol",
                "version": "1.0.0",
                "description": "Generated from crates/salon-proto/proto/salon/v1/ws.proto. docs/protocol.md says what it all means.",
                "license": {"name": "MIT"},
            },
            "servers": {"local": {"host": "localhost:8080", "protocol": "ws"}},
            "defaultContentType": "application/json",
            "channels": {"ws": {"address": "/ws", "messages": channel.clone()}},
            "operations": {
                "command": {"action": "receive", "channel": {"$ref": "#/channels/ws"}, "messages": named("command.")},
                "event": {"action": "send", "channel": {"$ref": "#/channels/ws"}, "messages": heard},
            },
            "components": {"messages": messages, "schemas": self.schemas()},
        }))
    }

    /// The commands, events or bodies of a message, each with the type of its data.
    fn variants(&self, message: &str) -> anyhow::Result<Vec<(String, String)>> {
        let message = self.messages.get(message).with_context(|| format!("{FILE} has no {message}"))?;
        let variants = message.field.iter().filter(|f| f.oneof_index.is_some() && !f.proto3_optional());
        Ok(variants
            .filter(|field| !ENVELOPE_FIELDS.contains(&field.name()))
            .map(|field| (field.name().to_owned(), type_name(field).to_owned()))
            .collect())
    }

    fn schemas(&self) -> Map<String, Value> {
        let frames = ["ClientFrame", "ServerFrame"];
        let data = self.messages.iter().filter(|(name, _)| !frames.contains(*name));
        data.map(|(name, message)| ((*name).to_owned(), self.schema(name, message))).collect()
    }

    fn schema(&self, name: &str, message: &DescriptorProto) -> Value {
        let alternatives: Vec<Value> =
            message.field.iter().filter(|f| is_alternative(f)).map(|field| reference(type_name(field))).collect();
        if name == "Ack" {
            return json!({"description": "The data depends on the command that is answered.", "anyOf": alternatives});
        }
        let mut properties = Map::new();
        let mut required = Vec::new();
        for field in message.field.iter().filter(|field| !is_alternative(field)) {
            let mut schema = field_schema(field);
            if let Some(comment) = self.comments.get(&(name, Some(field.name()))) {
                schema["description"] = json!(comment);
            }
            properties.insert(field.name().to_owned(), schema);
            let always = !field.proto3_optional() && field.label() != Label::Repeated && field.r#type() != Type::Bool;
            if always && field.r#type() != Type::Message {
                required.push(json!(field.name()));
            }
        }
        let mut schema = json!({"type": "object", "properties": properties});
        if !required.is_empty() {
            schema["required"] = Value::Array(required);
        }
        if let Some(comment) = self.comments.get(&(name, None)) {
            schema["description"] = json!(comment);
        }
        schema
    }
}

fn envelope(event: &str, data: &str, summary: &str) -> Value {
    json!({
        "name": event,
        "summary": summary,
        "payload": {
            "type": "object",
            "required": ["event", "data"],
            "properties": {"event": {"const": event}, "id": {"type": "integer"}, "data": reference(data)},
        },
    })
}

/// One of several bodies, which JSON prints without a name of its own.
fn is_alternative(field: &FieldDescriptorProto) -> bool {
    field.oneof_index.is_some() && !field.proto3_optional()
}

fn field_schema(field: &FieldDescriptorProto) -> Value {
    // These two hold JSON of the client's own, passed through as it is.
    let schema = match field.name() {
        "extra" => json!({"type": "object"}),
        "payload" => json!({}),
        _ => match field.r#type() {
            Type::Message => reference(type_name(field)),
            Type::Bool => json!({"type": "boolean"}),
            Type::Double | Type::Float => json!({"type": "number"}),
            Type::String | Type::Bytes => json!({"type": "string"}),
            Type::Int64
            | Type::Uint64
            | Type::Int32
            | Type::Uint32
            | Type::Fixed64
            | Type::Fixed32
            | Type::Sfixed32
            | Type::Sfixed64
            | Type::Sint32
            | Type::Sint64
            | Type::Enum
            | Type::Group => json!({"type": "integer"}),
        },
    };
    if field.label() == Label::Repeated { json!({"type": "array", "items": schema}) } else { schema }
}

fn type_name(field: &FieldDescriptorProto) -> &str {
    field.type_name().rsplit('.').next().unwrap_or_default()
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}
