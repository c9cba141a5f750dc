//! The REST interface, as a program uses it.

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use super::soon;

/// A caller, with or without a token.
#[derive(Debug, Clone)]
pub struct Rest {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    /// `Null` where the body is not JSON.
    pub body: Value,
    pub raw: String,
}

impl Rest {
    pub(super) fn new(base: &str, token: Option<&str>) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("the HTTP client starts");
        Self { http, base: base.to_owned(), token: token.map(str::to_owned) }
    }

    /// The same, as somebody else.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same, as nobody.
    #[must_use]
    pub fn anonymous(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    /// A request to a path of the server: `/…` as it is, anything else below `/api/v1/`.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = if path.starts_with('/') { format!("{}{path}", self.base) } else { format!("{}/api/v1/{path}", self.base) };
        let request = self.http.request(method, url);
        match &self.token {
            Some(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        }
    }

    /// Sends a request that was prepared by [`Rest::request`].
    ///
    /// # Panics
    /// There is no answer.
    pub async fn send(&self, request: RequestBuilder) -> Reply {
        let response = soon("a response", request.send()).await.expect("the server answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let raw = soon("a body", response.text()).await.expect("the body is text");
        let body = serde_json::from_str(&raw).unwrap_or(Value::Null);
        Reply { status, headers, body, raw }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send(self.request(Method::DELETE, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send_json(Method::POST, path, body).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Reply {
        self.send_json(Method::PUT, path, body).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Reply {
        self.send_json(Method::PATCH, path, body).await
    }

    async fn send_json(&self, method: Method, path: &str, body: &Value) -> Reply {
        let request = self.request(method, path).header(CONTENT_TYPE, "application/json").body(body.to_string());
        self.send(request).await
    }
}

impl Reply {
    /// # Panics
    /// The status is another one.
    pub fn expects(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// Expects a refusal: the status, and the code in the problem (RFC 9457).
    ///
    /// # Panics
    /// It is something else.
    pub fn refuses(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{self:?}");
        let kind = self.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        assert_eq!(kind, "application/problem+json", "{self:?}");
        self
    }

    /// A text in the body; nested names are separated by dots.
    ///
    /// # Panics
    /// There is none.
    #[must_use]
    pub fn text(&self, name: &str) -> String {
        let found = name.split('.').fold(&self.body, |value, name| &value[name]);
        found.as_str().unwrap_or_else(|| panic!("no {name} in {self:?}")).to_owned()
    }
}
