//! The service's side of a link: a gateway's frames come in here, one loop per link.
//!
//! The loop itself never waits for a store: what takes time runs in tracked tasks beside it, the commands of a session
//! in lanes (see [`lanes`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use salon_proto::link::gateway_frame::Frame as FromGateway;
use salon_proto::link::{ServiceEnd, service_frame::Frame};
use tokio::sync::Semaphore;

use crate::Service;
use crate::session::Session;

mod api;
mod blocks;
mod lanes;
mod outbox;
mod sessions;

pub(crate) use lanes::Request;
pub(crate) use outbox::Outbox;
pub(crate) use sessions::{LOG_CHANGED, expiry_ms};

/// Frames that are taken from a link at once.
const BATCH_FRAMES_MAX: usize = 256;
/// Blocks that are read for one gateway at the same time; further ones wait.
const BLOCK_READS_MAX: usize = 32;
/// Requests to the API that are served for one gateway at the same time; further ones wait.
const API_CALLS_MAX: usize = 64;

/// One gateway, as long as its link lives.
pub(crate) struct Link {
    pub(crate) number: u64,
    pub(crate) outbox: Outbox,
    sessions: Mutex<BTreeMap<u64, Slot>>,
    block_reads: Semaphore,
    api_calls: Semaphore,
}

/// A session by the gateway's number for it.
enum Slot {
    /// Its credential is being looked at. Closing it meanwhile takes the slot away.
    Opening,
    Open(Arc<Session>),
}

impl Link {
    fn session(&self, number: u64) -> Option<Arc<Session>> {
        match self.sessions.lock().get(&number) {
            Some(Slot::Open(session)) => Some(Arc::clone(session)),
            Some(Slot::Opening) | None => None,
        }
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("number", &self.number).finish_non_exhaustive()
    }
}

/// Serves one gateway until its end of the link is dropped, it has fallen too far behind, or the service stops.
pub(crate) async fn serve(service: Arc<Service>, end: ServiceEnd) {
    let ServiceEnd { to_gateway, mut from_gateway } = end;
    let link = Arc::new(Link {
        number: service.next_number(),
        outbox: Outbox::new(to_gateway),
        sessions: Mutex::default(),
        block_reads: Semaphore::new(BLOCK_READS_MAX),
        api_calls: Semaphore::new(API_CALLS_MAX),
    });
    service.links.lock().insert(link.number, Arc::clone(&link));
    tracing::info!(link = link.number, "a gateway is connected");
    let router = crate::http::router(Arc::clone(&service));
    let mut batch = Vec::new();
    let reason = loop {
        tokio::select! {
            biased;
            () = service.stopping.cancelled() => break "the service stops",
            () = link.outbox.overloaded.cancelled() => break "the gateway does not keep up",
            () = link.outbox.drain() => {}
            taken = from_gateway.recv_many(&mut batch, BATCH_FRAMES_MAX) => {
                if taken == 0 {
                    break "the gateway is gone";
                }
                for frame in batch.drain(..) {
                    take(&service, &link, &router, frame);
                }
            }
        }
    };
    service.links.lock().remove(&link.number);
    link.outbox.close();
    let slots = std::mem::take(&mut *link.sessions.lock());
    tracing::info!(link = link.number, sessions = slots.len(), reason, "a link has ended");
    for slot in slots.into_values() {
        match slot {
            Slot::Opening => {}
            Slot::Open(session) => service.end_session(&session),
        }
    }
}

fn take(service: &Arc<Service>, link: &Arc<Link>, router: &axum::Router, frame: FromGateway) {
    match frame {
        FromGateway::Open(open) => service.begin_session(link, open),
        FromGateway::Command(command) => service.take_command(link, command),
        FromGateway::Close(close) => {
            let slot = link.sessions.lock().remove(&close.session);
            if let Some(Slot::Open(session)) = slot {
                service.end_session(&session);
            }
        }
        FromGateway::ReadBlock(read) => {
            let link = Arc::clone(link);
            service.spawn(|service| async move {
                // The semaphore is never closed: `Err` cannot happen.
                let _turn = link.block_reads.acquire().await;
                let block = service.read_block(read).await;
                link.outbox.send(Frame::Block(block));
            });
        }
        FromGateway::Api(request) => {
            let (link, router) = (Arc::clone(link), router.clone());
            service.spawn(|_| async move {
                let _turn = link.api_calls.acquire().await;
                let response = api::call(router, request).await;
                link.outbox.send(Frame::Api(response));
            });
        }
    }
}
