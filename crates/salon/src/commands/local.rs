//! `salon user|token|room`: work on the database itself, whether or not a server runs on it.

use std::io::Read;

use anyhow::{Context, bail};
use salon_core::ports::{Accounts, User};
use salon_core::{HistoryPolicy, RoomId, RoomKind};
use salon_service::auth::Auth;
use salon_service::commands::CreateRoom;
use salon_service::{Identity, Service, create_unowned_room};

use crate::cli::{RoomCreate, TokenCreate, UserAdd};
use crate::wiring::Engine;

/// The longest password that is read from standard input, in bytes.
const PASSWORD_BYTES_MAX: u64 = 4096;
/// People who are looked at in one go for an administrator.
const USERS_PAGE: u32 = 200;

pub(crate) async fn add_user(arguments: UserAdd) -> anyhow::Result<()> {
    let password = read_password()?;
    let engine = Engine::open(arguments.settings.complete()?).await?;
    let auth = Auth::start(&engine.parts).await?;
    let added = auth.add_user(&arguments.email, arguments.name.as_deref(), password, arguments.admin).await;
    engine.close().await;
    let user = added.with_context(|| format!("{} was not added", arguments.email))?;
    println!("{}", user.id);
    Ok(())
}

pub(crate) async fn create_token(arguments: TokenCreate) -> anyhow::Result<()> {
    let engine = Engine::open(arguments.settings.complete()?).await?;
    let auth = Auth::start(&engine.parts).await?;
    let token = auth.create_token(&arguments.email, u32::try_from(arguments.ttl).unwrap_or(u32::MAX)).await;
    engine.close().await;
    println!("{}", token.context("no token was made")?.expose());
    Ok(())
}

pub(crate) async fn create_room(arguments: RoomCreate) -> anyhow::Result<()> {
    let engine = Engine::open(arguments.settings.complete()?).await?;
    let created = create_room_in(&engine, &arguments.name, arguments.title, arguments.private).await;
    engine.close().await;
    println!("{}", created?);
    Ok(())
}

async fn create_room_in(engine: &Engine, name: &str, title: Option<String>, private: bool) -> anyhow::Result<String> {
    let Some(user) = first_admin(&*engine.parts.store).await? else {
        return create_unowned(engine, name, title.unwrap_or_default(), private).await;
    };
    let service = Service::start(engine.parts.clone()).await?;
    let new = CreateRoom {
        name: name.to_owned(),
        title: title.unwrap_or_default(),
        kind: if private { RoomKind::Private } else { RoomKind::Public },
        peer: None,
        history: HistoryPolicy::All,
    };
    let created = service.create_room(&Identity { user, login: None, expires_at: None }, new).await;
    service.stop().await;
    Ok(created.with_context(|| format!("the room {name:?} was not created"))?.0.room)
}

/// Before there is an administrator: a public room is everybody's, a private one would be nobody's.
async fn create_unowned(engine: &Engine, name: &str, title: String, private: bool) -> anyhow::Result<String> {
    if private {
        bail!("nobody could enter it: create an administrator first, with salon user add EMAIL --admin --password-stdin");
    }
    let id = RoomId::parse_slug(name).with_context(|| format!("{name:?} is no name of a room"))?;
    if !create_unowned_room(&engine.parts, id, title).await? {
        bail!("there is a room {name:?} already");
    }
    Ok(name.to_owned())
}

async fn first_admin(store: &(impl Accounts + ?Sized)) -> anyhow::Result<Option<User>> {
    let mut after = None;
    loop {
        let page = store.users("", after.as_ref(), USERS_PAGE).await?;
        let Some(last) = page.last() else { return Ok(None) };
        after = Some(last.id.clone());
        if let Some(admin) = page.into_iter().find(|user| user.admin && !user.disabled) {
            return Ok(Some(admin));
        }
    }
}

/// The first line of standard input.
fn read_password() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin().lock().take(PASSWORD_BYTES_MAX).read_to_string(&mut text).context("the password cannot be read")?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
