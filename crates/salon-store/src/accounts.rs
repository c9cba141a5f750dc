//! What both stores hold to be the same about accounts.

use salon_core::mention::fold_name;
use salon_core::ports::{Invite, NewAccount, User};
use salon_core::{AccessVersion, HistoryPolicy, Room, RoomId, RoomKind, Seq, Timestamp};

/// Ended logins are polled for; after this long nobody asks for them any more.
pub(crate) const REVOCATION_KEPT_MS: i64 = 7 * 24 * 3600 * 1000;

/// Addresses that differ in case or surrounding space only are the same address.
pub(crate) fn email_key(email: &str) -> String {
    email.trim().to_lowercase()
}

/// What a search for people compares with names and addresses.
pub(crate) fn prefix_key(prefix: &str) -> String {
    fold_name(prefix)
}

/// Something with an expiry is alive until right before it.
pub(crate) fn is_alive(expires_at: Timestamp, now: Timestamp) -> bool {
    now < expires_at
}

/// Can an invitation still be used?
pub(crate) fn is_usable(uses: u32, uses_max: u32, expires_at: Option<Timestamp>, now: Timestamp) -> bool {
    uses < uses_max && expires_at.is_none_or(|expires_at| is_alive(expires_at, now))
}

/// The log that comes with an account.
pub(crate) fn own_log(new: &NewAccount) -> Room {
    Room {
        id: RoomId::me(&new.id),
        kind: RoomKind::Me,
        title: String::new(),
        topic: String::new(),
        epoch: new.epoch.clone(),
        head: Seq::START,
        first: Seq(1),
        messages: 0,
        access: AccessVersion::default(),
        history: HistoryPolicy::All,
        archived: false,
        members: 0,
        created_at: new.at,
        last_at: new.at,
    }
}

/// The person whom an account makes, with the power that the invitation gave.
pub(crate) fn new_user(new: &NewAccount, invite: Option<&Invite>) -> User {
    User {
        id: new.id.clone(),
        email: new.email.trim().to_owned(),
        name: new.name.clone(),
        admin: new.admin || invite.is_some_and(|invite| invite.admin),
        disabled: false,
        created_at: new.at,
    }
}
