//! Looking people up.

use salon_core::limits::LIST_MAX;
use salon_core::mention::fold_name;
use salon_core::ports::User;
use salon_core::{CommandError, UserId};

use super::{Auth, Identity, store_error};

/// Store pages that one search reads on behalf of somebody who does not see e-mail addresses.
const SEARCH_PAGES_MAX: usize = 10;

/// A page of people.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct People {
    pub users: Vec<User>,
    /// There may be more behind the last one.
    pub more: bool,
}

impl Auth {
    /// # Errors
    /// `unavailable`.
    pub async fn person(&self, id: &UserId) -> Result<Option<User>, CommandError> {
        self.store.user(id).await.map_err(|error| store_error(&error))
    }

    /// People whose name starts with `prefix`; administrators also find them by e-mail address.
    ///
    /// The store matches both. What it finds by address alone is dropped for everybody else, and so is every trace of it:
    /// a short page or a cursor would tell the address of somebody, letter by letter.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn people(&self, by: &Identity, prefix: &str, after: Option<&UserId>, limit: u32) -> Result<People, CommandError> {
        let limit = limit.clamp(1, LIST_MAX);
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let by_name = |user: &User| by.user.admin || starts_with(&user.name, prefix);
        let mut users: Vec<User> = Vec::new();
        let mut behind = after.cloned();
        for _ in 0..SEARCH_PAGES_MAX {
            let page = self.store.users(prefix, behind.as_ref(), LIST_MAX).await.map_err(|error| store_error(&error))?;
            let last_page = u32::try_from(page.len()).is_ok_and(|found| found < LIST_MAX);
            behind = page.last().map(|user| user.id.clone()).or(behind);
            users.extend(page.into_iter().filter(by_name));
            if last_page || users.len() > wanted {
                break;
            }
        }
        let more = users.len() > wanted;
        users.truncate(wanted);
        Ok(People { users, more })
    }
}

fn starts_with(name: &str, prefix: &str) -> bool {
    fold_name(name).starts_with(&fold_name(prefix))
}
