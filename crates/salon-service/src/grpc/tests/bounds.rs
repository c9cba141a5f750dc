//! Deadlines, half-open connections, caps, health and reflection.

use std::time::Duration;

use futures_util::stream;
use salon_proto::v1::{self, chat_event};
use salon_store::Faults;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tonic::Code;
use tonic::codegen::http::uri::PathAndQuery;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};
use tonic_reflection::pb::{v1 as reflection, v1alpha as reflection_alpha};

use super::kit::{House, PATIENCE, join, message, passes, told, within};
use super::web::{Post, post};
use crate::grpc::GrpcConfig;

#[tokio::test]
async fn a_deadline_ends_a_stream() {
    let house = House::open().await;
    let ada = house.person("Ada").await;
    // Over HTTP/1, where no client library of the test watches the deadline itself.
    let begun = Instant::now();
    let answer = post(&house, &Post::new("JoinChat", &ada.token, &join("general")).header("grpc-timeout", "700m")).await;
    assert!(begun.elapsed() >= Duration::from_millis(700));
    assert!(answer.messages.len() >= 2, "{answer:?}");
    assert_eq!((answer.status(), answer.code()), (Code::DeadlineExceeded, "unavailable"));
}

#[tokio::test]
async fn a_deadline_ends_a_call_but_not_what_it_has_begun() {
    let house = House::open().await;
    let ada = house.person("Ada").await;
    ada.says("general", "first").await;
    house.store.set_faults(Faults::slow_writes(Duration::from_millis(1_500)));
    let begun = Instant::now();
    let answer =
        post(&house, &Post::new("SendMessage", &ada.token, &message("general", "late")).header("grpc-timeout", "300m")).await;
    assert!(begun.elapsed() < Duration::from_millis(1_400), "{:?}", begun.elapsed());
    assert_eq!(answer.status(), Code::DeadlineExceeded);
    house.store.set_faults(Faults::default());
    let mut adas = ada.listens(v1::JoinRequest { last: Some(0), ..join("general") }).await.unwrap();
    while !adas.hears().await.ends_with("late") {}
    let odd = post(&house, &Post::new("SendMessage", &ada.token, &message("general", "x")).header("grpc-timeout", "soon")).await;
    assert_eq!((odd.status(), odd.code()), (Code::InvalidArgument, "invalid"));
}

#[tokio::test]
async fn half_open_connections_are_closed_in_time() {
    let config = GrpcConfig {
        handshake_timeout: Duration::from_millis(400),
        keep_alive_every: Duration::from_millis(300),
        keep_alive_timeout: Duration::from_millis(300),
        ..GrpcConfig::default()
    };
    let house = House::with(config).await;
    let ada = house.person("Ada").await;
    let preface: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let settings: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
    let openings: [Vec<u8>; 5] = [
        Vec::new(),
        preface[..20].to_vec(),
        b"POST /salon.v1.ChatService/ListRooms HTTP/1.1\r\nhost: x\r\n".to_vec(),
        // A whole handshake, and then no answer to pings.
        preface.to_vec(),
        [preface, settings].concat(),
    ];
    let mut half_open = Vec::new();
    for opening in openings.iter().cycle().take(100) {
        let mut socket = TcpStream::connect(house.address).await.unwrap();
        socket.write_all(opening).await.unwrap();
        half_open.push(socket);
    }
    assert_eq!(ada.says("general", "nobody is hindered").await.seq, 2);
    let begun = Instant::now();
    for mut socket in half_open {
        let mut rest = Vec::new();
        // Closed or reset, both are an end.
        let _ = within(socket.read_to_end(&mut rest)).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    // A connection that answers pings stays.
    assert_eq!(ada.says("general", "still there").await.seq, 3);
}

#[tokio::test]
async fn a_connection_without_calls_is_closed_and_reopened_unnoticed() {
    let short = Duration::from_millis(300);
    let house = House::with(GrpcConfig { idle_timeout: short, drain_timeout: short, ..GrpcConfig::default() }).await;
    let (ada, bob) = (house.person("Ada").await, house.person("Bob").await);
    let mut socket = TcpStream::connect(house.address).await.unwrap();
    socket.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut bobs = bob.joins("general").await;
    let mut rest = Vec::new();
    let _ = within(socket.read_to_end(&mut rest)).await;
    passes(700).await;
    assert_eq!(ada.says("general", "after a pause").await.seq, 3);
    // A stream is a call: its connection is not idle.
    bobs.hears_in_order(["2: Ada joined", "3: after a pause"]).await;
}

#[tokio::test]
async fn who_takes_nothing_for_long_loses_the_connection_and_goes_on_later() {
    let house = House::with(GrpcConfig { stall_timeout: Duration::from_millis(700), ..GrpcConfig::default() }).await;
    let (ada, bob) = (house.person("Ada").await, house.person("Bob").await);
    let mut bobs = bob.joins("general").await;
    let first = ada.says("general", "first").await;
    for _ in 0..100 {
        ada.says("general", &"x".repeat(8_000)).await;
    }
    passes(2_500).await;
    let mut heard = Vec::new();
    while let Ok(Some(event)) = bobs.next().await {
        let chat_event::Event::Entry(entry) = event else { panic!("{event:?}") };
        heard.push(entry.seq);
    }
    let missed = heard.last().copied().unwrap() + 1;
    assert!(missed < 50, "{missed}");
    let since = v1::Position { epoch: first.epoch, seq: missed - 1 };
    let mut bobs = bob.listens(v1::JoinRequest { since: Some(since), ..join("general") }).await.unwrap();
    assert_eq!(bobs.hears().await, "joined at 103");
    for seq in missed..=103 {
        assert!(bobs.hears().await.starts_with(&format!("{seq}: ")));
    }
}

#[tokio::test]
async fn there_is_an_end_to_what_may_be_open() {
    let config = GrpcConfig { sessions_max: 2, connections_max: 3, ..GrpcConfig::default() };
    let house = House::with(config).await;
    let (ada, bob) = (house.person("Ada").await, house.person("Bob").await);
    let (adas, _bobs) = (ada.joins("general").await, bob.joins("general").await);
    let third = bob.listens(join("general")).await.err().unwrap();
    assert_eq!(told(&third), (Code::ResourceExhausted, "rate_limited".into()));
    drop(adas);
    // The place is free again once the server has noticed.
    let begun = Instant::now();
    while let Err(status) = bob.listens(join("general")).await {
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(begun.elapsed() < PATIENCE);
        passes(20).await;
    }
    let _third = TcpStream::connect(house.address).await.unwrap();
    passes(100).await;
    let mut fourth = TcpStream::connect(house.address).await.unwrap();
    assert_eq!(within(fourth.read(&mut [0; 1])).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn it_tells_load_balancers_how_it_is() {
    let house = House::open().await;
    let mut client = HealthClient::new(house.channel().await);
    let mut check = async |service: &str| {
        let answer = client.check(HealthCheckRequest { service: service.to_owned() }).await;
        answer.map(|answer| answer.into_inner().status())
    };
    for service in ["", "salon.v1.ChatService"] {
        let begun = Instant::now();
        while check(service).await.unwrap_or_default() != ServingStatus::Serving {
            assert!(begun.elapsed() < PATIENCE);
            passes(20).await;
        }
    }
    assert_eq!(check("nobody").await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn it_describes_itself_to_old_and_new_tools() {
    let house = House::open().await;
    let mut client = reflection::server_reflection_client::ServerReflectionClient::new(house.channel().await);
    let list = reflection::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(reflection::server_reflection_request::MessageRequest::ListServices(String::new())),
    };
    let mut answers = client.server_reflection_info(stream::iter([list])).await.unwrap().into_inner();
    let answer = within(answers.message()).await.unwrap().unwrap().message_response.unwrap();
    let reflection::server_reflection_response::MessageResponse::ListServicesResponse(list) = answer else {
        panic!("{answer:?}")
    };
    let mut names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    names.sort();
    names.retain(|name| !name.starts_with("grpc.reflection"));
    assert_eq!(names, ["grpc.health.v1.Health", "salon.v1.ChatService"]);

    let mut client = reflection_alpha::server_reflection_client::ServerReflectionClient::new(house.channel().await);
    let symbol = reflection_alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(reflection_alpha::server_reflection_request::MessageRequest::FileContainingSymbol(
            "salon.v1.ChatService.JoinChat".into(),
        )),
    };
    let mut answers = client.server_reflection_info(stream::iter([symbol])).await.unwrap().into_inner();
    let answer = within(answers.message()).await.unwrap().unwrap().message_response.unwrap();
    let described = matches!(answer, reflection_alpha::server_reflection_response::MessageResponse::FileDescriptorResponse(file) if !file.file_descriptor_proto.is_empty());
    assert!(described);
}

#[tokio::test]
async fn a_method_that_does_not_exist_is_said_so() {
    let house = House::open().await;
    let ada = house.person("Ada").await;
    let answer = post(&house, &Post::new("FlyAway", &ada.token, &join("general"))).await;
    assert_eq!((answer.status(), answer.code()), (Code::Unimplemented, "unknown_event"));
    let mut grpc = tonic::client::Grpc::new(house.channel().await);
    grpc.ready().await.unwrap();
    let path = PathAndQuery::from_static("/salon.v2.ChatService/ListRooms");
    let codec = tonic_prost::ProstCodec::<v1::ListRoomsRequest, v1::ListRoomsResponse>::default();
    let status = grpc.unary(ada.call(v1::ListRoomsRequest::default()), path, codec).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}
