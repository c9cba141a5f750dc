//! Who is there. Presence is ephemeral: a value per person, computed from that person's devices, never in the log.

use crate::limits::OFFLINE_AFTER_MS;
use crate::time::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Status {
    #[default]
    Offline,
    Online,
    Away,
    Busy,
}

impl Status {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Online => "online",
            Self::Away => "away",
            Self::Busy => "busy",
        }
    }

    /// A status that a client may set; nobody says of themselves that they are offline.
    #[must_use]
    pub fn parse_settable(text: &str) -> Option<Self> {
        [Self::Online, Self::Away, Self::Busy].into_iter().find(|status| status.as_str() == text)
    }
}

/// What others see of a person.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shown {
    pub status: Status,
    pub text: Option<String>,
    /// When the last connection ended; only while offline.
    pub last_seen: Option<Timestamp>,
}

/// One person on all of their devices.
#[derive(Debug, Clone, Default)]
pub struct Presence {
    devices: Vec<Device>,
    left_at: Option<Timestamp>,
    shown: Shown,
}

#[derive(Debug, Clone)]
struct Device {
    key: u64,
    status: Status,
    text: Option<Box<str>>,
}

impl Presence {
    /// A device connected. Returns what others see now, if that changed; so do the other methods.
    pub fn connect(&mut self, device: u64) -> Option<Shown> {
        // Most people have one device, and there are many people.
        if self.devices.is_empty() {
            self.devices.reserve_exact(1);
        }
        self.devices.push(Device { key: device, status: Status::Online, text: None });
        self.left_at = None;
        self.settle()
    }

    /// A device said how its owner is.
    pub fn set(&mut self, device: u64, status: Status, text: Option<String>) -> Option<Shown> {
        let device = self.devices.iter_mut().find(|d| d.key == device)?;
        device.status = status;
        device.text = text.map(String::into_boxed_str);
        self.settle()
    }

    /// A device is gone. The person stays as shown until [`Presence::tick`] finds nobody returned in time.
    pub fn disconnect(&mut self, device: u64, now: Timestamp) -> Option<Shown> {
        self.devices.retain(|d| d.key != device);
        if self.devices.is_empty() {
            self.left_at.get_or_insert(now);
            return None;
        }
        self.settle()
    }

    /// Time went by.
    pub fn tick(&mut self, now: Timestamp) -> Option<Shown> {
        if self.left_at? > now.plus_ms(-OFFLINE_AFTER_MS) || self.shown.status == Status::Offline {
            return None;
        }
        self.settle()
    }

    /// When [`Presence::tick`] has to be called next.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        self.left_at.filter(|_| self.shown.status != Status::Offline).map(|left| left.plus_ms(OFFLINE_AFTER_MS))
    }

    /// What others see.
    #[must_use]
    pub fn shown(&self) -> &Shown {
        &self.shown
    }

    /// True once there is nothing left to remember.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.devices.is_empty() && self.shown.status == Status::Offline
    }

    /// Over several devices an explicit `busy` wins, else any active device makes `online`, else `away`.
    fn settle(&mut self) -> Option<Shown> {
        let any = |status| self.devices.iter().any(|d| d.status == status);
        let status = match () {
            () if self.devices.is_empty() => Status::Offline,
            () if any(Status::Busy) => Status::Busy,
            () if any(Status::Online) => Status::Online,
            () => Status::Away,
        };
        let offline = status == Status::Offline;
        // What the device says whose status is shown.
        let text = self.devices.iter().filter(|d| d.status == status).find_map(|d| d.text.as_deref()).map(str::to_owned);
        let shown = Shown { status, text, last_seen: self.left_at.filter(|_| offline) };
        if shown == self.shown {
            return None;
        }
        self.shown = shown.clone();
        Some(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(change: Option<Shown>) -> Option<Status> {
        change.map(|shown| shown.status)
    }

    #[test]
    fn busy_wins_over_active_wins_over_away() {
        let mut ann = Presence::default();
        assert_eq!(status(ann.connect(1)), Some(Status::Online));
        assert_eq!(status(ann.connect(2)), None);
        assert_eq!(status(ann.set(1, Status::Away, None)), None);
        let busy = ann.set(2, Status::Busy, Some("in a meeting".into())).unwrap();
        assert_eq!((busy.status, busy.text.as_deref()), (Status::Busy, Some("in a meeting")));
        assert_eq!(ann.set(1, Status::Online, None), None, "the text goes with the status that is shown");
        ann.set(1, Status::Away, None);
        assert_eq!(status(ann.disconnect(2, Timestamp(0))), Some(Status::Away));
    }

    #[test]
    fn offline_comes_ten_seconds_after_the_last_device() {
        let mut ann = Presence::default();
        ann.connect(1);
        assert_eq!(ann.disconnect(1, Timestamp(5_000)), None);
        assert_eq!(ann.tick(Timestamp(14_999)), None);
        assert_eq!(ann.due(), Some(Timestamp(15_000)));
        let shown = ann.tick(Timestamp(15_000)).unwrap();
        assert_eq!((shown.status, shown.last_seen), (Status::Offline, Some(Timestamp(5_000))));
        assert!(ann.is_gone());
    }

    #[test]
    fn who_returns_in_time_was_never_away() {
        let mut ann = Presence::default();
        ann.connect(1);
        ann.disconnect(1, Timestamp(0));
        assert_eq!(ann.connect(2), None);
        assert_eq!(ann.tick(Timestamp(60_000)), None);
    }
}
