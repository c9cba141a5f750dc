//! Commands that the service has not answered yet.

use std::collections::VecDeque;

use crate::moment::Moment;

/// A quiet connection keeps no more room than this for its commands.
const KEPT_COMMANDS_MAX: usize = 4;

/// In the order in which they were sent, which is the order of their deadlines.
#[derive(Debug, Default)]
pub(super) struct Pending {
    commands: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    serial: u64,
    id: Option<i64>,
    deadline: Moment,
    /// Its answer may fill most of what may wait for a client.
    large: bool,
}

impl Pending {
    /// Whether another command may be read. While a large answer is under way nothing is: what comes back for a
    /// pipeline of pages would not fit into what may wait for one client.
    pub(super) fn has_room(&self, commands_max: usize) -> bool {
        self.commands.len() < commands_max && !self.commands.iter().any(|waiting| waiting.large)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    pub(super) fn push(&mut self, serial: u64, id: Option<i64>, deadline: Moment, large: bool) {
        self.commands.push_back(Waiting { serial, id, deadline, large });
    }

    /// False where the command is not known any more.
    pub(super) fn answered(&mut self, serial: u64) -> bool {
        let Some(place) = self.commands.iter().position(|waiting| waiting.serial == serial) else { return false };
        self.commands.remove(place);
        self.release();
        true
    }

    /// Takes a command whose time is up, and gives its id.
    pub(super) fn expired(&mut self, now: Moment) -> Option<Option<i64>> {
        let waiting = self.commands.pop_front_if(|waiting| waiting.deadline <= now)?;
        self.release();
        Some(waiting.id)
    }

    pub(super) fn next_deadline(&self) -> Moment {
        self.commands.front().map_or(Moment::NEVER, |waiting| waiting.deadline)
    }

    fn release(&mut self) {
        if self.commands.is_empty() && self.commands.capacity() > KEPT_COMMANDS_MAX {
            self.commands = VecDeque::new();
        }
    }
}
