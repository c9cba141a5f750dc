//! The tables, and one transaction's view of them.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use salon_core::ports::{Invite, NewInvite, Original, Reaction, Revocation, SecretHash, Ticket, User};
use salon_core::{ClientId, Entry, EntryBody, LoginId, Message, Room, RoomId, Seq, Timestamp, UserId};

use crate::rows::{Membership, NewEntry, Rows, Seat, StoredEntry};

/// Everything that is durable.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) rooms: BTreeMap<RoomId, Log>,
    pub(super) accounts: BTreeMap<UserId, Account>,
    pub(super) emails: BTreeMap<String, UserId>,
    pub(super) logins: BTreeMap<LoginId, LoginRow>,
    /// Refresh tokens that were rotated, of logins that are alive.
    pub(super) used_refreshes: BTreeMap<SecretHash, LoginId>,
    pub(super) revocations: Vec<(Revocation, Timestamp)>,
    pub(super) last_revocation: u64,
    pub(super) tickets: BTreeMap<SecretHash, Ticket>,
    pub(super) invites: BTreeMap<SecretHash, InviteRow>,
    pub(super) keys: BTreeMap<String, Vec<u8>>,
    pub(super) settings: BTreeMap<String, Vec<u8>>,
}

#[derive(Debug)]
pub(super) struct Account {
    pub(super) user: User,
    pub(super) password: String,
}

#[derive(Debug)]
pub(super) struct LoginRow {
    pub(super) user: UserId,
    pub(super) refresh: SecretHash,
    pub(super) cookie: SecretHash,
    pub(super) expires_at: Timestamp,
}

#[derive(Debug)]
pub(super) struct InviteRow {
    pub(super) new: NewInvite,
    pub(super) uses: u32,
}

impl InviteRow {
    pub(super) fn invite(&self) -> Invite {
        Invite { room: self.new.room.clone(), admin: self.new.admin, created_by: self.new.created_by.clone() }
    }
}

/// One room with everything that hangs on it.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) room: Room,
    entries: BTreeMap<Seq, Row>,
    originals: BTreeMap<(UserId, ClientId), Seq>,
    pub(super) memberships: BTreeMap<UserId, Membership>,
    reactions: BTreeMap<Seq, Vec<ReactionRow>>,
    mentions: BTreeSet<(UserId, Seq)>,
}

#[derive(Debug)]
struct Row {
    stored: StoredEntry,
    edit_of: Option<Seq>,
    body_hash: Option<[u8; 16]>,
}

#[derive(Debug)]
struct ReactionRow {
    emoji: String,
    user: UserId,
}

impl Log {
    fn new(room: Room) -> Self {
        Self {
            room,
            entries: BTreeMap::new(),
            originals: BTreeMap::new(),
            memberships: BTreeMap::new(),
            reactions: BTreeMap::new(),
            mentions: BTreeSet::new(),
        }
    }

    /// The message stored under this key, with the hash of its original body.
    pub(super) fn original(&self, actor: &UserId, client_id: &ClientId) -> Option<(Original, [u8; 16])> {
        let seq = self.originals.get(&(actor.clone(), client_id.clone()))?;
        let row = self.entries.get(seq)?;
        let Entry { epoch, seq, at, body, .. } = &row.stored.entry;
        let id = body.message_id()?.clone();
        Some((Original { epoch: epoch.clone(), seq: *seq, id, at: *at }, row.body_hash?))
    }

    pub(super) fn entry(&self, seq: Seq) -> Option<&Entry> {
        self.entries.get(&seq).map(|row| &row.stored.entry)
    }

    /// Ascending, from this position on.
    pub(super) fn from(&self, seq: Seq) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.range(seq..).map(|(_, row)| &row.stored.entry)
    }

    /// The entries between two positions, the latter not included.
    pub(super) fn between(&self, from: Seq, to: Seq) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.range(from..to.max(from)).map(|(_, row)| &row.stored.entry)
    }

    pub(super) fn mentions(&self, user: &UserId) -> u64 {
        self.mentions.iter().filter(|(mentioned, _)| mentioned == user).count() as u64
    }

    /// In the order in which the emoji were first used.
    pub(super) fn reactions(&self, target: Seq, asker: &UserId) -> Vec<Reaction> {
        let mut counted: Vec<Reaction> = Vec::new();
        for row in self.reactions.get(&target).into_iter().flatten() {
            let mine = row.user == *asker;
            match counted.iter_mut().find(|reaction| reaction.emoji == row.emoji) {
                Some(reaction) => {
                    reaction.count += 1;
                    reaction.mine |= mine;
                }
                None => counted.push(Reaction { emoji: row.emoji.clone(), count: 1, mine }),
            }
        }
        counted
    }
}

impl Tables {
    /// The room, or nothing to do.
    fn with<T: Default>(&mut self, room: &RoomId, work: impl FnOnce(&mut Log) -> T) -> Result<T, Infallible> {
        Ok(self.rooms.get_mut(room).map(work).unwrap_or_default())
    }
}

impl Rows for Tables {
    type Error = Infallible;

    fn room(&mut self, id: &RoomId) -> Result<Option<Room>, Infallible> {
        Ok(self.rooms.get(id).map(|log| log.room.clone()))
    }

    fn insert_room(&mut self, room: &Room, _creator: &UserId) -> Result<(), Infallible> {
        self.rooms.insert(room.id.clone(), Log::new(room.clone()));
        Ok(())
    }

    fn update_room(&mut self, room: &Room) -> Result<(), Infallible> {
        self.with(&room.id, |log| log.room = room.clone())
    }

    fn remove_room(&mut self, id: &RoomId) -> Result<(), Infallible> {
        self.rooms.remove(id);
        self.invites.retain(|_, invite| invite.new.room.as_ref() != Some(id));
        Ok(())
    }

    fn entry(&mut self, room: &RoomId, seq: Seq) -> Result<Option<StoredEntry>, Infallible> {
        self.with(room, |log| log.entries.get(&seq).map(|row| row.stored.clone()))
    }

    fn insert_entry(&mut self, new: &NewEntry<'_>) -> Result<(), Infallible> {
        let NewEntry { entry, messages_before, edit_of, idempotency } = *new;
        self.with(&entry.room, |log| {
            if let Some(key) = idempotency {
                log.originals.insert((entry.actor.clone(), key.client_id.clone()), entry.seq);
            }
            let stored = StoredEntry { entry: entry.clone(), messages_before };
            let body_hash = idempotency.map(|key| key.body_hash);
            log.entries.insert(entry.seq, Row { stored, edit_of, body_hash });
        })
    }

    fn original(
        &mut self,
        room: &Room,
        actor: &UserId,
        client_id: &ClientId,
    ) -> Result<Option<(Original, [u8; 16])>, Infallible> {
        self.with(&room.id, |log| log.original(actor, client_id))
    }

    fn rewrite_message(&mut self, room: &RoomId, seq: Seq, _old: &Message, new: &Message) -> Result<(), Infallible> {
        self.with(room, |log| {
            if let Some(row) = log.entries.get_mut(&seq) {
                row.stored.entry.body = EntryBody::Message(new.clone());
            }
        })
    }

    fn scrub_edits(&mut self, room: &RoomId, target: Seq) -> Result<(), Infallible> {
        self.with(room, |log| {
            for row in log.entries.range_mut(target..).map(|(_, row)| row).filter(|row| row.edit_of == Some(target)) {
                if let EntryBody::Edit { content, .. } = &mut row.stored.entry.body {
                    content.clear();
                }
            }
        })
    }

    fn has_reaction(&mut self, room: &RoomId, target: Seq, user: &UserId, emoji: &str) -> Result<bool, Infallible> {
        self.with(room, |log| {
            log.reactions.get(&target).is_some_and(|rows| rows.iter().any(|row| row.user == *user && row.emoji == emoji))
        })
    }

    fn add_reaction(&mut self, room: &RoomId, target: Seq, user: &UserId, emoji: &str, _seq: Seq) -> Result<(), Infallible> {
        let row = ReactionRow { emoji: emoji.to_owned(), user: user.clone() };
        self.with(room, |log| log.reactions.entry(target).or_default().push(row))
    }

    fn remove_reaction(&mut self, room: &RoomId, target: Seq, user: &UserId, emoji: &str) -> Result<(), Infallible> {
        self.with(room, |log| {
            if let Some(rows) = log.reactions.get_mut(&target) {
                rows.retain(|row| row.user != *user || row.emoji != emoji);
            }
        })
    }

    fn clear_reactions(&mut self, room: &RoomId, target: Seq) -> Result<(), Infallible> {
        self.with(room, |log| {
            log.reactions.remove(&target);
        })
    }

    fn membership(&mut self, room: &RoomId, user: &UserId) -> Result<Option<Membership>, Infallible> {
        self.with(room, |log| log.memberships.get(user).cloned())
    }

    fn set_membership(&mut self, room: &RoomId, user: &UserId, to: Option<&Membership>) -> Result<(), Infallible> {
        self.with(room, |log| {
            match to {
                Some(to) => log.memberships.insert(user.clone(), to.clone()),
                None => log.memberships.remove(user),
            };
        })
    }

    fn member_ids(&mut self, room: &RoomId) -> Result<Vec<UserId>, Infallible> {
        let belongs = |(user, membership): (&UserId, &Membership)| match membership {
            Membership::Member(_) => Some(user.clone()),
            Membership::Invited | Membership::Banned => None,
        };
        self.with(room, |log| log.memberships.iter().filter_map(belongs).collect())
    }

    fn set_read(&mut self, room: &RoomId, user: &UserId, read: Seq, read_messages: u64) -> Result<(), Infallible> {
        self.with(room, |log| {
            if let Some(Membership::Member(seat)) = log.memberships.get_mut(user) {
                *seat = Seat { read, read_messages, ..seat.clone() };
            }
        })
    }

    fn add_mention(&mut self, room: &RoomId, user: &UserId, seq: Seq) -> Result<(), Infallible> {
        self.with(room, |log| {
            log.mentions.insert((user.clone(), seq));
        })
    }

    fn remove_mention(&mut self, room: &RoomId, user: &UserId, seq: Seq) -> Result<(), Infallible> {
        self.with(room, |log| {
            log.mentions.remove(&(user.clone(), seq));
        })
    }

    fn clear_mentions(&mut self, room: &RoomId, user: &UserId, through: Seq) -> Result<(), Infallible> {
        self.with(room, |log| log.mentions.retain(|(mentioned, seq)| mentioned != user || *seq > through))
    }

    fn drop_entries(&mut self, room: &RoomId, first: Seq) -> Result<(), Infallible> {
        self.with(room, |log| {
            log.entries = log.entries.split_off(&first);
            log.reactions = log.reactions.split_off(&first);
            log.originals.retain(|_, seq| *seq >= first);
            log.mentions.retain(|(_, seq)| *seq >= first);
        })
    }

    fn raise_reads(&mut self, room: &RoomId, read: Seq, read_messages: u64) -> Result<(), Infallible> {
        self.with(room, |log| {
            for membership in log.memberships.values_mut() {
                match membership {
                    Membership::Member(seat) if seat.read < read => *seat = Seat { read, read_messages, ..seat.clone() },
                    Membership::Member(_) | Membership::Invited | Membership::Banned => {}
                }
            }
        })
    }
}
