//! One connection of one person, with everything it was told.

use std::sync::Arc;
use std::time::Duration;

use salon_client::{Backoff, Client, ClientConfig, Credential, Events, Tap};
use salon_proto::v1;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::{Journal, Line, soon};
use crate::checker::Recorder;

/// Tests do not want to wait for a server that restarts.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(50), max: Duration::from_millis(500), stable_after: Duration::from_secs(1) };
/// Events between the client and the journal: few, so that a device that does not read is felt soon.
const EVENTS_MAX: usize = 64;

/// A client, its line, and its journal. Dropping it hangs up.
#[derive(Debug)]
pub struct Device {
    pub client: Client,
    pub journal: Arc<Journal>,
    pub line: Line,
    pub welcome: v1::Welcome,
    reading: watch::Sender<bool>,
}

impl Device {
    pub(super) async fn connect(url: &str, credential: Credential, recorder: &Recorder, tasks: &TaskTracker) -> Self {
        let recorder = recorder.device();
        let tap: Arc<dyn Tap> = Arc::<crate::checker::DeviceRecorder>::clone(&recorder);
        let config = ClientConfig {
            backoff: BACKOFF,
            events_max: EVENTS_MAX,
            command_timeout: Duration::from_secs(120),
            tap: Some(tap),
            ..ClientConfig::new(url, credential)
        };
        let line = Line::default();
        let (client, events) = Client::start(config, line.clone());
        let journal = Arc::new(Journal::default());
        let (reading, may_read) = watch::channel(true);
        tasks.spawn(keep(events, Arc::clone(&journal), recorder, may_read));
        let welcome = match soon("the welcome", client.ready()).await {
            Ok(welcome) => welcome,
            Err(error) => panic!("no welcome: {error}"),
        };
        Self { client, journal, line, welcome, reading }
    }

    /// From now on nothing is read from the socket, beyond what is buffered on the way.
    pub fn stops_reading(&self) {
        self.reading.send_replace(false);
    }

    pub fn reads_again(&self) {
        self.reading.send_replace(true);
    }
}

async fn keep(
    mut events: Events,
    journal: Arc<Journal>,
    recorder: Arc<crate::checker::DeviceRecorder>,
    mut may_read: watch::Receiver<bool>,
) {
    // A device that is gone stops to wait and reads the rest.
    while may_read.wait_for(|may| *may).await.is_ok() || may_read.has_changed().is_err() {
        let Some(event) = events.next().await else { return };
        recorder.told(&event);
        journal.write(event);
    }
}
