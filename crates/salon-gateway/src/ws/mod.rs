//! RFC 6455 for a server, without a socket: [`Decoder`] turns bytes into messages, the `encode_*` functions turn
//! messages into frames that can be shared, since a server's frames are not masked.
//!
//! It is our own because the hub prints a frame once for everybody who is to get it, and because an idle connection
//! must not own a buffer.

mod close;
mod decoder;
mod encode;
mod header;
mod mask;

#[cfg(test)]
mod tests;

pub use close::{CLOSE_REASON_BYTES_MAX, close_code};
pub use decoder::{Decoder, Incoming};
pub use encode::{encode_binary, encode_close, encode_ping, encode_pong, encode_text, header_into};
pub use header::{CONTROL_BYTES_MAX, Opcode, ProtocolError, SERVER_HEADER_BYTES_MAX};
