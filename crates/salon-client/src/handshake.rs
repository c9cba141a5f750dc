//! From a byte stream to a WebSocket, showing the credential on the way.

use std::io;

use http::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue, ORIGIN, RETRY_AFTER, SEC_WEBSOCKET_PROTOCOL};
use http::{Request, Uri};
use tokio::time::Duration;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::config::{ClientConfig, Credential, CredentialError, Proof};
use crate::{Connector, StopReason};

/// The subprotocol that this client speaks.
const SUBPROTOCOL: &str = "salon.v1.json";
/// Largest message taken from the server. A page of history holds 160 KiB of content, which JSON may write six times as long.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Read buffer of a connection; the library's default is 128 KiB, which hundreds of clients in one process would notice.
const READ_BUFFER_BYTES: usize = 8 * 1024;

/// An open WebSocket and the token to begin with, where the handshake has not shown a credential.
pub(crate) type Open<S> = (WebSocketStream<S>, Option<String>);

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Try again, after this time at the earliest if the server said so.
    Again {
        reason: String,
        after: Option<Duration>,
    },
    /// The credential was refused: another one may do.
    Unauthorised,
    Stop(StopReason),
}

/// Makes one attempt.
pub(crate) async fn open<C: Connector>(config: &ClientConfig, url: &Uri, connector: &C) -> Result<Open<C::Stream>, Failure> {
    let attempt = async {
        let proof = proof(&config.credential, connector.skips_handshake()).await?;
        let stream = connector.connect(url).await.map_err(|error| again(error.to_string()))?;
        if connector.skips_handshake() {
            let hello = match proof {
                Proof::Hello(token) | Proof::Bearer(token) => token,
                Proof::Ticket(_) | Proof::Cookie(_) => {
                    return Err(stop("without a handshake only a token can be shown"));
                }
            };
            return Ok((WebSocketStream::from_raw_socket(stream, Role::Client, Some(limits())).await, Some(hello)));
        }
        let (request, hello) = request(config, url, proof)?;
        match tokio_tungstenite::client_async_with_config(request, stream, Some(limits())).await {
            Ok((socket, _)) => Ok((socket, hello)),
            Err(error) => Err(classify(error)),
        }
    };
    match tokio::time::timeout(config.connect_timeout, attempt).await {
        Ok(result) => result,
        Err(_) => Err(again("the server did not answer in time".to_owned())),
    }
}

async fn proof(credential: &Credential, hello: bool) -> Result<Proof, Failure> {
    match credential {
        Credential::Token(token) if hello => Ok(Proof::Hello(token.clone())),
        Credential::Token(token) => Ok(Proof::Bearer(token.clone())),
        Credential::Provider(provider) => provider.proof().await.map_err(|error| match error {
            CredentialError::Refused(reason) => Failure::Stop(StopReason::Credential(reason)),
            CredentialError::Unavailable(reason) => again(reason),
        }),
    }
}

fn request(config: &ClientConfig, url: &Uri, proof: Proof) -> Result<(Request<()>, Option<String>), Failure> {
    let mut url = url.to_string();
    let mut hello = None;
    let mut header = None;
    match proof {
        Proof::Bearer(token) => header = Some((AUTHORIZATION, format!("Bearer {token}"))),
        Proof::Cookie(cookie) => header = Some((COOKIE, cookie)),
        Proof::Hello(token) => hello = Some(token),
        Proof::Ticket(ticket) => {
            let separator = if url.contains('?') { '&' } else { '?' };
            url = format!("{url}{separator}ticket={ticket}");
        }
    }
    let mut request = url.into_client_request().map_err(|error| Failure::Stop(StopReason::Url(error.to_string())))?;
    let headers = request.headers_mut();
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    let mut set = |name: HeaderName, value: &str, secret: bool| {
        let mut value = HeaderValue::from_str(value).map_err(|_| stop("a header cannot hold this value"))?;
        value.set_sensitive(secret);
        headers.insert(name, value);
        Ok::<_, Failure>(())
    };
    if let Some((name, value)) = header {
        set(name, &value, true)?;
    }
    if let Some(origin) = &config.origin {
        set(ORIGIN, origin, false)?;
    }
    Ok((request, hello))
}

fn classify(error: WsError) -> Failure {
    match error {
        WsError::Http(response) => {
            let after =
                response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok()).map(Duration::from_secs);
            match response.status().as_u16() {
                401 => Failure::Unauthorised,
                status @ (408 | 425 | 429 | 500..=599) => Failure::Again { reason: format!("status {status}"), after },
                status => Failure::Stop(StopReason::Handshake { status }),
            }
        }
        WsError::Url(error) => Failure::Stop(StopReason::Url(error.to_string())),
        // A connection that broke, or something in between that does not speak WebSocket for now.
        WsError::ConnectionClosed
        | WsError::AlreadyClosed
        | WsError::Io(_)
        | WsError::Tls(_)
        | WsError::Capacity(_)
        | WsError::Protocol(_)
        | WsError::WriteBufferFull(_)
        | WsError::Utf8(_)
        | WsError::AttackAttempt
        | WsError::HttpFormat(_) => again(error.to_string()),
    }
}

fn again(reason: String) -> Failure {
    Failure::Again { reason, after: None }
}

fn stop(reason: &str) -> Failure {
    Failure::Stop(StopReason::Credential(reason.to_owned()))
}

fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
}

/// Parses the URL of the server.
pub(crate) fn parse_url(url: &str) -> Result<Uri, StopReason> {
    let parsed: Uri = url.parse().map_err(|error: http::uri::InvalidUri| StopReason::Url(error.to_string()))?;
    if parsed.host().is_none() {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "the URL has no host");
        return Err(StopReason::Url(error.to_string()));
    }
    Ok(parsed)
}
