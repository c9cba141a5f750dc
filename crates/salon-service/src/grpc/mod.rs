//! The gRPC door: `salon.v1.ChatService` with health, reflection and gRPC-Web, for programs. docs/grpc.md is its manual.
//!
//! `accept` has the connections and `calls` what bounds every call; `api` has the methods; `streams` are the calls that
//! listen, each a session behind the [`door`].
//!
//! HTTP is served with hyper and not with tonic's server: that has no time limit for the first bytes, none for streams,
//! and no way to end a single connection.

use std::sync::Arc;

use salon_proto::v1::chat_service_server::ChatServiceServer;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::Service;

mod accept;
mod api;
mod calls;
mod config;
mod connection;
mod credentials;
mod door;
mod health;
mod preface;
mod status;
mod streams;
#[cfg(test)]
mod tests;
mod web;

pub use config::GrpcConfig;

use accept::Entrance;
use door::Door;

/// What a message to the server has besides its frame, in bytes: the envelope of [`salon_proto::v1::ChatStream`].
const ENVELOPE_BYTES: usize = 1024;
/// Largest message from the server, in bytes. Pages are cut far below.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Serves programs until `stopping`; then no call begins, streams end with `UNAVAILABLE`, and what is left of
/// [`GrpcConfig::drain_timeout`] is for answers that are under way.
pub async fn serve(listener: TcpListener, service: Arc<Service>, config: GrpcConfig, stopping: CancellationToken) {
    let door = Door::new(Arc::clone(&service), config.sessions_max);
    let (reporter, health) = tonic_health::server::health_reporter();
    let frame_bytes_max = service.parts.config.limits.frame_bytes_max;
    let chat = ChatServiceServer::new(api::Api::new(Arc::clone(&door)))
        .max_decoding_message_size(frame_bytes_max + ENVELOPE_BYTES)
        .max_encoding_message_size(ANSWER_BYTES_MAX);
    let routes = with_reflection(Routes::new(chat).add_service(health)).prepare();
    let drain_timeout = config.drain_timeout;
    let entrance = Entrance::new(config, routes, stopping.clone());
    let closing = CancellationToken::new();
    let door_keeper = service.tasks.spawn({
        let (door, closing) = (Arc::clone(&door), closing.clone());
        async move { door.run(closing).await }
    });
    entrance.tasks.spawn(health::watch(reporter, service, stopping));

    entrance.accept(&listener).await;
    drop(listener);
    let last_moment = Instant::now() + drain_timeout;
    entrance.tasks.close();
    if timeout_at(last_moment, entrance.tasks.wait()).await.is_err() {
        tracing::warn!("gRPC connections did not end in time: they are closed");
        entrance.kill.cancel();
        entrance.tasks.wait().await;
    }
    closing.cancel();
    match timeout_at(last_moment, door_keeper).await {
        Ok(Ok(())) => {}
        Ok(Err(_panic)) => tracing::error!("the gRPC door has panicked"),
        // The service waits for it when it stops itself.
        Err(_elapsed) => tracing::warn!("a command did not end in time: it is left behind"),
    }
}

/// Both versions of reflection: tools have not all moved on.
fn with_reflection(routes: Routes) -> Routes {
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(salon_proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    match (builder().build_v1(), builder().build_v1alpha()) {
        (Ok(v1), Ok(v1alpha)) => routes.add_service(v1).add_service(v1alpha),
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(%error, "the server cannot describe itself: no reflection");
            routes
        }
    }
}
