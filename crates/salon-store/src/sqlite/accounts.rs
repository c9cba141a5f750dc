//! People, logins, invitations and keys in SQLite.

use rusqlite::{Connection, OptionalExtension, Row, named_params, params};
use salon_core::mention::fold_name;
use salon_core::ports::{
    Accounts, Credentials, Invite, InviteUse, Login, NewAccount, NewInvite, NewLogin, Revocation, Rotation, SecretHash, SignUp,
    StoreError, Ticket, User,
};
use salon_core::{Entry, LoginId, RoomId, Timestamp, UserId};

use super::SqliteStore;
use super::columns;
use super::rows::SqliteRows;
use crate::accounts::{REVOCATION_KEPT_MS, email_key, is_usable, new_user, own_log, prefix_key};
use crate::rows::Rows;
use crate::transactions;

/// What [`user`] reads.
const USER: &str = "id, email, name, admin, disabled, created_at";
/// Logins and tickets that have expired and are swept by one write.
const SWEPT_MAX: u32 = 100;

#[async_trait::async_trait]
impl Accounts for SqliteStore {
    async fn sign_up(&self, new: NewAccount) -> Result<SignUp, StoreError> {
        self.write(move |rows| sign_up(rows, &new)).await
    }

    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        let id = id.clone();
        self.read(move |reader| find_user(reader, &id)).await
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<Credentials>, StoreError> {
        let key = email_key(email);
        self.read(move |reader| {
            let sql = format!("SELECT {USER}, password FROM users WHERE email_key = ?1");
            let found = reader
                .prepare_cached(&sql)?
                .query_row([key], |row| Ok(Credentials { user: user(row)?, password: row.get("password")? }));
            found.optional()
        })
        .await
    }

    async fn names(&self, ids: &[UserId]) -> Result<Vec<(UserId, String)>, StoreError> {
        let ids = ids.to_vec();
        self.read(move |reader| {
            let mut select = reader.prepare_cached("SELECT name FROM users WHERE id = ?1")?;
            let mut names = Vec::with_capacity(ids.len());
            for id in ids {
                let name = select.query_row([id.as_str()], |row| row.get("name")).optional()?;
                names.extend(name.map(|name| (id, name)));
            }
            Ok(names)
        })
        .await
    }

    async fn users(&self, prefix: &str, after: Option<&UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        let (prefix, after) = (prefix_key(prefix), after.cloned());
        self.read(move |reader| users(reader, &prefix, after.as_ref(), limit)).await
    }

    async fn has_admin(&self) -> Result<bool, StoreError> {
        self.read(|reader| reader.prepare_cached("SELECT 1 FROM users WHERE admin = 1 LIMIT 1")?.exists([])).await
    }

    async fn update_user(
        &self,
        id: &UserId,
        name: Option<&str>,
        password: Option<&str>,
        at: Timestamp,
    ) -> Result<Option<User>, StoreError> {
        let (id, name, password) = (id.clone(), name.map(str::to_owned), password.map(str::to_owned));
        self.write(move |rows| update_user(rows.connection(), &id, name.as_deref(), password.as_deref(), at)).await
    }

    async fn change_password(
        &self,
        id: &UserId,
        password: &str,
        keep: Option<&LoginId>,
        at: Timestamp,
    ) -> Result<Option<Vec<LoginId>>, StoreError> {
        let (id, password, keep) = (id.clone(), password.to_owned(), keep.cloned());
        self.write(move |rows| change_password(rows.connection(), &id, &password, keep.as_ref(), at)).await
    }

    async fn create_login(&self, new: NewLogin) -> Result<(), StoreError> {
        self.write(move |rows| create_login(rows.connection(), &new)).await
    }

    async fn login(&self, id: &LoginId, now: Timestamp) -> Result<Option<Login>, StoreError> {
        let id = id.clone();
        self.read(move |reader| find_login(reader, "logins.id = ?1", id.as_str(), now)).await
    }

    async fn login_by_cookie(&self, cookie: &SecretHash, now: Timestamp) -> Result<Option<Login>, StoreError> {
        let cookie = *cookie;
        self.read(move |reader| find_login(reader, "cookie = ?1", cookie, now)).await
    }

    async fn rotate_refresh(&self, old: &SecretHash, new: &SecretHash, now: Timestamp) -> Result<Rotation, StoreError> {
        let (old, new) = (*old, *new);
        self.write(move |rows| rotate_refresh(rows.connection(), &old, &new, now)).await
    }

    async fn revoke(&self, user: &UserId, login: Option<&LoginId>, at: Timestamp) -> Result<bool, StoreError> {
        let (user, login) = (user.clone(), login.cloned());
        self.write(move |rows| revoke(rows.connection(), &user, login.as_ref(), at)).await
    }

    async fn revocations(&self, behind: Option<u64>) -> Result<Vec<Revocation>, StoreError> {
        self.read(move |reader| {
            let read = |row: &Row<'_>| {
                Ok(Revocation {
                    number: columns::unsigned(row, "number")?,
                    user: columns::user(row, "user")?,
                    login: login_id(row, "login")?,
                })
            };
            match behind {
                Some(number) => {
                    let sql = "SELECT number, user, login FROM revocations WHERE number > ?1 ORDER BY number";
                    reader.prepare_cached(sql)?.query_map([columns::signed(number)], read)?.collect()
                }
                None => {
                    let sql = "SELECT number, user, login FROM revocations ORDER BY number DESC LIMIT 1";
                    reader.prepare_cached(sql)?.query_map([], read)?.collect()
                }
            }
        })
        .await
    }

    async fn put_ticket(&self, hash: &SecretHash, ticket: Ticket) -> Result<(), StoreError> {
        let hash = *hash;
        self.write(move |rows| put_ticket(rows.connection(), &hash, &ticket)).await
    }

    async fn take_ticket(&self, hash: &SecretHash, now: Timestamp) -> Result<Option<Ticket>, StoreError> {
        let hash = *hash;
        self.write(move |rows| take_ticket(rows.connection(), &hash, now)).await
    }

    async fn put_invite(&self, new: NewInvite) -> Result<(), StoreError> {
        self.write(move |rows| put_invite(rows.connection(), &new)).await
    }

    async fn invite(&self, hash: &SecretHash, now: Timestamp) -> Result<Option<Invite>, StoreError> {
        let hash = *hash;
        self.read(move |reader| find_invite(reader, &hash, now)).await
    }

    async fn use_invite(&self, hash: &SecretHash, now: Timestamp) -> Result<InviteUse, StoreError> {
        let hash = *hash;
        self.write(move |rows| match find_invite(rows.connection(), &hash, now)? {
            Some(invite) => {
                count_use(rows.connection(), &hash)?;
                Ok(InviteUse::Used(invite))
            }
            None => Ok(InviteUse::Invalid),
        })
        .await
    }

    async fn withdraw_setup_invites(&self) -> Result<(), StoreError> {
        self.write(|rows| {
            let sql = "DELETE FROM invites WHERE admin = 1 AND created_by IS NULL AND uses = 0";
            rows.connection().prepare_cached(sql)?.execute([]).map(drop)
        })
        .await
    }

    async fn publish_key(&self, kid: &str, public: &[u8], at: Timestamp) -> Result<(), StoreError> {
        let (kid, public) = (kid.to_owned(), public.to_owned());
        self.write(move |rows| {
            let sql = "INSERT OR REPLACE INTO keys (kid, public, published_at) VALUES (?1, ?2, ?3)";
            rows.connection().prepare_cached(sql)?.execute(params![kid, public, at.0]).map(drop)
        })
        .await
    }

    async fn public_key(&self, kid: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let kid = kid.to_owned();
        self.read(move |reader| {
            reader.prepare_cached("SELECT public FROM keys WHERE kid = ?1")?.query_row([kid], |row| row.get(0)).optional()
        })
        .await
    }

    async fn setting_or_insert(&self, name: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.write(move |rows| {
            let connection = rows.connection();
            connection
                .prepare_cached("INSERT OR IGNORE INTO settings (name, value) VALUES (?1, ?2)")?
                .execute(params![name, value])?;
            connection.prepare_cached("SELECT value FROM settings WHERE name = ?1")?.query_row([&name], |row| row.get(0))
        })
        .await
    }

    async fn notify(&self, user: &UserId, text: &str, at: Timestamp) -> Result<Option<Entry>, StoreError> {
        let (user, text) = (user.clone(), text.to_owned());
        self.write(move |rows| transactions::notify(rows, &user, &text, at)).await
    }
}

fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: columns::user(row, "id")?,
        email: row.get("email")?,
        name: row.get("name")?,
        admin: row.get("admin")?,
        disabled: row.get("disabled")?,
        created_at: Timestamp(row.get("created_at")?),
    })
}

fn login_id(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<LoginId>> {
    Ok(row.get_ref(column)?.as_str_or_null()?.map(LoginId::from_stored))
}

fn find_user(connection: &Connection, id: &UserId) -> rusqlite::Result<Option<User>> {
    let sql = format!("SELECT {USER} FROM users WHERE id = ?1");
    connection.prepare_cached(&sql)?.query_row([id.as_str()], user).optional()
}

fn sign_up(rows: &mut SqliteRows<'_>, new: &NewAccount) -> rusqlite::Result<SignUp> {
    let connection = rows.connection();
    let invite = match &new.invite {
        Some(hash) => match find_invite(connection, hash, new.at)? {
            Some(invite) => Some(invite),
            None => return Ok(SignUp::InviteInvalid),
        },
        None => None,
    };
    let key = email_key(&new.email);
    if connection.prepare_cached("SELECT 1 FROM users WHERE email_key = ?1")?.exists([&key])? {
        return Ok(SignUp::EmailTaken);
    }
    if let Some(hash) = &new.invite {
        count_use(connection, hash)?;
    }
    let user = new_user(new, invite.as_ref());
    let mut insert = connection.prepare_cached(
        "INSERT INTO users (id, email, email_key, name, name_key, password, admin, disabled, created_at)
         VALUES (:id, :email, :email_key, :name, :name_key, :password, :admin, 0, :created_at)",
    )?;
    insert.execute(named_params! {
        ":id": user.id.as_str(), ":email": user.email, ":email_key": key, ":name": user.name, ":name_key": fold_name(&user.name),
        ":password": new.password, ":admin": user.admin, ":created_at": user.created_at.0
    })?;
    rows.insert_room(&own_log(new), &new.id)?;
    Ok(SignUp::Created { user, room: invite.and_then(|invite| invite.room) })
}

fn users(reader: &Connection, prefix: &str, after: Option<&UserId>, limit: u32) -> rusqlite::Result<Vec<User>> {
    let after = after.map_or("", UserId::as_str);
    if prefix.is_empty() {
        let sql = format!("SELECT {USER} FROM users WHERE id > ?1 ORDER BY id LIMIT ?2");
        return reader.prepare_cached(&sql)?.query_map(params![after, limit], user)?.collect();
    }
    let sql = format!(
        "SELECT {USER} FROM users WHERE id IN (
             SELECT id FROM users WHERE name_key >= :prefix AND name_key < :end
             UNION SELECT id FROM users WHERE email_key >= :prefix AND email_key < :end)
           AND id > :after ORDER BY id LIMIT :limit"
    );
    // Text is compared byte by byte, and nothing that begins with the prefix lies behind the last of all characters.
    let end = format!("{prefix}{}", char::MAX);
    let params = named_params! { ":prefix": prefix, ":end": end, ":after": after, ":limit": limit };
    reader.prepare_cached(&sql)?.query_map(params, user)?.collect()
}

fn update_user(
    connection: &Connection,
    id: &UserId,
    name: Option<&str>,
    password: Option<&str>,
    at: Timestamp,
) -> rusqlite::Result<Option<User>> {
    if let Some(name) = name {
        let mut update = connection.prepare_cached("UPDATE users SET name = ?2, name_key = ?3 WHERE id = ?1")?;
        update.execute(params![id.as_str(), name, fold_name(name)])?;
    }
    if let Some(password) = password {
        let mut update = connection.prepare_cached("UPDATE users SET password = ?2 WHERE id = ?1")?;
        if update.execute(params![id.as_str(), password])? > 0 {
            revoke(connection, id, None, at)?;
        }
    }
    find_user(connection, id)
}

fn change_password(
    connection: &Connection,
    id: &UserId,
    password: &str,
    keep: Option<&LoginId>,
    at: Timestamp,
) -> rusqlite::Result<Option<Vec<LoginId>>> {
    let mut update = connection.prepare_cached("UPDATE users SET password = ?2 WHERE id = ?1")?;
    if update.execute(params![id.as_str(), password])? == 0 {
        return Ok(None);
    }
    let mut select = connection.prepare_cached("SELECT id FROM logins WHERE user = ?1 AND id IS NOT ?2 ORDER BY id")?;
    let others = select.query_map(params![id.as_str(), keep.map(LoginId::as_str)], |row| login_id(row, "id"))?;
    let others: Vec<LoginId> = others.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().flatten().collect();
    match keep {
        Some(_) => {
            for login in &others {
                revoke(connection, id, Some(login), at)?;
            }
        }
        None => {
            revoke(connection, id, None, at)?;
        }
    }
    Ok(Some(others))
}

fn create_login(connection: &Connection, new: &NewLogin) -> rusqlite::Result<()> {
    let sweep = "DELETE FROM logins WHERE id IN (SELECT id FROM logins WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)";
    connection.prepare_cached(sweep)?.execute(params![new.at.0, SWEPT_MAX])?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO logins (id, user, refresh, cookie, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let NewLogin { id, user, refresh, cookie, at, expires_at } = new;
    insert.execute(params![id.as_str(), user.as_str(), refresh, cookie, at.0, expires_at.0]).map(drop)
}

/// The login that is alive and meets the condition on `?1`.
fn find_login(
    connection: &Connection,
    condition: &str,
    value: impl rusqlite::ToSql,
    now: Timestamp,
) -> rusqlite::Result<Option<Login>> {
    let sql = format!(
        "SELECT logins.id AS login, logins.expires_at, users.id, email, name, admin, disabled, users.created_at
         FROM logins JOIN users ON users.id = logins.user
         WHERE {condition} AND logins.expires_at > ?2 AND NOT users.disabled"
    );
    let found = connection.prepare_cached(&sql)?.query_row(params![value, now.0], |row| {
        let id = LoginId::from_stored(row.get_ref("login")?.as_str()?);
        Ok(Login { id, user: user(row)?, expires_at: Timestamp(row.get("expires_at")?) })
    });
    found.optional()
}

fn rotate_refresh(connection: &Connection, old: &SecretHash, new: &SecretHash, now: Timestamp) -> rusqlite::Result<Rotation> {
    let mut select = connection.prepare_cached(
        "SELECT logins.id AS login, logins.user AS user FROM used_refreshes JOIN logins ON logins.id = used_refreshes.login
         WHERE used_refreshes.hash = ?1",
    )?;
    let used = select.query_row([old], |row| Ok((login_id(row, "login")?, columns::user(row, "user")?))).optional()?;
    if let Some((Some(login), user)) = used {
        revoke(connection, &user, Some(&login), now)?;
        return Ok(Rotation::Reused(login, user));
    }
    let Some(login) = find_login(connection, "refresh = ?1", old, now)? else { return Ok(Rotation::Unknown) };
    connection.prepare_cached("UPDATE logins SET refresh = ?2 WHERE id = ?1")?.execute(params![login.id.as_str(), new])?;
    let mut insert = connection.prepare_cached("INSERT INTO used_refreshes (hash, login) VALUES (?1, ?2)")?;
    insert.execute(params![old, login.id.as_str()])?;
    Ok(Rotation::Rotated(login))
}

fn revoke(connection: &Connection, user: &UserId, login: Option<&LoginId>, at: Timestamp) -> rusqlite::Result<bool> {
    let login = login.map(LoginId::as_str);
    let mut delete = connection.prepare_cached("DELETE FROM logins WHERE user = ?1 AND (?2 IS NULL OR id = ?2)")?;
    let ended = delete.execute(params![user.as_str(), login])? > 0;
    // Whoever came in without a login (a token of the command line) is ended with all the others.
    if ended || login.is_none() {
        connection.prepare_cached("DELETE FROM revocations WHERE at <= ?1")?.execute([at.0 - REVOCATION_KEPT_MS])?;
        let mut insert = connection.prepare_cached("INSERT INTO revocations (user, login, at) VALUES (?1, ?2, ?3)")?;
        insert.execute(params![user.as_str(), login, at.0])?;
    }
    Ok(ended)
}

fn put_ticket(connection: &Connection, hash: &SecretHash, ticket: &Ticket) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO tickets (hash, user, login, session_expires_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let Ticket { user, login, session_expires_at, expires_at } = ticket;
    let session_expires_at = session_expires_at.map(|at| at.0);
    insert.execute(params![hash, user.as_str(), login.as_ref().map(LoginId::as_str), session_expires_at, expires_at.0]).map(drop)
}

fn take_ticket(connection: &Connection, hash: &SecretHash, now: Timestamp) -> rusqlite::Result<Option<Ticket>> {
    let sweep =
        "DELETE FROM tickets WHERE hash IN (SELECT hash FROM tickets WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)";
    connection.prepare_cached(sweep)?.execute(params![now.0, SWEPT_MAX])?;
    let mut take = connection.prepare_cached(
        "DELETE FROM tickets WHERE hash = ?1 AND expires_at > ?2 RETURNING user, login, session_expires_at, expires_at",
    )?;
    let taken = take.query_row(params![hash, now.0], |row| {
        Ok(Ticket {
            user: columns::user(row, "user")?,
            login: login_id(row, "login")?,
            session_expires_at: row.get::<_, Option<i64>>("session_expires_at")?.map(Timestamp),
            expires_at: Timestamp(row.get("expires_at")?),
        })
    });
    taken.optional()
}

fn put_invite(connection: &Connection, new: &NewInvite) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO invites (hash, created_by, room, admin, uses, uses_max, created_at, expires_at)
         VALUES (:hash, :created_by, :room, :admin, 0, :uses_max, :created_at, :expires_at)",
    )?;
    let NewInvite { hash, created_by, room, admin, uses_max, at, expires_at } = new;
    insert
        .execute(named_params! {
            ":hash": hash, ":created_by": created_by.as_ref().map(UserId::as_str), ":room": room.as_ref().map(RoomId::as_str),
            ":admin": admin, ":uses_max": uses_max, ":created_at": at.0, ":expires_at": expires_at.map(|at| at.0)
        })
        .map(drop)
}

fn find_invite(connection: &Connection, hash: &SecretHash, now: Timestamp) -> rusqlite::Result<Option<Invite>> {
    let mut select =
        connection.prepare_cached("SELECT created_by, room, admin, uses, uses_max, expires_at FROM invites WHERE hash = ?1")?;
    let found = select.query_row([hash], |row| {
        let expires_at = row.get::<_, Option<i64>>("expires_at")?.map(Timestamp);
        let usable = is_usable(row.get("uses")?, row.get("uses_max")?, expires_at, now);
        let created_by = row.get_ref("created_by")?.as_str_or_null()?.map(UserId::from_stored);
        let room = row.get_ref("room")?.as_str_or_null()?.map(RoomId::from_stored);
        Ok(usable.then_some(Invite { room, admin: row.get("admin")?, created_by }))
    });
    Ok(found.optional()?.flatten())
}

fn count_use(connection: &Connection, hash: &SecretHash) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE invites SET uses = uses + 1 WHERE hash = ?1")?.execute([hash]).map(drop)
}
