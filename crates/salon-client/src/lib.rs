//! A client of Salon's WebSocket protocol that reconnects and resumes by itself.
//!
//! ```no_run
//! # async fn example() -> Result<(), salon_client::Error> {
//! use salon_client::{Client, ClientConfig, Credential, Event};
//!
//! let config = ClientConfig::new("ws://localhost:8080/ws", Credential::Token("…".into()));
//! let (client, mut events) = Client::connect(config).await?;
//! client.join("general").await?;
//! client.say("general", "hello").await?;
//! while let Some(event) = events.next().await {
//!     if let Event::Entry(entry) = event {
//!         println!("{} wrote entry {}", entry.name, entry.seq);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//!
//! - **Back-pressure.** Events wait in a bounded queue. While the application does not take them, the socket is not
//!   read, so the server's flow control works end to end. Acknowledgements come over the same socket: an application
//!   has to go on taking events while it waits for one.
//! - **Resumption.** After a lost connection it reconnects with full-jitter exponential back-off (close codes permitting)
//!   and continues every joined room behind the last entry that it has seen. What cannot be continued is said aloud: [`Event::Gap`].
//! - **Each entry once, in order**: what the server repeats is dropped by position.
//! - **Commands survive reconnection**: unanswered ones are sent again in their order, messages under the same `client_id`.
//!
//! The logic is a state machine without sockets and timers (`machine`); the driver around it owns the one task.

mod backoff;
mod client;
mod config;
mod connector;
mod driver;
mod error;
mod event;
mod handshake;
mod machine;

pub use backoff::Backoff;
pub use client::{Client, Events, JoinFrom};
pub use config::{ClientConfig, Credential, CredentialError, CredentialProvider, Proof, SystemClock, SystemRandomness, Tap};
pub use connector::{Connector, TcpConnector};
pub use error::{Error, StopReason};
pub use event::{ConnectionState, Event, Missing};
