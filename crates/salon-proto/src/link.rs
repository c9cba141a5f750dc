//! The link between a gateway and a chat service, and its in-process form.

use tokio::sync::mpsc;

/// The frames, generated from `proto/salon/internal/v1/link.proto`.
pub mod frames {
    include!(concat!(env!("OUT_DIR"), "/salon.internal.v1.rs"));
}

pub use frames::{gateway_frame, open_session, reply, service_frame};

/// Frames that may wait in one direction of an in-process link; the sender waits beyond that.
pub const LINK_FRAMES_MAX: usize = 8 * 1024;

/// A gateway's end of a link.
#[derive(Debug)]
pub struct GatewayEnd {
    pub to_service: mpsc::Sender<gateway_frame::Frame>,
    pub from_service: mpsc::Receiver<service_frame::Frame>,
}

/// A chat service's end of a link.
#[derive(Debug)]
pub struct ServiceEnd {
    pub to_gateway: mpsc::Sender<service_frame::Frame>,
    pub from_gateway: mpsc::Receiver<gateway_frame::Frame>,
}

/// A link within one process.
#[must_use]
pub fn in_process() -> (GatewayEnd, ServiceEnd) {
    let (to_service, from_gateway) = mpsc::channel(LINK_FRAMES_MAX);
    let (to_gateway, from_service) = mpsc::channel(LINK_FRAMES_MAX);
    (GatewayEnd { to_service, from_service }, ServiceEnd { to_gateway, from_gateway })
}
