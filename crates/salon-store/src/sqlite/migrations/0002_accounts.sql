-- People, logins, invitations and keys. Secrets are kept as hashes only.

CREATE TABLE users (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL,
    -- Folded, for comparing.
    email_key TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    -- PHC string of argon2id.
    password TEXT NOT NULL,
    admin INTEGER NOT NULL,
    disabled INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX users_by_name ON users (name_key, id);

CREATE TABLE logins (
    id TEXT PRIMARY KEY,
    user TEXT NOT NULL REFERENCES users (id),
    refresh BLOB NOT NULL UNIQUE,
    cookie BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX logins_by_user ON logins (user);
CREATE INDEX logins_by_expiry ON logins (expires_at);

-- Refresh tokens that were rotated: presenting one again ends its login.
CREATE TABLE used_refreshes (
    hash BLOB PRIMARY KEY,
    login TEXT NOT NULL REFERENCES logins (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX used_refreshes_by_login ON used_refreshes (login);

CREATE TABLE revocations (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    user TEXT NOT NULL,
    -- NULL: all of this person's.
    login TEXT,
    at INTEGER NOT NULL
) STRICT;

CREATE INDEX revocations_by_time ON revocations (at);

CREATE TABLE tickets (
    hash BLOB PRIMARY KEY,
    user TEXT NOT NULL,
    login TEXT,
    session_expires_at INTEGER,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX tickets_by_expiry ON tickets (expires_at);

CREATE TABLE invites (
    hash BLOB PRIMARY KEY,
    -- NULL: the server itself.
    created_by TEXT,
    room TEXT,
    admin INTEGER NOT NULL,
    uses INTEGER NOT NULL,
    uses_max INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE keys (
    kid TEXT PRIMARY KEY,
    public BLOB NOT NULL,
    published_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
