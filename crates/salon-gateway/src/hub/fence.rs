//! Fences: somebody loses a log at once, whatever has not been sent yet.

use salon_proto::link::frames::DetachMember;

use super::flush::tools;
use super::{Hub, Outcome, Tools};
use crate::moment::Moment;

/// Pieces that are written before somebody is shut out. What lies further back is dropped: a fence does not wait.
const PIECES_MAX: usize = 16;

impl Hub {
    /// Writes what can be written at once, up to the fence, and takes the log away from everybody whom it names. Who
    /// was attached at the fence or behind it has come back since, and stays.
    pub(crate) fn fence(&mut self, fence: &DetachMember, now: Moment) {
        let Some((key, room)) = self.room_mut(&fence.log) else { return };
        let named = |place: &usize| {
            let member = &room.members[*place];
            fence.user.is_empty() || (member.caught_up_at < fence.fence && member.connection.belongs_to(&fence.user))
        };
        let places: Vec<usize> = (0..room.members.len()).filter(named).collect();
        let mut shut_out = Vec::with_capacity(places.len());
        for place in places {
            let Some(room) = &mut self.rooms[key] else { break };
            for _ in 0..PIECES_MAX {
                if room.advance(key, place, fence.fence, &mut tools!(self, now)) != Outcome::More
                    || room.members[place].cursor >= fence.fence
                {
                    break;
                }
            }
            shut_out.push(room.members[place].connection.id);
        }
        for id in shut_out {
            self.unseat(id, key, now);
        }
    }
}
