-- Rooms and their logs. Rooms have a narrow key because every row of a log repeats it.

CREATE TABLE rooms (
    key INTEGER PRIMARY KEY,
    -- NULL: deleted, its entries are being erased.
    id TEXT UNIQUE,
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    topic TEXT NOT NULL,
    epoch TEXT NOT NULL,
    head INTEGER NOT NULL,
    first INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    access INTEGER NOT NULL,
    history TEXT NOT NULL,
    archived INTEGER NOT NULL,
    members INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    last_at INTEGER NOT NULL,
    -- The seq of the last message, 0 where there is none: a list of rooms shows it.
    last_message INTEGER NOT NULL
) STRICT;

CREATE INDEX public_rooms ON rooms (id) WHERE kind = 'public';

-- A rowid table with a unique index is twice as fast to write as one WITHOUT ROWID.
CREATE TABLE entries (
    key INTEGER PRIMARY KEY,
    room INTEGER NOT NULL REFERENCES rooms (key),
    seq INTEGER NOT NULL,
    -- 1: a message, 0: anything else.
    message INTEGER NOT NULL,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    -- How many messages the log held before this entry.
    messages_before INTEGER NOT NULL,
    -- The seq of the message that this entry edits.
    edit_of INTEGER,
    client_id TEXT,
    body_hash BLOB,
    -- salon.store.v1.Body. Of a message: its present state.
    body BLOB NOT NULL,
    UNIQUE (room, seq)
) STRICT;

CREATE UNIQUE INDEX entries_by_client_id ON entries (room, actor, client_id) WHERE client_id IS NOT NULL;
-- History by author.
CREATE INDEX messages_by_actor ON entries (room, actor, seq) WHERE message = 1;
CREATE INDEX edits_by_message ON entries (room, edit_of) WHERE edit_of IS NOT NULL;

CREATE TABLE members (
    room INTEGER NOT NULL REFERENCES rooms (key),
    user TEXT NOT NULL,
    -- 'member', 'invited', 'banned'; the columns behind it mean something for members only.
    place TEXT NOT NULL,
    role TEXT NOT NULL,
    visible_from INTEGER NOT NULL,
    read INTEGER NOT NULL,
    read_messages INTEGER NOT NULL,
    PRIMARY KEY (room, user)
) STRICT, WITHOUT ROWID;

CREATE INDEX members_by_user ON members (user, room);

-- Mentions behind the read mark.
CREATE TABLE mentions (
    room INTEGER NOT NULL REFERENCES rooms (key),
    user TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (room, user, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE reactions (
    room INTEGER NOT NULL REFERENCES rooms (key),
    target INTEGER NOT NULL,
    emoji TEXT NOT NULL,
    user TEXT NOT NULL,
    -- The position of the entry that reacts: it orders the emoji.
    seq INTEGER NOT NULL,
    PRIMARY KEY (room, target, emoji, user)
) STRICT, WITHOUT ROWID;
