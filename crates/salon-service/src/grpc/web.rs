//! Pages that call from a browser. The port of the door is never the port of the page, so browsers ask first whether the
//! page's origin is welcome (CORS, the Fetch standard §3.2). Only those that are configured are.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use tonic::body::Body;

/// What a page may send.
const REQUEST_HEADERS: HeaderValue =
    HeaderValue::from_static("authorization, content-type, grpc-timeout, x-grpc-web, x-user-agent");
/// What a page may read of an answer that failed at once.
const RESPONSE_HEADERS: HeaderValue =
    HeaderValue::from_static("grpc-status, grpc-message, salon-code, salon-field, salon-retry-after-ms");
/// How long a browser may remember the answer, in seconds.
const REMEMBERED_S: HeaderValue = HeaderValue::from_static("600");

/// Looks at the origin of calls that have one.
#[derive(Debug, Clone)]
pub(super) struct Origins<S> {
    inner: S,
    welcome: Arc<[String]>,
}

impl<S> Origins<S> {
    pub(super) fn new(inner: S, welcome: Arc<[String]>) -> Self {
        Self { inner, welcome }
    }
}

impl<S, B> tower::Service<Request<B>> for Origins<S>
where
    S: tower::Service<Request<B>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Some(origin) = request.headers().get(header::ORIGIN).cloned() else {
            return Box::pin(self.inner.call(request));
        };
        if !self.welcome.iter().any(|welcome| origin == welcome.as_str()) {
            return Box::pin(async { Ok(bare(StatusCode::FORBIDDEN)) });
        }
        if request.method() == Method::OPTIONS {
            return Box::pin(async { Ok(preflight(origin)) });
        }
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            response.headers_mut().insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
            Ok(allow(response, origin))
        })
    }
}

fn preflight(origin: HeaderValue) -> Response<Body> {
    let mut response = bare(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, REMEMBERED_S);
    allow(response, origin)
}

fn allow(mut response: Response<Body>, origin: HeaderValue) -> Response<Body> {
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    response.headers_mut().append(header::VARY, HeaderValue::from_static("origin"));
    response
}

fn bare(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
