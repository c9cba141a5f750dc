//! Who may do what: the one rule table. Every transport asks it, nothing else decides.

use crate::entry::MemberChange;
use crate::error::{CommandError, ErrorCode};
use crate::ids::{RoomId, UserId};
use crate::room::{Role, Room, RoomKind, Standing};

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Actor<'a> {
    pub user: &'a UserId,
    /// Administrator of the installation: sees and moderates public rooms, is no member of private ones by that.
    pub admin: bool,
}

/// What somebody wants to do in a room that exists.
#[derive(Debug, Clone, Copy)]
pub enum Action<'a> {
    /// Learn that the room exists, its title and its members.
    See,
    /// Read entries and history.
    Read,
    /// Become a member by oneself.
    Enter,
    /// End one's own membership.
    Part,
    /// Send a message, react, signal, type, share a position.
    Speak,
    /// Edit one's own message, or somebody else's.
    Edit { author: &'a UserId },
    /// Delete one's own message, or somebody else's.
    Delete { author: &'a UserId },
    /// Change somebody's membership or role.
    Member { target: &'a UserId, change: MemberChange, target_role: Option<Role>, role: Option<Role> },
    /// Change title, topic, settings; archive or delete the room.
    Manage,
}

/// Decides. `Ok(())` means allowed.
///
/// # Errors
/// `not_found` where the actor may not know that the room exists, `forbidden` with the reason otherwise.
pub fn authorise(actor: Actor<'_>, room: &Room, standing: &Standing, action: Action<'_>) -> Result<(), CommandError> {
    if !may_see(actor, room, standing) {
        return Err(CommandError::no_such_room());
    }
    let role = standing.member().map(|member| member.role);
    let moderates = room.kind != RoomKind::Direct
        && (role.is_some_and(|role| role >= Role::Moderator) || (actor.admin && room.kind == RoomKind::Public));
    match action {
        Action::See => Ok(()),
        Action::Read => {
            allow(*standing != Standing::Banned, "you are banned from this room")?;
            allow(matches!(room.kind, RoomKind::Public | RoomKind::Me) || role.is_some(), "join the room first")
        }
        Action::Enter => may_enter(actor, room, standing),
        Action::Part => {
            allow(room.kind != RoomKind::Direct && room.kind != RoomKind::Me, "this room cannot be left")?;
            allow(role.is_some(), "you are not a member of this room")
        }
        Action::Speak => {
            allow(room.kind != RoomKind::Me, "your own log cannot be written to")?;
            allow(role.is_some(), "join the room first")?;
            not_archived(room)
        }
        Action::Edit { author } => {
            allow(role.is_some(), "join the room first")?;
            allow(author == actor.user, "only its author may edit a message")?;
            not_archived(room)
        }
        Action::Delete { author } => {
            allow(role.is_some() || moderates, "join the room first")?;
            allow(author == actor.user || moderates, "only its author or a moderator may delete a message")
        }
        Action::Member { target, change, target_role, role: new_role } => {
            may_change_member(actor, room, role, moderates, target, change, target_role, new_role)
        }
        Action::Manage => {
            allow(room.kind != RoomKind::Direct && room.kind != RoomKind::Me, "this room has no settings")?;
            allow(moderates, "only a moderator may change the room")
        }
    }
}

fn may_see(actor: Actor<'_>, room: &Room, standing: &Standing) -> bool {
    match room.kind {
        RoomKind::Public => true,
        RoomKind::Private => matches!(standing, Standing::Member(_) | Standing::Invited),
        RoomKind::Direct => room.id.direct_pair().is_some_and(|(one, other)| *actor.user == one || *actor.user == other),
        RoomKind::Me => room.id == RoomId::me(actor.user),
    }
}

fn may_enter(actor: Actor<'_>, room: &Room, standing: &Standing) -> Result<(), CommandError> {
    match (room.kind, standing) {
        (_, Standing::Member(_)) | (RoomKind::Me | RoomKind::Direct, _) => Ok(()),
        (_, Standing::Banned) => Err(CommandError::forbidden("you are banned from this room")),
        (RoomKind::Public, Standing::Stranger | Standing::Invited) => {
            allow(!room.archived || actor.admin, "the room is archived")
        }
        (RoomKind::Private, Standing::Invited) => Ok(()),
        (RoomKind::Private, Standing::Stranger) => Err(CommandError::no_such_room()),
    }
}

#[expect(clippy::too_many_arguments, reason = "one row of the rule table; a struct would only be taken apart again")]
fn may_change_member(
    actor: Actor<'_>,
    room: &Room,
    role: Option<Role>,
    moderates: bool,
    target: &UserId,
    change: MemberChange,
    target_role: Option<Role>,
    new_role: Option<Role>,
) -> Result<(), CommandError> {
    allow(room.kind != RoomKind::Direct && room.kind != RoomKind::Me, "the members of this room are fixed")?;
    let power = if actor.admin && room.kind == RoomKind::Public { Role::Owner } else { role.unwrap_or(Role::Member) };
    match change {
        MemberChange::Invited => {
            allow(role.is_some() && (room.kind == RoomKind::Public || moderates), "only a moderator may invite here")
        }
        MemberChange::Removed | MemberChange::Banned => {
            allow(target != actor.user, "to leave a room, use part")?;
            allow(moderates, "only a moderator may remove people")?;
            allow(
                target_role.is_none_or(|theirs| theirs < power || power == Role::Owner),
                "you may not remove somebody of your own rank",
            )
        }
        MemberChange::Role => {
            allow(power == Role::Owner, "only an owner may change roles")?;
            allow(target_role.is_some(), "only members have roles")?;
            allow(new_role.is_some(), "say which role")
        }
        MemberChange::Joined | MemberChange::Left => allow(target == actor.user, "people join and leave by themselves"),
    }
}

fn not_archived(room: &Room) -> Result<(), CommandError> {
    allow(!room.archived, "the room is archived")
}

fn allow(allowed: bool, otherwise: &str) -> Result<(), CommandError> {
    if allowed { Ok(()) } else { Err(CommandError::new(ErrorCode::Forbidden, otherwise)) }
}
