//! Salon's wire types.
//!
//! [`v1`] is the client protocol, generated from `proto/salon/v1/ws.proto`; [`json`] prints and parses it for
//! `salon.v1.json`. `chat.proto` is the same as gRPC; the feature `grpc` adds its server and client. [`link`] is the
//! contract between gateway and service.

pub mod json;
pub mod link;

/// The client protocol: commands, replies, entries, ephemeral events.
#[expect(clippy::large_enum_variant, reason = "generated")]
#[cfg_attr(
    feature = "grpc",
    expect(
        unused_qualifications,
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        clippy::too_many_lines,
        reason = "generated"
    )
)]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/salon.v1.rs"));
}

/// The public protocol described by itself, an encoded `FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/salon.v1.bin"));

fn is_empty<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A field that holds JSON as text: in JSON the value itself, passed through without a look inside.
mod raw_json {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::value::RawValue;

    pub(crate) fn serialize<S: Serializer>(text: &Option<String>, to: S) -> Result<S::Ok, S::Error> {
        let raw: Option<&RawValue> = match text {
            Some(text) => Some(serde_json::from_str(text).map_err(serde::ser::Error::custom)?),
            None => None,
        };
        raw.serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
        let raw = Option::<Box<RawValue>>::deserialize(from)?;
        Ok(raw.map(|raw| raw.get().to_owned()))
    }
}
