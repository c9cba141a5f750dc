//! Calls that are answered once.

use salon_core::{MemberChange, RoomKind};
use salon_proto::v1;
use tonic::{Code, Request};

use super::kit::{House, join, message, told};

#[tokio::test]
async fn a_message_is_sent_once_however_often() {
    let house = House::open().await;
    let (ada, bob) = (house.person("Ada").await, house.person("Bob").await);
    let mut bobs = bob.joins("general").await;
    let hello = v1::SendMessageRequest { client_id: Some("a1".into()), ..message("general", "hello") };
    // Ada has not joined: the door does it for her.
    let first = ada.sends(hello.clone()).await.unwrap();
    assert!(!first.duplicate && first.id.starts_with("m_"));
    let again = ada.sends(hello.clone()).await.unwrap();
    assert_eq!(again, v1::MessageAck { duplicate: true, ..first.clone() });
    let other = ada.sends(v1::SendMessageRequest { content: "bye".into(), ..hello }).await.unwrap_err();
    assert_eq!(told(&other), (Code::AlreadyExists, "conflict client_id".into()));
    ada.says("general", "the end").await;
    bobs.hears_in_order(["2: Ada joined", "3: hello", "4: the end"]).await;
}

#[tokio::test]
async fn a_message_opens_no_door_that_is_closed() {
    let house = House::open().await;
    let (ada, bob) = (house.person("Ada").await, house.person("Bob").await);
    let secret = house.room(&ada, "secret", RoomKind::Private).await;
    let refused = bob.sends(message("secret", "hi")).await.unwrap_err();
    assert_eq!(told(&refused), (Code::NotFound, "not_found room".into()));
    // An invitation is accepted by joining, not by the way.
    house.service.change_member(&ada.identity, &secret, bob.id(), MemberChange::Invited, None).await.unwrap();
    assert_eq!(bob.sends(message("secret", "hi")).await.unwrap_err().code(), Code::PermissionDenied);
    let public = house.room(&ada, "public", RoomKind::Public).await;
    house.service.change_member(&ada.identity, &public, bob.id(), MemberChange::Banned, None).await.unwrap();
    let banned = bob.sends(message("public", "hi")).await.unwrap_err();
    assert_eq!(told(&banned), (Code::PermissionDenied, "forbidden".into()));
}

#[tokio::test]
async fn nothing_works_without_a_token() {
    let house = House::open().await;
    let ada = house.person("Ada").await;
    let mut client = ada.client.clone();
    let missing = client.list_rooms(v1::ListRoomsRequest::default()).await.unwrap_err();
    assert_eq!(told(&missing), (Code::Unauthenticated, "unauthenticated".into()));
    for wrong in ["Bearer nonsense", "Basic YWRhOng=", "nonsense"] {
        let call = |message| {
            let mut request = Request::new(message);
            request.metadata_mut().insert("authorization", wrong.parse().unwrap());
            request
        };
        let unary = client.send_message(call(message("general", "hi"))).await.unwrap_err();
        assert_eq!(told(&unary), (Code::Unauthenticated, "unauthenticated".into()), "{wrong}");
        let mut request = Request::new(join("general"));
        request.metadata_mut().insert("authorization", wrong.parse().unwrap());
        let stream = client.join_chat(request).await.unwrap_err();
        assert_eq!(told(&stream), (Code::Unauthenticated, "unauthenticated".into()), "{wrong}");
    }
}

#[tokio::test]
async fn history_is_paged_in_both_directions() {
    let house = House::open().await;
    let ada = house.person("Ada").await;
    for n in 1..=25 {
        ada.says("general", &format!("message {n}")).await;
    }
    let page = async |page_token: &str, at: Option<String>| {
        let query = v1::GetHistoryRequest {
            room: "general".into(),
            page_size: Some(10),
            page_token: page_token.into(),
            at,
            ..Default::default()
        };
        ada.client.clone().get_history(ada.call(query)).await.map(tonic::Response::into_inner)
    };
    let texts = |page: &v1::HistoryResponse| -> Vec<String> {
        let texts = page.messages.iter().map(|entry| {
            let Some(v1::entry::Body::Message(message)) = &entry.body else { panic!("{entry:?}") };
            message.content.replace("message ", "")
        });
        texts.collect()
    };
    let newest = page("", None).await.unwrap();
    assert_eq!(texts(&newest), (16..=25).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(newest.previous_page_token, "");
    let older = page(&newest.next_page_token, None).await.unwrap();
    assert_eq!(texts(&older), (6..=15).map(|n| n.to_string()).collect::<Vec<_>>());
    let oldest = page(&older.next_page_token, None).await.unwrap();
    assert_eq!((texts(&oldest).len(), &*oldest.next_page_token), (5, ""));
    assert_eq!(texts(&page(&oldest.previous_page_token, None).await.unwrap()), texts(&older));
    for (token, at) in [("x", None), ("o", None), (&*newest.next_page_token, Some("2026-01-01T00:00:00Z".to_owned()))] {
        assert_eq!(told(&page(token, at).await.unwrap_err()), (Code::InvalidArgument, "invalid page_token".into()), "{token}");
    }
}

#[tokio::test]
async fn rooms_members_and_people_are_listed() {
    let house = House::open().await;
    let (ada, bob) = (house.person("Ada").await, house.person("Bob").await);
    let new = v1::CreateRoomRequest { name: "tea".into(), title: "Tea".into(), kind: "private".into(), ..Default::default() };
    let created = ada.client.clone().create_room(ada.call(new.clone())).await.unwrap().into_inner();
    assert_eq!((created.room.as_ref().map(|room| &*room.title), created.created), (Some("Tea"), true));
    let taken = ada.client.clone().create_room(ada.call(new)).await.unwrap_err();
    assert_eq!(told(&taken), (Code::AlreadyExists, "conflict name".into()));
    let direct = v1::CreateRoomRequest { kind: "direct".into(), user: Some(bob.id().to_string()), ..Default::default() };
    for fresh in [true, false] {
        let created = ada.client.clone().create_room(ada.call(direct.clone())).await.unwrap().into_inner();
        assert_eq!((created.created, created.room.unwrap().kind), (fresh, "direct".to_owned()));
    }
    let odd = v1::CreateRoomRequest { name: "x".into(), kind: "me".into(), ..Default::default() };
    assert_eq!(told(&ada.client.clone().create_room(ada.call(odd)).await.unwrap_err()).1, "invalid kind");

    let mut rooms = Vec::new();
    let mut query = v1::ListRoomsRequest { page_size: Some(1), ..Default::default() };
    loop {
        let page = ada.client.clone().list_rooms(ada.call(query.clone())).await.unwrap().into_inner();
        rooms.extend(page.rooms.into_iter().map(|room| room.title));
        if page.next_page_token.is_empty() {
            break;
        }
        query.page_token = page.next_page_token;
    }
    rooms.sort();
    assert_eq!(rooms, ["Bob", "Tea", "general"]);
    let query = v1::ListMembersRequest { room: "tea".into(), ..Default::default() };
    let members = ada.client.clone().list_members(ada.call(query.clone())).await.unwrap().into_inner().members;
    assert_eq!(members.iter().map(|member| (&*member.name, &*member.role)).collect::<Vec<_>>(), [("Ada", "owner")]);
    assert_eq!(bob.client.clone().list_members(bob.call(query)).await.unwrap_err().code(), Code::NotFound);

    let user = async |user_id: &str| bob.client.clone().get_user(bob.call(v1::GetUserRequest { user_id: user_id.into() })).await;
    let me = user("").await.unwrap().into_inner().user.unwrap();
    assert_eq!((&*me.name, me.email()), ("Bob", "bob@example.org"));
    let other = user(ada.id().as_str()).await.unwrap().into_inner().user.unwrap();
    assert_eq!((&*other.name, other.email), ("Ada", None));
    assert_eq!(told(&user("u_0000000000000000").await.unwrap_err()), (Code::NotFound, "not_found user_id".into()));
    assert_eq!(told(&user("ada").await.unwrap_err()), (Code::InvalidArgument, "invalid user_id".into()));
}

#[tokio::test]
async fn what_is_too_large_is_refused_in_the_protocols_words() {
    let house = House::open().await;
    let ada = house.person("Ada").await;
    let long = ada.sends(message("general", &"x".repeat(17 * 1024))).await.unwrap_err();
    assert_eq!(told(&long), (Code::InvalidArgument, "too_large content".into()));
    let huge = ada.sends(message("general", &"x".repeat(70 * 1024))).await.unwrap_err();
    assert_eq!(told(&huge), (Code::OutOfRange, "too_large".into()));
    assert_eq!(ada.says("general", &"x".repeat(16 * 1024)).await.seq, 2);
}
