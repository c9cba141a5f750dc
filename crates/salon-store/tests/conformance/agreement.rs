//! Whatever happens, in whatever order: a store says what the simplest one says.

use std::sync::Arc;

use salon_core::ports::{Change, NewRoom, News, PageQuery, Position, Store, Write, Written};
use salon_core::{
    HistoryPolicy, MemberChange, MessageId, Role, RoomChange, RoomId, RoomKind, Seq, Standing, Timestamp, UserId,
};
use salon_store::MemoryStore;

use crate::kit::{World, key};

const HISTORIES: u64 = 6;
const STEPS: u64 = 250;
const WORDS: [&str; 6] = ["tea", "Teapot", "été", "milk and tea", "a-b", "\u{1F600}"];

/// `SplitMix64`: equal seeds give equal histories.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let at = self.roll(from.len() as u64);
        &from[usize::try_from(at).unwrap()]
    }
}

struct History<'w> {
    dice: Dice,
    stores: [Arc<dyn Store>; 2],
    world: &'w World,
    people: Vec<UserId>,
    rooms: Vec<RoomId>,
    messages: Vec<MessageId>,
}

/// Asks both stores the same and expects the same answer.
macro_rules! agreed {
    ($history:expr, |$store:ident| $ask:expr) => {{
        let $store = &$history.stores[0];
        let one = $ask.await.unwrap();
        let $store = &$history.stores[1];
        let other = $ask.await.unwrap();
        assert_eq!(one, other, "{}", stringify!($ask));
        one
    }};
}

pub(crate) async fn every_history_reads_as_in_memory(world: &World) {
    for seed in 0..HISTORIES {
        let stores: [Arc<dyn Store>; 2] = [Arc::clone(&world.store), MemoryStore::new()];
        let dice = Dice(seed);
        let mut history = History { dice, stores, world, people: vec![], rooms: vec![], messages: vec![] };
        history.begin(seed).await;
        for step in 0..STEPS {
            history.step().await;
            if step % 25 == 0 {
                history.look().await;
            }
        }
        history.look().await;
    }
}

impl History<'_> {
    async fn begin(&mut self, seed: u64) {
        for name in ["Ann", "Bob", "Cid", "Dot"] {
            let account = self.world.account(&format!("{name}{seed}"));
            self.people.push(account.id.clone());
            agreed!(self, |store| store.sign_up(account.clone()));
        }
        let everybody: Vec<&UserId> = self.people.iter().collect();
        for (name, kind, history) in [
            ("open", RoomKind::Public, HistoryPolicy::All),
            ("secret", RoomKind::Private, HistoryPolicy::SinceJoin),
        ] {
            let new = NewRoom { history, ..self.world.new_room(&format!("{name}-{seed}"), kind, &everybody[..2]) };
            agreed!(self, |store| store.create_room(new.clone()));
            self.rooms.push(new.id);
        }
    }

    async fn step(&mut self) {
        let room = self.dice.pick(&self.rooms).clone();
        let actor = self.dice.pick(&self.people).clone();
        let at = Timestamp(self.world.now().0 + 50 - i64::try_from(self.dice.roll(100)).unwrap());
        match self.dice.roll(20) {
            0..=1 => {
                let seq = Seq(self.dice.roll(120));
                agreed!(self, |store| store.mark_read(&room, &actor, seq, at));
            }
            2 if self.dice.roll(4) == 0 => {
                let first = Seq(self.dice.roll(60));
                agreed!(self, |store| store.trim(&room, first));
            }
            2..=3 => self.searches(&room).await,
            _ => self.writes(room, actor, at).await,
        }
    }

    async fn writes(&mut self, room: RoomId, actor: UserId, at: Timestamp) {
        let row = agreed!(self, |store| store.room(&room, &actor)).expect("the room exists");
        let mut access = row.room.access;
        access.0 -= u64::from(self.dice.roll(15) == 0);
        let target = self.dice.pick(&self.people).clone();
        let change = self.change(&target);
        let mut news = vec![];
        if self.dice.roll(3) == 0 {
            news.push(News::Mention { to: target.clone() });
            news.push(News::RoomAdded { to: target });
        }
        let client_id = format!("c{}", self.dice.roll(30));
        let idempotency = if self.dice.roll(2) == 0 { key(&client_id, u8::from(self.dice.roll(4) == 0)) } else { None };
        let salt = self.world.number();
        let write = Write { room, actor, access, at, change, idempotency, salt, news };
        if let Written::Stored { entry, .. } = agreed!(self, |store| store.append(write.clone())) {
            self.messages.extend(entry.body.message_id().cloned());
        }
    }

    fn change(&mut self, target: &UserId) -> Change {
        let nobody = MessageId::mint(Seq(3), 3);
        let recent = self.messages.len().saturating_sub(12);
        let id = if self.messages.is_empty() { nobody } else { self.dice.pick(&self.messages[recent..]).clone() };
        match self.dice.roll(12) {
            0..=3 => {
                let content = (*self.dice.pick(&WORDS)).to_owned();
                let mentions = if self.dice.roll(2) == 0 { vec![target.clone()] } else { vec![] };
                Change::Message { content, reply_to: Some(id), mentions, extra: Some("{}".into()) }
            }
            4..=5 => Change::Edit { id, content: (*self.dice.pick(&WORDS)).to_owned() },
            6 => Change::Delete { id },
            7..=8 => {
                let emoji = (*self.dice.pick(&["+", "-", "z"])).to_owned();
                Change::React { id, emoji, remove: self.dice.roll(3) == 0 }
            }
            9..=10 => {
                use MemberChange::{Banned, Invited, Joined, Left, Removed};
                let change = *self.dice.pick(&[Joined, Joined, Joined, Left, Invited, Removed, Banned, MemberChange::Role]);
                let role = *self.dice.pick(&[None, Some(Role::Moderator), Some(Role::Member)]);
                Change::Member { target: target.clone(), change, role }
            }
            _ => {
                let history = *self.dice.pick(&[HistoryPolicy::All, HistoryPolicy::SinceJoin]);
                Change::Room(RoomChange { history: Some(history), ..RoomChange::default() })
            }
        }
    }

    fn query(&mut self, room: &RoomId) -> PageQuery {
        let seq = Seq(self.dice.roll(130));
        let time = Timestamp(self.world.now().0 - i64::try_from(self.dice.roll(1_000)).unwrap());
        let positions =
            [Position::Newest, Position::Before(seq), Position::After(seq), Position::AtSeq(seq), Position::AtTime(time)];
        PageQuery {
            room: room.clone(),
            visible_from: Seq(self.dice.roll(40)),
            position: *self.dice.pick(&positions),
            limit: u32::try_from(self.dice.roll(15)).unwrap(),
            bytes_max: usize::try_from(self.dice.roll(100)).unwrap(),
            user: if self.dice.roll(3) == 0 { Some(self.dice.pick(&self.people).clone()) } else { None },
            text: None,
            asker: self.dice.pick(&self.people).clone(),
        }
    }

    async fn searches(&mut self, room: &RoomId) {
        let text = Some((*self.dice.pick(&["te", "TEAPOT", "ete", "tea milk", "a-b", "\u{1F600}", "\"*"])).to_owned());
        let query = PageQuery { text, ..self.query(room) };
        agreed!(self, |store| store.page(query.clone()));
    }

    /// Looks at everything there is to see.
    async fn look(&mut self) {
        for room in self.rooms.clone() {
            agreed!(self, |store| store.entries(&room, Seq::START, 1_000, usize::MAX));
            agreed!(self, |store| store.members(&room, None, 10));
            agreed!(self, |store| store.messages(&room, &self.messages));
            for _ in 0..6 {
                let query = self.query(&room);
                agreed!(self, |store| store.page(query.clone()));
                let (from, count) = (Seq(self.dice.roll(60)), u32::try_from(self.dice.roll(9)).unwrap());
                agreed!(self, |store| store.before_last_messages(&room, from, count));
            }
            self.searches(&room).await;
        }
        for person in self.people.clone() {
            let me = RoomId::me(&person);
            agreed!(self, |store| store.entries(&me, Seq::START, 1_000, usize::MAX));
            for room in &self.rooms {
                let standing = agreed!(self, |store| store.room(room, &person)).unwrap().standing;
                assert!(!matches!(standing, Standing::Member(member) if member.mentions > member.unread));
            }
            agreed!(self, |store| store.rooms_of(&person, true, None, 100));
        }
        agreed!(self, |store| store.heads(&self.rooms));
    }
}
