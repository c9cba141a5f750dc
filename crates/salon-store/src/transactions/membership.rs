//! Who belongs to a room: the one table of what a change does to each standing.

use salon_core::{EntryBody, MemberChange, Role, Room, Seq, UserId};

use crate::rows::{Membership, Rows, Seat};

/// A change of somebody's membership that really changes something.
pub(super) struct Transition {
    target: UserId,
    change: MemberChange,
    /// As it is written into the entry.
    role: Option<Role>,
    was: Option<Membership>,
}

impl Transition {
    pub(super) fn may_take_access_away(&self) -> bool {
        self.change.may_take_access_away()
    }

    pub(super) fn body(&self) -> EntryBody {
        EntryBody::Member { target: self.target.clone(), change: self.change, role: self.role }
    }
}

/// What `change` does to somebody who stands like this; `None` if nothing would change.
///
/// A ban is lifted by `Removed` only: neither by leaving, which people do by themselves, nor by an invitation, which
/// any member of a public room may send.
pub(super) fn transition(
    was: Option<Membership>,
    target: &UserId,
    change: MemberChange,
    role: Option<Role>,
) -> Option<Transition> {
    let effective = match change {
        MemberChange::Joined => !matches!(was, Some(Membership::Member(_))),
        MemberChange::Left => matches!(was, Some(Membership::Member(_) | Membership::Invited)),
        MemberChange::Removed => was.is_some(),
        MemberChange::Banned => was != Some(Membership::Banned),
        MemberChange::Invited => was.is_none(),
        MemberChange::Role => match &was {
            Some(Membership::Member(seat)) => role.is_some_and(|role| role != seat.role),
            Some(Membership::Invited | Membership::Banned) | None => false,
        },
    };
    let role = if change == MemberChange::Joined { Some(role.unwrap_or(Role::Member)) } else { role };
    effective.then(|| Transition { target: target.clone(), change, role, was })
}

/// Brings the membership in step with the entry at `seq`. The caller stores the room.
pub(super) fn enact<R: Rows>(rows: &mut R, room: &mut Room, seq: Seq, transition: &Transition) -> Result<(), R::Error> {
    let Transition { target, change, role, was } = transition;
    let is = match change {
        MemberChange::Joined => Some(Membership::Member(Seat {
            role: role.unwrap_or(Role::Member),
            visible_from: room.history.visible_from(seq),
            // A newcomer has nothing unread, whatever may be seen of the past.
            read: seq,
            read_messages: room.messages,
        })),
        MemberChange::Role => was.clone().map(|was| match (was, role) {
            (Membership::Member(seat), Some(role)) => Membership::Member(Seat { role: *role, ..seat }),
            (was, _) => was,
        }),
        MemberChange::Invited => Some(Membership::Invited),
        MemberChange::Banned => Some(Membership::Banned),
        MemberChange::Left | MemberChange::Removed => None,
    };
    let belonged = matches!(was, Some(Membership::Member(_)));
    let belongs = matches!(is, Some(Membership::Member(_)));
    if belonged && !belongs {
        room.members = room.members.saturating_sub(1);
        rows.clear_mentions(&room.id, target, seq)?;
    } else if belongs && !belonged {
        room.members += 1;
    }
    rows.set_membership(&room.id, target, is.as_ref())
}
