//! The words in which the cases speak.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use salon_core::ports::{
    Change, Idempotency, NewAccount, NewRoom, News, Original, Page, PageQuery, Position, RoomRow, SignUp, Store, StoredMessage,
    User, Write, Written,
};
use salon_core::{
    AccessVersion, ClientId, Entry, EntryBody, Epoch, HistoryPolicy, Member, MemberChange, Message, MessageId, Role, RoomChange,
    RoomId, RoomKind, Seq, Standing, Timestamp, UserId,
};
use salon_store::{MemoryStore, SqliteOptions, SqliteStore};

/// An empty store and what has to live as long as it.
pub(crate) struct Opened {
    store: Arc<dyn Store>,
    sqlite: Option<(Arc<SqliteStore>, tempfile::TempDir)>,
}

impl Opened {
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    pub(crate) async fn close(self) {
        if let Some((sqlite, _dir)) = self.sqlite {
            sqlite.close().await;
        }
    }
}

pub(crate) async fn memory() -> Opened {
    Opened { store: MemoryStore::new(), sqlite: None }
}

pub(crate) async fn sqlite() -> Opened {
    let dir = tempfile::tempdir().unwrap();
    let sqlite = SqliteStore::open(&dir.path().join("salon.db"), SqliteOptions::default()).unwrap();
    Opened { store: Arc::<SqliteStore>::clone(&sqlite), sqlite: Some((sqlite, dir)) }
}

/// A store, a clock that ticks, and a source of fresh numbers.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    clock: AtomicI64,
    numbers: AtomicU64,
}

pub(crate) fn user(n: u128) -> UserId {
    UserId::mint(n)
}

impl World {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, clock: AtomicI64::new(1_000), numbers: AtomicU64::new(1) }
    }

    /// A millisecond later than the last time.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(self.clock.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn account(&self, name: &str) -> NewAccount {
        NewAccount {
            id: UserId::mint(u128::from(self.number()) << 32),
            email: format!("{}@example.org", name.to_lowercase().replace(' ', ".")),
            name: name.to_owned(),
            password: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".to_owned(),
            admin: false,
            epoch: Epoch::mint(self.number()),
            at: self.now(),
            invite: None,
        }
    }

    /// Somebody with an account.
    pub(crate) async fn person(&self, name: &str) -> UserId {
        self.signs_up(self.account(name)).await.id
    }

    pub(crate) async fn signs_up(&self, account: NewAccount) -> User {
        match self.store.sign_up(account).await.unwrap() {
            SignUp::Created { user, .. } => user,
            refused @ (SignUp::EmailTaken | SignUp::InviteInvalid) => panic!("{refused:?}"),
        }
    }

    pub(crate) fn new_room(&self, name: &str, kind: RoomKind, members: &[&UserId]) -> NewRoom {
        NewRoom {
            id: RoomId::parse_slug(name).unwrap(),
            kind,
            title: name.to_uppercase(),
            topic: String::new(),
            history: HistoryPolicy::All,
            epoch: Epoch::mint(self.number()),
            creator: members.first().map_or_else(|| user(99), |first| (*first).clone()),
            members: members.iter().enumerate().map(|(n, user)| ((*user).clone(), rank(n))).collect(),
            at: self.now(),
        }
    }

    /// A public room; the first of the members owns it.
    pub(crate) async fn room(&self, name: &str, members: &[&UserId]) -> Room<'_> {
        self.room_like(self.new_room(name, RoomKind::Public, members)).await
    }

    pub(crate) async fn room_like(&self, new: NewRoom) -> Room<'_> {
        let id = new.id.clone();
        self.store.create_room(new).await.unwrap().expect("the name is free");
        Room { world: self, id }
    }
}

fn rank(n: usize) -> Role {
    if n == 0 { Role::Owner } else { Role::Member }
}

/// A room of the world.
pub(crate) struct Room<'w> {
    pub(crate) world: &'w World,
    pub(crate) id: RoomId,
}

impl Room<'_> {
    pub(crate) async fn row(&self, user: &UserId) -> RoomRow {
        self.world.store.room(&self.id, user).await.unwrap().expect("the room exists")
    }

    pub(crate) async fn now(&self) -> salon_core::Room {
        self.row(&user(0)).await.room
    }

    pub(crate) async fn head(&self) -> Seq {
        self.now().await.head
    }

    pub(crate) async fn standing(&self, user: &UserId) -> Standing {
        self.row(user).await.standing
    }

    pub(crate) async fn member(&self, user: &UserId) -> Member {
        self.standing(user).await.member().cloned().expect("a member")
    }

    /// A write that rests on the present access.
    pub(crate) async fn write(&self, actor: &UserId, change: Change) -> Write {
        let access = self.now().await.access;
        self.write_at(access, actor, change)
    }

    pub(crate) fn write_at(&self, access: AccessVersion, actor: &UserId, change: Change) -> Write {
        Write {
            room: self.id.clone(),
            actor: actor.clone(),
            access,
            at: self.world.now(),
            change,
            idempotency: None,
            salt: self.world.number(),
            news: vec![],
        }
    }

    pub(crate) async fn append(&self, write: Write) -> Written {
        self.world.store.append(write).await.unwrap()
    }

    pub(crate) async fn does(&self, actor: &UserId, change: Change) -> Written {
        self.append(self.write(actor, change).await).await
    }

    /// Says something, and returns the entry.
    pub(crate) async fn says(&self, actor: &UserId, content: &str) -> Entry {
        stored(self.does(actor, says(content)).await)
    }

    /// Says something, and returns its id.
    pub(crate) async fn said(&self, actor: &UserId, content: &str) -> MessageId {
        self.says(actor, content).await.message().id.clone()
    }

    pub(crate) async fn mentions(&self, actor: &UserId, content: &str, whom: &UserId) -> (Entry, Vec<Entry>) {
        let change = Change::Message { content: content.into(), reply_to: None, mentions: vec![whom.clone()], extra: None };
        let news = vec![News::Mention { to: whom.clone() }];
        let write = Write { news, ..self.write(actor, change).await };
        let written = self.append(write).await;
        let Written::Stored { entry, news } = written else { panic!("{written:?}") };
        (entry, news)
    }

    pub(crate) async fn edits(&self, actor: &UserId, id: &MessageId, content: &str) -> Written {
        self.does(actor, Change::Edit { id: id.clone(), content: content.into() }).await
    }

    pub(crate) async fn deletes(&self, actor: &UserId, id: &MessageId) -> Written {
        self.does(actor, Change::Delete { id: id.clone() }).await
    }

    pub(crate) async fn reacts(&self, actor: &UserId, id: &MessageId, emoji: &str) -> Written {
        self.does(actor, Change::React { id: id.clone(), emoji: emoji.into(), remove: false }).await
    }

    pub(crate) async fn takes_back(&self, actor: &UserId, id: &MessageId, emoji: &str) -> Written {
        self.does(actor, Change::React { id: id.clone(), emoji: emoji.into(), remove: true }).await
    }

    pub(crate) async fn member_changes(&self, actor: &UserId, target: &UserId, change: MemberChange) -> Written {
        self.does(actor, Change::Member { target: target.clone(), change, role: None }).await
    }

    pub(crate) async fn joins(&self, user: &UserId) -> Entry {
        stored(self.member_changes(user, user, MemberChange::Joined).await)
    }

    pub(crate) async fn changes(&self, actor: &UserId, change: RoomChange) -> Written {
        self.does(actor, Change::Room(change)).await
    }

    /// All entries that are kept.
    pub(crate) async fn log(&self) -> Vec<Entry> {
        self.world.store.entries(&self.id, Seq::START, 1_000_000, usize::MAX).await.unwrap().expect("the room exists").entries
    }

    pub(crate) fn query(&self, position: Position, limit: u32) -> PageQuery {
        PageQuery {
            room: self.id.clone(),
            visible_from: Seq(1),
            position,
            limit,
            bytes_max: usize::MAX,
            user: None,
            text: None,
            asker: user(0),
        }
    }

    pub(crate) async fn page(&self, query: PageQuery) -> Page {
        self.world.store.page(query).await.unwrap()
    }

    pub(crate) async fn newest(&self) -> Vec<StoredMessage> {
        self.page(self.query(Position::Newest, 100)).await.messages
    }

    /// The contents of what a search finds, oldest first.
    pub(crate) async fn search(&self, text: &str) -> Vec<String> {
        let query = PageQuery { text: Some(text.into()), ..self.query(Position::Newest, 100) };
        contents(&self.page(query).await)
    }
}

pub(crate) fn says(content: &str) -> Change {
    Change::Message { content: content.into(), reply_to: None, mentions: vec![], extra: None }
}

pub(crate) fn key(client_id: &str, body: u8) -> Option<Idempotency> {
    Some(Idempotency { client_id: ClientId::parse(client_id).unwrap(), body_hash: [body; 16] })
}

pub(crate) fn stored(written: Written) -> Entry {
    let Written::Stored { entry, .. } = written else { panic!("{written:?}") };
    entry
}

pub(crate) fn duplicate(written: Written) -> Original {
    let Written::Duplicate(original) = written else { panic!("{written:?}") };
    original
}

pub(crate) fn contents(page: &Page) -> Vec<String> {
    page.messages.iter().map(|message| message.entry.message().content.clone()).collect()
}

pub(crate) trait AsMessage {
    fn message(&self) -> &Message;
}

impl AsMessage for Entry {
    fn message(&self) -> &Message {
        let EntryBody::Message(message) = &self.body else { panic!("{self:?}") };
        message
    }
}
