//! The bounds of every call, whatever service it is for: the deadline that the client has set, the time in which a call
//! has to begin to answer, and the stop of the server. Tonic's own timeout does not look at streams.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use hyper::body::{Bytes, Frame, SizeHint};
use salon_core::{CommandError, ErrorCode};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;

use super::connection::{Connection, OpenCall};
use super::status;

/// A `grpc-timeout` has at most 8 digits.
const TIMEOUT_DIGITS_MAX: usize = 8;

/// Calls of one connection, on their way to the services.
#[derive(Debug, Clone)]
pub(super) struct Calls<S> {
    inner: S,
    connection: Arc<Connection>,
    call_timeout: Duration,
    stopping: CancellationToken,
}

impl<S> Calls<S> {
    pub(super) fn new(inner: S, connection: Arc<Connection>, call_timeout: Duration, stopping: CancellationToken) -> Self {
        Self { inner, connection, call_timeout, stopping }
    }
}

impl<S> tower::Service<Request<Body>> for Calls<S>
where
    S: tower::Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let open = self.connection.begin_call();
        let now = Instant::now();
        let deadline = match deadline(request.headers(), now) {
            Ok(deadline) => deadline,
            Err(status) => return Box::pin(async move { Ok(status.into_http()) }),
        };
        let begin_by = deadline.unwrap_or(now + self.call_timeout).min(now + self.call_timeout);
        request.extensions_mut().insert(Arc::clone(&self.connection));
        let answer = self.inner.call(request);
        let stopping = self.stopping.clone();
        Box::pin(async move {
            let Ok(answer) = timeout_at(begin_by, answer).await else { return Ok(status::late().into_http()) };
            let Ok(mut response) = answer;
            status::complete(response.headers_mut());
            Ok(response.map(|body| Body::new(Bounded::new(body, deadline, stopping, open))))
        })
    }
}

/// The client's deadline (gRPC over HTTP/2, "Timeout").
fn deadline(headers: &HeaderMap, now: Instant) -> Result<Option<Instant>, Status> {
    let Some(value) = headers.get("grpc-timeout") else { return Ok(None) };
    let timeout = value.to_str().ok().and_then(parse_timeout);
    match timeout {
        Some(timeout) => Ok(now.checked_add(timeout)),
        None => {
            let message = "grpc-timeout is at most 8 digits and one of H, M, S, m, u, n";
            Err(status::status(&CommandError::new(ErrorCode::Invalid, message)))
        }
    }
}

fn parse_timeout(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let digits = text.strip_suffix(unit)?;
    if digits.is_empty() || digits.len() > TIMEOUT_DIGITS_MAX || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    match unit {
        'H' => Some(Duration::from_secs(number * 3600)),
        'M' => Some(Duration::from_secs(number * 60)),
        'S' => Some(Duration::from_secs(number)),
        'm' => Some(Duration::from_millis(number)),
        'u' => Some(Duration::from_micros(number)),
        'n' => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// The body of an answer, cut off with a status when its time is over. The messages in it stay whole, and an answer that
/// is ready is not taken back: one more piece may follow the cut.
struct Bounded {
    inner: Body,
    cut: Pin<Box<dyn Future<Output = Status> + Send>>,
    cut_by: Option<Status>,
    last_piece_sent: bool,
    ended: bool,
    open: OpenCall,
}

impl Bounded {
    fn new(inner: Body, deadline: Option<Instant>, stopping: CancellationToken, open: OpenCall) -> Self {
        let cut = async move {
            let over = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = stopping.cancelled() => status::draining(),
                () = over => status::late(),
            }
        };
        Self { inner, cut: Box::pin(cut), cut_by: None, last_piece_sent: false, ended: false, open }
    }

    fn end(&mut self, status: &Status) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.ended = true;
        let mut trailers = HeaderMap::new();
        // It fails for metadata that is not ours.
        Poll::Ready(Some(match status.add_header(&mut trailers) {
            Ok(()) => Ok(Frame::trailers(trailers)),
            Err(status) => Err(status),
        }))
    }
}

impl hyper::body::Body for Bounded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        if this.cut_by.is_none()
            && let Poll::Ready(status) = this.cut.as_mut().poll(cx)
        {
            this.cut_by = Some(status);
        }
        let polled = Pin::new(&mut this.inner).poll_frame(cx);
        // HTTP asks for more only when the client has room for it.
        this.open.waits_for_client(polled.is_ready());
        let Some(cut_by) = this.cut_by.clone() else { return polled };
        match polled {
            Poll::Pending => this.end(&cut_by),
            Poll::Ready(Some(Ok(frame))) if frame.is_data() => {
                if std::mem::replace(&mut this.last_piece_sent, true) {
                    this.end(&cut_by)
                } else {
                    Poll::Ready(Some(Ok(frame)))
                }
            }
            Poll::Ready(end) => Poll::Ready(end),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_in_all_units() {
        for (text, expected) in [
            ("1H", Some(Duration::from_hours(1))),
            ("2M", Some(Duration::from_mins(2))),
            ("30S", Some(Duration::from_secs(30))),
            ("500m", Some(Duration::from_millis(500))),
            ("99999999u", Some(Duration::from_micros(99_999_999))),
            ("7n", Some(Duration::from_nanos(7))),
            ("", None),
            ("S", None),
            ("10", None),
            ("-1S", None),
            ("+1S", None),
            ("123456789S", None),
            ("1é", None),
        ] {
            assert_eq!(parse_timeout(text), expected, "{text}");
        }
    }
}
