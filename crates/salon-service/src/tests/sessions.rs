//! Sessions: how they begin, go on and end; links and what they carry besides.

use salon_core::LoginId;
use salon_core::ports::NewLogin;
use salon_proto::link::frames::ApiRequest;
use salon_proto::link::gateway_frame::Frame;
use salon_proto::link::open_session::Credential;
use salon_proto::link::reply;
use salon_proto::v1::{self, client_frame::Command, server_frame::Event};
use sha2_of::sha256;

use super::kit::*;

/// SHA-256, as the accounts hash their secrets.
mod sha2_of {
    pub(super) fn sha256(text: &str) -> [u8; 32] {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        digest.as_ref().try_into().unwrap()
    }
}

async fn logs_in(salon: &Salon, person: &Person, number: u128) -> (LoginId, Credential) {
    let cookie = format!("cookie-{number}");
    let login = NewLogin {
        id: LoginId::mint(number),
        user: person.id().clone(),
        refresh: sha256(&format!("refresh-{number}")),
        cookie: sha256(&cookie),
        at: salon.service.now(),
        expires_at: salon.service.now().plus_ms(86_400_000),
    };
    salon.store.as_store().create_login(login).await.unwrap();
    (LoginId::mint(number), Credential::Cookie(cookie))
}

#[tokio::test(start_paused = true)]
async fn a_welcome_is_complete() {
    let salon = Salon::open().await;
    let ann = salon.person("Ann").await;
    let device = salon.device(&ann).await;
    let welcome = &device.welcome;
    let person = welcome.user.clone().unwrap();
    assert_eq!((&*person.id, &*person.name, person.guest), (ann.id().as_str(), "Ann", false));
    assert_eq!(person.email, Some(ann.identity.user.email.clone()));
    assert!(welcome.session.starts_with("s_") && welcome.expires_at.is_some());
    assert_eq!((welcome.heartbeat_ms, welcome.limits.unwrap().content_bytes), (25_000, 16 * 1024));
    assert_eq!(welcome.me.clone().unwrap().seq, 0);
    let opened = device.gateway.seen.lock().opened[0].clone();
    assert_eq!((opened.user, opened.expires_at_ms.is_some()), (ann.id().to_string(), true));
    let refused = Device::with(&device.gateway, Credential::Token("nonsense".into())).await.err().unwrap();
    assert_eq!(refused.code, "unauthenticated");
    let (_, cookie) = logs_in(&salon, &ann, 1).await;
    let logged_in = Device::with(&device.gateway, cookie).await.unwrap();
    assert_eq!(logged_in.welcome.expires_at, None, "it lives as long as the login");
}

#[tokio::test(start_paused = true)]
async fn a_hello_renews_for_the_same_person_only() {
    let salon = Salon::open().await;
    let (ann, bob) = (salon.person("Ann").await, salon.person("Bob").await);
    let device = salon.device(&ann).await;
    passes(60_000).await;
    let token = salon.service.auth.create_token(&ann.identity.user.email, 3600).await.unwrap();
    let hello = |token: &str| Command::Hello(v1::Hello { token: token.to_owned() });
    let renewed = device.reply(device.sends(hello(token.expose()), Some(3))).await;
    let Some(Event::Welcome(welcome)) = renewed.frame.unwrap().event else { panic!() };
    assert_eq!(welcome.session, device.welcome.session);
    assert!(welcome.expires_at > device.welcome.expires_at);
    assert!(matches!(renewed.effect, Some(reply::Effect::Renewed(renewed)) if renewed.expires_at_ms.is_some()));
    assert_eq!(device.is_refused(hello(&bob.token)).await, "forbidden");
    assert_eq!(device.is_refused(hello("x")).await, "unauthenticated");
}

#[tokio::test(start_paused = true)]
async fn an_ended_login_closes_its_connections_and_no_others() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let ann = salon.person("Ann").await;
    let (login, cookie) = logs_in(&salon, &ann, 1).await;
    let (_, other) = logs_in(&salon, &ann, 2).await;
    let ended = Device::with(&gateway, cookie).await.unwrap();
    let kept = Device::with(&gateway, other).await.unwrap();
    ended.joins("general").await;
    // Another node ends it, and the bus says nothing: the rows in the store do.
    salon.store.as_store().revoke(ann.id(), Some(&login), salon.service.now()).await.unwrap();
    passes(600).await;
    gateway.take();
    let ends = gateway.seen.lock().ended.clone();
    assert_eq!(ends.iter().map(|end| (end.session, end.code)).collect::<Vec<_>>(), [(ended.session, 4502)]);
    assert_eq!(ended.is_refused(Command::Ping(v1::Ping {})).await, "unauthenticated");
    kept.says("general", "hi").await.seq.checked_sub(1).unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_bus_tells_of_ended_logins_at_once() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let ann = salon.person("Ann").await;
    let _device = Device::open(&gateway, &ann).await;
    let revoked = salon_core::ports::BusMessage::Revoked { user: ann.id().clone(), login: None };
    salon.bus.publish(salon_core::ports::Topic::Everyone, revoked);
    gateway.take();
    assert_eq!(gateway.seen.lock().ended.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_link_ends_its_sessions_and_nothing_stays_behind() {
    let salon = Salon::open().await;
    let (here, there) = (salon.gateway(), salon.gateway());
    let (_, _ann) = salon.guest_of(&here, "Ann", "general").await;
    let (_, bob) = salon.guest_of(&there, "Bob", "general").await;
    here.dies();
    passes(12_000).await;
    assert_eq!(bob.joins("general").await.online, 1);
    there.dies();
    passes(60_000).await;
    assert_eq!(salon.service.logs.len(), 0, "no log is followed for nobody");
    assert!(salon.service.links.lock().is_empty());
    assert_eq!(salon.service.tasks.len(), 7, "the background tasks");
    let text = salon.service.metrics_text();
    assert!(text.contains("salon_sessions 0") && text.contains("outcome=\"ok\""), "{text}");
}

#[tokio::test(start_paused = true)]
async fn stopping_closes_the_links_and_ends_every_task() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let (_, ann) = salon.guest_of(&gateway, "Ann", "general").await;
    ann.sends(Command::Message(message("general", "hi")), None);
    salon.service.stop().await;
    assert!(gateway.link_is_closed());
    assert_eq!(salon.service.tasks.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn commands_beyond_the_limit_are_refused_and_the_others_answered() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let (_, ann) = salon.guest_of(&gateway, "Ann", "general").await;
    salon.store.set_faults(salon_store::Faults::slow_writes(std::time::Duration::from_millis(5)));
    let serials: Vec<u64> = (0..134).map(|n| ann.sends(Command::Message(message("general", &n.to_string())), Some(n))).collect();
    let mut refused = 0;
    for serial in serials {
        refused += usize::from(matches!(ann.reply(serial).await.frame.unwrap().event, Some(Event::Error(_))));
    }
    assert_eq!(refused, 6);
}

#[tokio::test(start_paused = true)]
async fn the_api_is_served_over_the_link() {
    let salon = Salon::open().await;
    let gateway = salon.gateway();
    let ann = salon.person("Ann").await;
    let authorization =
        salon_proto::link::frames::Header { name: "authorization".into(), value: format!("Bearer {}", ann.token).into() };
    let request = ApiRequest {
        request: 5,
        method: "GET".into(),
        target: "/api/v1/rooms?limit=5".into(),
        headers: vec![authorization],
        peer: "192.0.2.1".into(),
        ..ApiRequest::default()
    };
    gateway.send(Frame::Api(request.clone()));
    gateway.send(Frame::Api(ApiRequest { request: 6, method: "G T".into(), ..request }));
    let answers = gateway.until(|seen| (seen.api.len() == 2).then(|| seen.api.clone())).await;
    let answer = answers.iter().find(|answer| answer.request == 5).unwrap();
    let body = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(answer.status == 200 && body.contains("\"room\":\"general\""), "{body}");
    assert_eq!(answers.iter().find(|answer| answer.request == 6).unwrap().status, 400);
}
