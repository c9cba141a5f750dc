//! Display names, looked up when something is printed. An entry holds ids only, so that a person can be forgotten.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use salon_core::UserId;
use salon_core::ports::StoreError;
use tokio::time::Instant;

use crate::Service;

/// Names that are remembered.
const NAMES_MAX: usize = 20_000;
/// A name that was changed on another node is printed as it was for this long, in seconds.
const NAME_AGE_S_MAX: u64 = 30;

#[derive(Debug, Default)]
pub(crate) struct Names {
    known: Mutex<BTreeMap<UserId, (Arc<str>, Instant)>>,
}

/// The names that something needs to be printed. Nobody's name is empty but theirs who were forgotten.
#[derive(Debug, Default)]
pub(crate) struct NameList(BTreeMap<UserId, Arc<str>>);

impl NameList {
    pub(crate) fn of(&self, user: &UserId) -> String {
        self.0.get(user).map(|name| name.as_ref().to_owned()).unwrap_or_default()
    }
}

impl Service {
    pub(crate) async fn names<'a>(&self, users: impl Iterator<Item = &'a UserId> + Send) -> Result<NameList, StoreError> {
        let (mut list, mut unknown) = (NameList::default(), Vec::new());
        {
            let (known, now) = (self.names.known.lock(), Instant::now());
            for user in users {
                match known.get(user).filter(|(_, until)| *until > now) {
                    Some((name, _)) => _ = list.0.insert(user.clone(), Arc::clone(name)),
                    None if !unknown.contains(user) => unknown.push(user.clone()),
                    None => {}
                }
            }
        }
        if unknown.is_empty() {
            return Ok(list);
        }
        let mut found: BTreeMap<UserId, String> = self.parts.store.names(&unknown).await?.into_iter().collect();
        let until = Instant::now() + Duration::from_secs(NAME_AGE_S_MAX);
        let mut known = self.names.known.lock();
        if known.len() + unknown.len() > NAMES_MAX {
            known.clear();
        }
        for user in unknown {
            let name: Arc<str> = found.remove(&user).unwrap_or_default().into();
            known.insert(user.clone(), (Arc::clone(&name), until));
            list.0.insert(user, name);
        }
        Ok(list)
    }

    pub(crate) async fn name(&self, user: &UserId) -> Result<Arc<str>, StoreError> {
        let mut list = self.names(std::iter::once(user)).await?;
        Ok(list.0.remove(user).unwrap_or_default())
    }

    /// A person has another name now: what is printed from now on shows it.
    pub fn renamed(&self, user: &UserId) {
        self.names.known.lock().remove(user);
    }
}
