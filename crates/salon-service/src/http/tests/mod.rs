//! The interface as a client sees it: requests in, answers out.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::auth::tests::{PASSWORD, PEER, World};
use crate::{ServiceConfig, SignupPolicy};

mod accounts;
mod people;
mod problems;
mod rooms;

/// A server without a socket.
struct House {
    world: World,
    service: Arc<Service>,
    router: Router,
}

/// An answer.
#[derive(Debug)]
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

/// A device of somebody who has logged in.
#[derive(Debug, Clone)]
struct Device {
    id: String,
    bearer: String,
    refresh: String,
    cookie: String,
}

impl House {
    async fn open() -> Self {
        Self::with(ServiceConfig { signup: SignupPolicy::Open, ..ServiceConfig::default() }).await
    }

    async fn with(config: ServiceConfig) -> Self {
        let world = World::with(config);
        let service = Service::start(world.parts.clone()).await.unwrap();
        Self { world, router: router(service.clone()), service }
    }

    async fn send(&self, request: Request<Body>) -> Reply {
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(Peer(PEER.to_owned()));
        let response = self.router.clone().oneshot(Request::from_parts(parts, body)).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
        assert_eq!(parts.headers[header::CACHE_CONTROL], "no-store");
        Reply { status: parts.status, headers: parts.headers, body }
    }

    /// A request with the headers given and, where it is not null, a JSON body.
    async fn request(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Value) -> Reply {
        let mut request = Request::builder().method(method).uri(format!("/api/v1/{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = if body.is_null() {
            request.body(Body::empty())
        } else {
            request.header("content-type", "application/json; charset=utf-8").body(Body::from(body.to_string()))
        };
        self.send(request.unwrap()).await
    }

    async fn post(&self, path: &str, body: Value) -> Reply {
        self.request(Method::POST, path, &[], body).await
    }

    async fn get(&self, path: &str) -> Reply {
        self.request(Method::GET, path, &[], Value::Null).await
    }

    async fn by(&self, device: &Device, method: Method, path: &str, body: Value) -> Reply {
        self.request(method, path, &[("authorization", &device.bearer)], body).await
    }

    async fn signed_up(&self, email: &str, invite: Option<&str>) -> Device {
        let body = json!({ "email": email, "password": PASSWORD, "invite": invite });
        let reply = self.post("auth/signup", body).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.device()
    }

    /// Follows the link that a first start prints.
    async fn founder(&self) -> Device {
        let link = self.service.auth.setup_link().await.unwrap().unwrap();
        let code = link.expose().rsplit('/').next().unwrap().to_owned();
        self.signed_up("root@example.org", Some(&code)).await
    }
}

impl Reply {
    fn device(&self) -> Device {
        let text = |name: &str| self.body[name].as_str().unwrap().to_owned();
        Device {
            id: self.body["user"]["id"].as_str().unwrap().to_owned(),
            bearer: format!("Bearer {}", text("access_token")),
            refresh: text("refresh_token"),
            cookie: self.cookie().split(';').next().unwrap().to_owned(),
        }
    }

    fn cookie(&self) -> String {
        self.headers.get(header::SET_COOKIE).map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
    }

    /// Status, code and field of a problem.
    #[track_caller]
    fn problem(&self) -> (u16, &str, Option<&str>) {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(self.body["status"], self.status.as_u16());
        assert!(self.body["title"].is_string() && self.body["detail"].is_string());
        (self.status.as_u16(), self.body["code"].as_str().unwrap(), self.body["field"].as_str())
    }
}
