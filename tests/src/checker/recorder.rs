//! Writes down what goes over the wire of every client that it is given.

use std::sync::Arc;

use parking_lot::Mutex;
use salon_client::{Event, Tap};
use salon_proto::v1::{ClientFrame, ServerFrame, ack, client_frame::Command, server_frame};
use tokio::time::Instant;

use super::trace::{Answer, Device, Entry, Intent, PageMessage, Step, Told, Trace, What};

/// One for a whole run; clones write the same trace.
#[derive(Debug, Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    started: Instant,
    written: Mutex<Written>,
}

#[derive(Debug, Default)]
struct Written {
    trace: Trace,
    devices: u32,
}

/// Records one client.
#[derive(Debug)]
pub struct DeviceRecorder {
    recorder: Recorder,
    device: Device,
}

impl Recorder {
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it notes the time, which is no default")]
    pub fn new() -> Self {
        Self { shared: Arc::new(Shared { started: Instant::now(), written: Mutex::default() }) }
    }

    /// For the next client.
    #[must_use]
    pub fn device(&self) -> Arc<DeviceRecorder> {
        let mut written = self.shared.written.lock();
        written.devices += 1;
        Arc::new(DeviceRecorder { recorder: self.clone(), device: Device(written.devices) })
    }

    /// What was written so far.
    #[must_use]
    pub fn trace(&self) -> Trace {
        self.shared.written.lock().trace.clone()
    }

    fn write(&self, device: Device, connection: u64, what: What) {
        let at_ms = u64::try_from(self.shared.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.shared.written.lock().trace.steps.push(Step { at_ms, device, connection, what });
    }
}

impl DeviceRecorder {
    #[must_use]
    pub fn device(&self) -> Device {
        self.device
    }

    /// What the client tells its application.
    pub fn told(&self, event: &Event) {
        let told = match event {
            Event::Joined { ack, resumed } => Told::Joined { room: ack.room.clone(), resumed: *resumed },
            Event::Entry(entry) => Told::Entry { room: entry.room.clone(), seq: entry.seq },
            Event::Gap { room, .. } => Told::Gap { room: room.clone() },
            Event::CaughtUp(at) => Told::CaughtUp { room: at.room.clone(), seq: at.seq },
            Event::Connection(_)
            | Event::Lost { .. }
            | Event::Presence(_)
            | Event::Typing(_)
            | Event::Read(_)
            | Event::Signal(_)
            | Event::Location(_)
            | Event::Activity(_)
            | Event::Error(_) => return,
        };
        self.recorder.write(self.device, 0, What::Told(told));
    }
}

impl Tap for DeviceRecorder {
    fn opened(&self, connection: u64) {
        self.recorder.write(self.device, connection, What::Opened);
    }

    fn closed(&self, connection: u64, _: Option<u16>) {
        self.recorder.write(self.device, connection, What::Closed);
    }

    fn sent(&self, connection: u64, frame: &ClientFrame) {
        let (Some(command), Some(sent)) = (frame.id, &frame.command) else { return };
        self.recorder.write(self.device, connection, What::Sends { command, intent: intent(sent) });
    }

    fn received(&self, connection: u64, frame: &ServerFrame, answers: Option<&ClientFrame>) {
        use server_frame::Event as Sent;
        let command = answers.and_then(|answers| answers.id);
        let what = match (&frame.event, command) {
            (Some(Sent::Welcome(welcome)), _) => {
                What::Welcomed { user: welcome.user.as_ref().map(|user| user.id.clone()).unwrap_or_default() }
            }
            (Some(Sent::Ack(ack)), Some(command)) => What::Acked { command, answer: answer(ack.data.as_ref()) },
            (Some(Sent::Error(error)), Some(command)) => What::Refused { command, code: error.code.clone() },
            (Some(Sent::Entry(entry)), _) => What::Hears(Entry::from(entry)),
            (Some(Sent::CaughtUp(at)), _) => What::CaughtUp { room: at.room.clone(), seq: at.seq },
            (Some(_) | None, _) => return,
        };
        self.recorder.write(self.device, connection, what);
    }
}

fn intent(command: &Command) -> Intent {
    match command.clone() {
        Command::Message(it) => {
            Intent::Message { room: it.room, client_id: it.client_id.unwrap_or_default(), content: it.content }
        }
        Command::Edit(it) => Intent::Edit { room: it.room, id: it.id, content: it.content },
        Command::Delete(it) => Intent::Delete { room: it.room, id: it.id },
        Command::React(it) => Intent::React { room: it.room, id: it.id, emoji: it.emoji, remove: it.remove },
        Command::Join(it) => Intent::Join { room: it.room, since: it.since.map(|since| (since.epoch, since.seq)) },
        Command::Leave(it) => Intent::Leave { room: it.room },
        Command::Part(it) => Intent::Part { room: it.room },
        Command::History(it) => Intent::History { room: it.room },
        Command::Hello(_)
        | Command::Read(_)
        | Command::Rooms(_)
        | Command::Members(_)
        | Command::Typing(_)
        | Command::Presence(_)
        | Command::Signal(_)
        | Command::Location(_)
        | Command::Ping(_) => Intent::Other,
    }
}

fn answer(data: Option<&ack::Data>) -> Answer {
    match data {
        Some(ack::Data::Message(ack)) => Answer::Message { seq: ack.seq, id: ack.id.clone(), duplicate: ack.duplicate },
        Some(ack::Data::Change(ack)) => Answer::Change { seq: ack.seq },
        Some(ack::Data::Join(ack)) => Answer::Joined { epoch: ack.epoch.clone(), head: ack.seq, gap: ack.gap },
        Some(ack::Data::Leave(_)) => Answer::Left,
        Some(ack::Data::Part(ack)) => Answer::Parted { seq: ack.seq },
        Some(ack::Data::History(page)) => Answer::Page(page.messages.iter().map(PageMessage::from).collect()),
        Some(ack::Data::Read(_) | ack::Data::Rooms(_) | ack::Data::Members(_) | ack::Data::Empty(_)) | None => Answer::Other,
    }
}
