//! Sign-up policies, the one-time link, invitations.

use salon_core::ports::{Accounts as _, Logs as _, NewAccount, NewRoom};
use salon_core::{CommandError, Epoch, ErrorCode, HistoryPolicy, Role, RoomId, RoomKind, UserId};

use super::super::{INVITE_LIFE_S_DEFAULT, InviteRequest, NewCode, Secret};
use super::*;

const DAY_MS: i64 = 24 * 3_600_000;

fn code_of(link: &Secret) -> String {
    link.expose().strip_prefix("http://localhost:8080/#/setup/").unwrap().to_owned()
}

async fn founded(signup: SignupPolicy) -> (World, Auth, Granted) {
    let world = World::new(signup);
    let auth = world.auth().await;
    let code = code_of(&auth.setup_link().await.unwrap().unwrap());
    let admin = auth.sign_up(request("root@example.org", Some(&code)), PEER).await.unwrap();
    (world, auth, admin)
}

fn invite(room: Option<&str>, uses: u32) -> InviteRequest {
    let room = room.map(|room| RoomId::parse(room).unwrap());
    InviteRequest { room, uses, life_s: INVITE_LIFE_S_DEFAULT }
}

async fn with_invite(auth: &Auth, email: &str, code: &NewCode) -> Result<Granted, CommandError> {
    auth.sign_up(request(email, Some(code.code.expose())), PEER).await
}

async fn make_room(world: &World, id: &str, kind: RoomKind, owner: &UserId) {
    let new = NewRoom {
        id: RoomId::parse(id).unwrap(),
        kind,
        title: "The room".to_owned(),
        topic: String::new(),
        history: HistoryPolicy::All,
        epoch: Epoch::mint(1),
        creator: owner.clone(),
        members: vec![(owner.clone(), Role::Owner)],
        at: world.clock.now(),
    };
    world.store.create_room(new).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_first_link_makes_one_administrator_and_then_none() {
    let (_, auth, admin) = founded(SignupPolicy::Invite).await;
    assert!(admin.user.admin);
    assert!(auth.has_admin().await.unwrap());
    assert_eq!(auth.setup_link().await.unwrap(), None);
}

#[tokio::test]
async fn only_the_last_link_works_once_and_for_a_day() {
    let world = World::new(SignupPolicy::Closed);
    let auth = world.auth().await;
    let old = code_of(&auth.setup_link().await.unwrap().unwrap());
    let new = code_of(&auth.setup_link().await.unwrap().unwrap());
    assert_eq!(auth.sign_up(request("a@b", Some(&old)), PEER).await.unwrap_err().field, Some("invite"));
    assert!(auth.invite(&new).await.unwrap().admin);
    world.clock.advance_ms(DAY_MS);
    assert_eq!(auth.sign_up(request("a@b", Some(&new)), PEER).await.unwrap_err().field, Some("invite"));
    let newest = code_of(&auth.setup_link().await.unwrap().unwrap());
    assert!(auth.sign_up(request("a@b", Some(&newest)), PEER).await.unwrap().user.admin);
    assert_eq!(auth.sign_up(request("c@d", Some(&newest)), PEER).await.unwrap_err().field, Some("invite"));
}

#[tokio::test]
async fn an_administrator_from_the_command_line_makes_the_link_worthless() {
    let world = World::new(SignupPolicy::Invite);
    let auth = world.auth().await;
    let code = code_of(&auth.setup_link().await.unwrap().unwrap());
    assert!(auth.add_user("root@example.org", None, PASSWORD.into(), true).await.unwrap().admin);
    assert_eq!(auth.sign_up(request("late@example.org", Some(&code)), PEER).await.unwrap_err().field, Some("invite"));
    assert_eq!(auth.invite(&code).await.unwrap_err().code, ErrorCode::NotFound);
}

#[tokio::test]
async fn a_link_that_was_not_withdrawn_is_worth_nothing_beside_an_administrator() {
    let world = World::new(SignupPolicy::Invite);
    let auth = world.auth().await;
    let code = code_of(&auth.setup_link().await.unwrap().unwrap());
    let root = NewAccount {
        id: UserId::mint(1),
        email: "root@example.org".to_owned(),
        name: "root".to_owned(),
        password: "$argon2id$".to_owned(),
        admin: true,
        epoch: Epoch::mint(1),
        at: world.clock.now(),
        invite: None,
    };
    world.store.sign_up(root).await.unwrap();
    assert_eq!(auth.sign_up(request("late@example.org", Some(&code)), PEER).await.unwrap_err().field, Some("invite"));
}

#[tokio::test]
async fn the_policy_says_who_gets_in() {
    let (_, auth, admin) = founded(SignupPolicy::Open).await;
    assert!(!auth.newcomer("ann@example.org").await.user.admin);
    let code = auth.create_invite(&admin.identity(), invite(None, 1)).await.unwrap();
    assert!(with_invite(&auth, "bob@example.org", &code).await.is_ok());

    let (_, auth, admin) = founded(SignupPolicy::Invite).await;
    let without = auth.sign_up(request("ann@example.org", None), PEER).await.unwrap_err();
    assert_eq!((without.code, without.field), (ErrorCode::Invalid, Some("invite")));
    let code = auth.create_invite(&admin.identity(), invite(None, 1)).await.unwrap();
    assert!(!with_invite(&auth, "ann@example.org", &code).await.unwrap().user.admin);

    let (world, auth, admin) = founded(SignupPolicy::Closed).await;
    assert_eq!(auth.sign_up(request("ann@example.org", None), PEER).await.unwrap_err().code, ErrorCode::Forbidden);
    assert_eq!(auth.create_invite(&admin.identity(), invite(None, 1)).await.unwrap_err().code, ErrorCode::Forbidden);
    make_room(&world, "attic", RoomKind::Private, &admin.user.id).await;
    let code = auth.create_invite(&admin.identity(), invite(Some("attic"), 1)).await.unwrap();
    assert_eq!(with_invite(&auth, "ann@example.org", &code).await.unwrap_err().code, ErrorCode::Forbidden);
}

#[tokio::test]
async fn an_invitation_counts_its_uses_and_expires() {
    let (world, auth, admin) = founded(SignupPolicy::Invite).await;
    let twice = auth.create_invite(&admin.identity(), invite(None, 2)).await.unwrap();
    assert_eq!(twice.url.expose(), format!("http://localhost:8080/#/invite/{}", twice.code.expose()));
    with_invite(&auth, "a@example.org", &twice).await.unwrap();
    let taken = with_invite(&auth, "A@example.org", &twice).await.unwrap_err();
    assert_eq!((taken.code, taken.field), (ErrorCode::Conflict, Some("email")));
    with_invite(&auth, "b@example.org", &twice).await.unwrap();
    assert_eq!(with_invite(&auth, "c@example.org", &twice).await.unwrap_err().field, Some("invite"));
    let once = auth.create_invite(&admin.identity(), invite(None, 1)).await.unwrap();
    world.clock.advance_ms(7 * DAY_MS);
    assert_eq!(with_invite(&auth, "c@example.org", &once).await.unwrap_err().field, Some("invite"));
}

#[tokio::test]
async fn an_address_is_not_told_to_exist_without_an_invitation() {
    let (_, auth, _) = founded(SignupPolicy::Invite).await;
    let known = auth.sign_up(request("root@example.org", Some("guess")), PEER).await.unwrap_err();
    let unknown = auth.sign_up(request("nobody@example.org", Some("guess")), PEER).await.unwrap_err();
    assert_eq!(known, unknown);
}

#[tokio::test]
async fn members_invite_where_the_rules_let_them() {
    let (world, auth, admin) = founded(SignupPolicy::Open).await;
    let ann = auth.newcomer("ann@example.org").await;
    make_room(&world, "hers", RoomKind::Public, &ann.user.id).await;
    make_room(&world, "secret", RoomKind::Private, &admin.user.id).await;
    let attempt = async |room| auth.create_invite(&ann.identity(), invite(room, 1)).await.map_err(|error| error.code);
    assert!(attempt(Some("hers")).await.is_ok());
    assert_eq!(attempt(None).await.unwrap_err(), ErrorCode::Forbidden);
    assert_eq!(attempt(Some("secret")).await.unwrap_err(), ErrorCode::NotFound);
    assert_eq!(attempt(Some("nowhere")).await.unwrap_err(), ErrorCode::NotFound);
}

#[tokio::test]
async fn an_invitation_tells_where_it_leads_and_leads_there() {
    let (world, auth, admin) = founded(SignupPolicy::Invite).await;
    make_room(&world, "attic", RoomKind::Private, &admin.user.id).await;
    let code = auth.create_invite(&admin.identity(), invite(Some("attic"), 2)).await.unwrap();
    let view = auth.invite(code.code.expose()).await.unwrap();
    assert_eq!(view.room_title.as_deref(), Some("The room"));
    assert_eq!((view.admin, view.invited_by.as_deref()), (false, Some("root")));
    let ann = with_invite(&auth, "ann@example.org", &code).await.unwrap();
    let invited = ann.invited.unwrap();
    assert_eq!((invited.room.as_str(), invited.by), ("attic", Some(admin.user.id.clone())));
    assert_eq!(auth.use_invite(code.code.expose()).await.unwrap().room.as_str(), "attic");
    assert_eq!(auth.use_invite(code.code.expose()).await.unwrap_err().field, Some("invite"));
}

#[tokio::test]
async fn invitations_have_bounds() {
    let (_, auth, admin) = founded(SignupPolicy::Invite).await;
    for (uses, life_s, field) in [(0, 3_600, "uses"), (1_001, 3_600, "uses"), (1, 59, "expires_in"), (1, u32::MAX, "expires_in")]
    {
        let refused = auth.create_invite(&admin.identity(), InviteRequest { room: None, uses, life_s }).await.unwrap_err();
        assert_eq!(refused.field, Some(field));
    }
    let mut made = 0;
    while auth.create_invite(&admin.identity(), invite(None, 1)).await.is_ok() {
        made += 1;
    }
    assert_eq!(made, 30);
}
