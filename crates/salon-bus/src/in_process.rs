//! The bus of a single process: a function call.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use parking_lot::RwLock;
use salon_core::ports::{Bus, BusMessage, BusSink, Topic};

/// Delivers what is published to this process, at once and on the publisher's thread: nothing is queued, so nothing
/// is lost and nothing needs a bound.
#[derive(Default)]
pub struct InProcessBus {
    sink: OnceLock<Arc<dyn BusSink>>,
    followed: RwLock<BTreeSet<Topic>>,
}

impl InProcessBus {
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }
}

impl std::fmt::Debug for InProcessBus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InProcessBus").field("followed", &self.followed.read().len()).finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl Bus for InProcessBus {
    fn attach(&self, sink: Arc<dyn BusSink>) {
        // A second sink would be a wiring mistake; the first one stays, as the port promises.
        let _ = self.sink.set(sink);
    }

    async fn follow(&self, topic: Topic) {
        self.followed.write().insert(topic);
    }

    async fn unfollow(&self, topic: Topic) {
        self.followed.write().remove(&topic);
    }

    fn publish(&self, topic: Topic, message: BusMessage) {
        // The lock is released before the sink runs: what it does may publish again.
        let followed = self.followed.read().contains(&topic);
        if let Some(sink) = self.sink.get().filter(|_| followed) {
            sink.deliver(message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use salon_core::{LoginId, UserId};

    #[derive(Default)]
    struct Ear(Mutex<Vec<String>>);

    impl BusSink for Ear {
        fn deliver(&self, message: BusMessage) {
            let BusMessage::Revoked { login, .. } = message else { panic!("{message:?}") };
            self.0.lock().push(login.unwrap().as_str().to_owned());
        }
    }

    fn revoked(login: u128) -> BusMessage {
        BusMessage::Revoked { user: UserId::mint(1), login: Some(LoginId::mint(login)) }
    }

    #[tokio::test]
    async fn it_delivers_in_order_what_is_followed_and_nothing_else() {
        let (bus, ear) = (InProcessBus::new(), Arc::new(Ear::default()));
        bus.attach(ear.clone());
        bus.publish(Topic::Everyone, revoked(0));
        bus.follow(Topic::Everyone).await;
        bus.publish(Topic::Everyone, revoked(1));
        bus.publish(Topic::Everyone, revoked(2));
        bus.publish(Topic::Log(salon_core::RoomId::parse("general").unwrap()), revoked(3));
        bus.unfollow(Topic::Everyone).await;
        bus.publish(Topic::Everyone, revoked(4));
        let heard = ear.0.lock().clone();
        assert_eq!(heard, [1, 2].map(|login| LoginId::mint(login).as_str().to_owned()));
    }
}
