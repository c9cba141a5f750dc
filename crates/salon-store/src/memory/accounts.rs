//! People, logins, invitations and keys in memory.

use salon_core::mention::fold_name;
use salon_core::ports::{
    Accounts, Credentials, Invite, InviteUse, Login, NewAccount, NewInvite, NewLogin, Revocation, Rotation, SecretHash, SignUp,
    StoreError, Ticket, User,
};
use salon_core::{Entry, LoginId, Timestamp, UserId};

use super::MemoryStore;
use super::tables::{Account, InviteRow, LoginRow, Tables};
use crate::accounts::{REVOCATION_KEPT_MS, email_key, is_alive, is_usable, new_user, own_log, prefix_key};
use crate::rows::Rows;
use crate::transactions;

#[async_trait::async_trait]
impl Accounts for MemoryStore {
    async fn sign_up(&self, new: NewAccount) -> Result<SignUp, StoreError> {
        self.write(move |tables| tables.sign_up(new)).await
    }

    async fn user(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        self.read(|tables| tables.accounts.get(id).map(|account| account.user.clone())).await
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<Credentials>, StoreError> {
        self.read(|tables| {
            let account = tables.accounts.get(tables.emails.get(&email_key(email))?)?;
            Some(Credentials { user: account.user.clone(), password: account.password.clone() })
        })
        .await
    }

    async fn names(&self, ids: &[UserId]) -> Result<Vec<(UserId, String)>, StoreError> {
        self.read(|tables| {
            let known = ids.iter().filter_map(|id| tables.accounts.get(id));
            known.map(|account| (account.user.id.clone(), account.user.name.clone())).collect()
        })
        .await
    }

    async fn users(&self, prefix: &str, after: Option<&UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        let (prefix, limit) = (prefix_key(prefix), usize::try_from(limit).unwrap_or(usize::MAX));
        self.read(|tables| {
            let behind = tables.accounts.values().filter(|account| after.is_none_or(|after| account.user.id > *after));
            let found = behind.filter(|Account { user, .. }| {
                fold_name(&user.name).starts_with(&prefix) || email_key(&user.email).starts_with(&prefix)
            });
            found.take(limit).map(|account| account.user.clone()).collect()
        })
        .await
    }

    async fn has_admin(&self) -> Result<bool, StoreError> {
        self.read(|tables| tables.accounts.values().any(|account| account.user.admin)).await
    }

    async fn update_user(
        &self,
        id: &UserId,
        name: Option<&str>,
        password: Option<&str>,
        at: Timestamp,
    ) -> Result<Option<User>, StoreError> {
        let (id, name, password) = (id.clone(), name.map(str::to_owned), password.map(str::to_owned));
        self.write(move |tables| tables.update_user(&id, name, password, at)).await
    }

    async fn change_password(
        &self,
        id: &UserId,
        password: &str,
        keep: Option<&LoginId>,
        at: Timestamp,
    ) -> Result<Option<Vec<LoginId>>, StoreError> {
        let (id, password, keep) = (id.clone(), password.to_owned(), keep.cloned());
        self.write(move |tables| tables.change_password(&id, password, keep.as_ref(), at)).await
    }

    async fn create_login(&self, new: NewLogin) -> Result<(), StoreError> {
        self.write(move |tables| tables.create_login(new)).await
    }

    async fn login(&self, id: &LoginId, now: Timestamp) -> Result<Option<Login>, StoreError> {
        self.read(|tables| tables.login(id, now)).await
    }

    async fn login_by_cookie(&self, cookie: &SecretHash, now: Timestamp) -> Result<Option<Login>, StoreError> {
        self.read(|tables| {
            let (id, _) = tables.logins.iter().find(|(_, login)| login.cookie == *cookie)?;
            tables.login(id, now)
        })
        .await
    }

    async fn rotate_refresh(&self, old: &SecretHash, new: &SecretHash, now: Timestamp) -> Result<Rotation, StoreError> {
        let (old, new) = (*old, *new);
        self.write(move |tables| tables.rotate_refresh(&old, new, now)).await
    }

    async fn revoke(&self, user: &UserId, login: Option<&LoginId>, at: Timestamp) -> Result<bool, StoreError> {
        let (user, login) = (user.clone(), login.cloned());
        self.write(move |tables| tables.revoke(&user, login.as_ref(), at)).await
    }

    async fn revocations(&self, behind: Option<u64>) -> Result<Vec<Revocation>, StoreError> {
        self.read(|tables| {
            let from = match behind {
                Some(number) => tables.revocations.partition_point(|(revocation, _)| revocation.number <= number),
                None => tables.revocations.len().saturating_sub(1),
            };
            tables.revocations.iter().skip(from).map(|(revocation, _)| revocation.clone()).collect()
        })
        .await
    }

    async fn put_ticket(&self, hash: &SecretHash, ticket: Ticket) -> Result<(), StoreError> {
        let hash = *hash;
        self.write(move |tables| {
            tables.tickets.insert(hash, ticket);
        })
        .await
    }

    async fn take_ticket(&self, hash: &SecretHash, now: Timestamp) -> Result<Option<Ticket>, StoreError> {
        let hash = *hash;
        self.write(move |tables| {
            let ticket = tables.tickets.remove(&hash);
            tables.tickets.retain(|_, ticket| is_alive(ticket.expires_at, now));
            ticket.filter(|ticket| is_alive(ticket.expires_at, now))
        })
        .await
    }

    async fn put_invite(&self, new: NewInvite) -> Result<(), StoreError> {
        self.write(move |tables| {
            tables.invites.insert(new.hash, InviteRow { new, uses: 0 });
        })
        .await
    }

    async fn invite(&self, hash: &SecretHash, now: Timestamp) -> Result<Option<Invite>, StoreError> {
        self.read(|tables| tables.invite(hash, now)).await
    }

    async fn use_invite(&self, hash: &SecretHash, now: Timestamp) -> Result<InviteUse, StoreError> {
        let hash = *hash;
        self.write(move |tables| match tables.invite(&hash, now) {
            Some(invite) => {
                tables.count_use(&hash);
                InviteUse::Used(invite)
            }
            None => InviteUse::Invalid,
        })
        .await
    }

    async fn withdraw_setup_invites(&self) -> Result<(), StoreError> {
        self.write(|tables| tables.invites.retain(|_, row| !row.new.admin || row.new.created_by.is_some() || row.uses > 0)).await
    }

    async fn publish_key(&self, kid: &str, public: &[u8], _at: Timestamp) -> Result<(), StoreError> {
        let (kid, public) = (kid.to_owned(), public.to_owned());
        self.write(move |tables| {
            tables.keys.insert(kid, public);
        })
        .await
    }

    async fn public_key(&self, kid: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|tables| tables.keys.get(kid).cloned()).await
    }

    async fn setting_or_insert(&self, name: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.write(move |tables| tables.settings.entry(name).or_insert(value).clone()).await
    }

    async fn notify(&self, user: &UserId, text: &str, at: Timestamp) -> Result<Option<Entry>, StoreError> {
        let (user, text) = (user.clone(), text.to_owned());
        self.write(move |tables| match transactions::notify(tables, &user, &text, at) {
            Ok(entry) => entry,
        })
        .await
    }
}

impl Tables {
    fn sign_up(&mut self, new: NewAccount) -> SignUp {
        let invite = match &new.invite {
            Some(hash) => match self.invite(hash, new.at) {
                Some(invite) => Some(invite),
                None => return SignUp::InviteInvalid,
            },
            None => None,
        };
        let key = email_key(&new.email);
        if self.emails.contains_key(&key) {
            return SignUp::EmailTaken;
        }
        if let Some(hash) = &new.invite {
            self.count_use(hash);
        }
        let user = new_user(&new, invite.as_ref());
        match self.insert_room(&own_log(&new), &new.id) {
            Ok(()) => {}
        }
        self.emails.insert(key, new.id.clone());
        self.accounts.insert(new.id, Account { user: user.clone(), password: new.password });
        SignUp::Created { user, room: invite.and_then(|invite| invite.room) }
    }

    fn update_user(&mut self, id: &UserId, name: Option<String>, password: Option<String>, at: Timestamp) -> Option<User> {
        let account = self.accounts.get_mut(id)?;
        if let Some(name) = name {
            account.user.name = name;
        }
        let user = account.user.clone();
        if let Some(password) = password {
            account.password = password;
            self.revoke(id, None, at);
        }
        Some(user)
    }

    fn change_password(&mut self, id: &UserId, new: String, keep: Option<&LoginId>, at: Timestamp) -> Option<Vec<LoginId>> {
        self.accounts.get_mut(id)?.password = new;
        let others = self.logins.iter().filter(|(login, row)| row.user == *id && Some(*login) != keep);
        let ended: Vec<LoginId> = others.map(|(login, _)| login.clone()).collect();
        match keep {
            Some(_) => ended.iter().for_each(|login| {
                self.revoke(id, Some(login), at);
            }),
            None => {
                self.revoke(id, None, at);
            }
        }
        Some(ended)
    }

    fn create_login(&mut self, new: NewLogin) {
        let NewLogin { id, user, refresh, cookie, at, expires_at } = new;
        self.logins.retain(|_, login| is_alive(login.expires_at, at));
        self.logins.insert(id, LoginRow { user, refresh, cookie, expires_at });
        self.forget_used_refreshes();
    }

    fn login(&self, id: &LoginId, now: Timestamp) -> Option<Login> {
        let login = self.logins.get(id).filter(|login| is_alive(login.expires_at, now))?;
        let user = &self.accounts.get(&login.user).filter(|account| !account.user.disabled)?.user;
        Some(Login { id: id.clone(), user: user.clone(), expires_at: login.expires_at })
    }

    fn rotate_refresh(&mut self, old: &SecretHash, new: SecretHash, now: Timestamp) -> Rotation {
        if let Some(id) = self.used_refreshes.get(old).cloned()
            && let Some(user) = self.logins.get(&id).map(|login| login.user.clone())
        {
            self.revoke(&user, Some(&id), now);
            return Rotation::Reused(id, user);
        }
        let found = self.logins.iter().find(|(_, login)| login.refresh == *old).map(|(id, _)| id.clone());
        let Some(login) = found.and_then(|id| self.login(&id, now)) else { return Rotation::Unknown };
        if let Some(row) = self.logins.get_mut(&login.id) {
            row.refresh = new;
        }
        self.used_refreshes.insert(*old, login.id.clone());
        Rotation::Rotated(login)
    }

    fn revoke(&mut self, user: &UserId, login: Option<&LoginId>, at: Timestamp) -> bool {
        let before = self.logins.len();
        self.logins.retain(|id, row| row.user != *user || login.is_some_and(|login| login != id));
        self.forget_used_refreshes();
        let ended = self.logins.len() < before;
        // Whoever came in without a login (a token of the command line) is ended with all the others.
        if ended || login.is_none() {
            self.last_revocation += 1;
            let revocation = Revocation { number: self.last_revocation, user: user.clone(), login: login.cloned() };
            self.revocations.retain(|(_, when)| at.ms_since(*when) < REVOCATION_KEPT_MS);
            self.revocations.push((revocation, at));
        }
        ended
    }

    fn forget_used_refreshes(&mut self) {
        let logins = &self.logins;
        self.used_refreshes.retain(|_, login| logins.contains_key(login));
    }

    fn invite(&self, hash: &SecretHash, now: Timestamp) -> Option<Invite> {
        let row = self.invites.get(hash)?;
        is_usable(row.uses, row.new.uses_max, row.new.expires_at, now).then(|| row.invite())
    }

    fn count_use(&mut self, hash: &SecretHash) {
        if let Some(row) = self.invites.get_mut(hash) {
            row.uses += 1;
        }
    }
}
