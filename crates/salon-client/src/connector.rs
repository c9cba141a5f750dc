//! How byte streams to the server are made. The simulation connects the same client to an in-memory network.

use std::future::Future;
use std::io;

use http::Uri;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Makes one byte stream per connection attempt.
pub trait Connector: Send + Sync + 'static {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Connects to the host of the URL.
    fn connect(&self, url: &Uri) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// True where the stream begins with WebSocket frames because there is no HTTP in between.
    /// The credential then has to be a [`crate::Proof::Hello`].
    fn skips_handshake(&self) -> bool {
        false
    }
}

/// Plain TCP (`ws://`).
#[derive(Debug, Clone, Copy, Default)]
pub struct TcpConnector;

impl Connector for TcpConnector {
    type Stream = TcpStream;

    async fn connect(&self, url: &Uri) -> io::Result<TcpStream> {
        if url.scheme_str() != Some("ws") {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "only ws:// is supported; put TLS in a connector of your own",
            ));
        }
        let host = url.host().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the URL has no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, url.port_u16().unwrap_or(80))).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}
