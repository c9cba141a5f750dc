//! Generates the wire types from `proto/` with a compiler in pure Rust, so that nobody needs `protoc`.

use std::error::Error;
use std::path::PathBuf;

use prost::Message as _;

/// Messages that hold the raw JSON of the client.
const RAW_JSON_FIELDS: [&str; 4] =
    [".salon.v1.SendMessage.extra", ".salon.v1.Message.extra", ".salon.v1.SendSignal.payload", ".salon.v1.Signal.payload"];

/// A command that lacks one of these fields is a mistake, and the field's default would hide it.
const WITHOUT_DEFAULTS: [&str; 3] = [".salon.v1.Position", ".salon.v1.MarkRead", ".salon.v1.SetTyping"];

/// Flags and lists that are printed only where they say something.
const OMITTED_WHEN_EMPTY: [&str; 12] = [
    ".salon.v1.Person.guest",
    ".salon.v1.React.remove",
    ".salon.v1.ShareLocation.stop",
    ".salon.v1.SendMessage.attachments",
    ".salon.v1.Message.attachments",
    ".salon.v1.Message.mentions",
    ".salon.v1.Message.deleted",
    ".salon.v1.Message.reactions",
    ".salon.v1.Reaction.mine",
    ".salon.v1.Location.stop",
    ".salon.v1.RoomSummary.topic",
    ".salon.v1.RoomSummary.archived",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let public = protox::compile(["salon/v1/ws.proto", "salon/v1/chat.proto"], ["proto"])?;
    // With its comments it is what reflection answers with.
    let descriptors = PathBuf::from(std::env::var("OUT_DIR")?).join("salon.v1.bin");
    std::fs::write(descriptors, public.encode_to_vec())?;
    let mut config = prost_build::Config::new();
    #[cfg(feature = "grpc")]
    config.service_generator(tonic_prost_build::configure().build_transport(false).service_generator());
    config.type_attribute(".salon.v1", "#[derive(serde::Serialize, serde::Deserialize)]");
    for message in public_messages(&public) {
        if !WITHOUT_DEFAULTS.contains(&message.as_str()) {
            config.message_attribute(message, "#[serde(default)]");
        }
    }
    // An acknowledgement and an entry print their body without a tag: the event, or the command it answers, names it.
    for body in ["Ack.data", "Entry.body"] {
        config.enum_attribute(body, "#[serde(untagged)]");
        config.field_attribute(body, "#[serde(flatten, skip_deserializing)]");
    }
    config.field_attribute("HistoryPage.messages", "#[serde(deserialize_with = \"crate::json::message_entries\")]");
    config.field_attribute("RoomSummary.last", "#[serde(deserialize_with = \"crate::json::message_entry\")]");
    for field in RAW_JSON_FIELDS {
        config.field_attribute(field, "#[serde(with = \"crate::raw_json\")]");
    }
    for field in OMITTED_WHEN_EMPTY {
        config.field_attribute(field, "#[serde(skip_serializing_if = \"crate::is_empty\")]");
    }
    for field in optional_fields(&public) {
        config.field_attribute(field, "#[serde(skip_serializing_if = \"Option::is_none\")]");
    }
    config.compile_fds(public)?;

    let internal = protox::compile(["salon/internal/v1/link.proto"], ["proto"])?;
    let mut config = prost_build::Config::new();
    config.extern_path(".salon.v1", "crate::v1");
    config.bytes([".salon.internal.v1"]);
    config.compile_fds(internal)?;
    Ok(())
}

fn public_messages(files: &prost_types::FileDescriptorSet) -> Vec<String> {
    let messages = files.file.iter().flat_map(|file| file.message_type.iter().map(|message| (file.package(), message.name())));
    messages.map(|(package, name)| format!(".{package}.{name}")).collect()
}

/// Every field with presence: absent in JSON rather than `null`.
fn optional_fields(files: &prost_types::FileDescriptorSet) -> Vec<String> {
    let mut fields = Vec::new();
    for file in &files.file {
        for message in &file.message_type {
            for field in &message.field {
                let oneof_member = field.oneof_index.is_some() && !field.proto3_optional();
                let nested = field.r#type() == prost_types::field_descriptor_proto::Type::Message
                    && field.label() != prost_types::field_descriptor_proto::Label::Repeated;
                if !oneof_member && (field.proto3_optional() || nested) {
                    fields.push(format!(".{}.{}.{}", file.package(), message.name(), field.name()));
                }
            }
        }
    }
    fields
}
