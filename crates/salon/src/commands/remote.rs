//! `salon tail|send`: a client of a running server, like any other.

use std::time::Duration;

use anyhow::{Context, bail};
use salon_client::{Client, ClientConfig, ConnectionState, Credential, Event, Events, JoinFrom};
use salon_proto::v1::entry::Body;
use salon_proto::v1::{Entry, server_frame};
use salon_proto::{json, v1};

use crate::cli::{Remote, Send, Tail};
use crate::config::BadConfig;

/// A script gets its error after this long; once it was connected, a client tries for as long as it runs.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) async fn tail(arguments: Tail) -> anyhow::Result<()> {
    let (client, mut events) = connect(&arguments.remote).await?;
    client
        .join_from(&arguments.room, JoinFrom::Last(arguments.last))
        .await
        .with_context(|| format!("cannot join {:?}", arguments.room))?;
    while let Some(event) = events.next().await {
        match event {
            Event::Entry(entry) if arguments.json => {
                let frame = v1::ServerFrame { id: None, event: Some(server_frame::Event::Entry(*entry)) };
                println!("{}", json::print_server(&frame)?);
            }
            Event::Entry(entry) => print_entry(&entry),
            Event::Gap { .. } => eprintln!("salon: entries are missing here; the history has what may still be seen"),
            Event::Lost { error, .. } => bail!("the room is lost: {}", error.message),
            Event::Connection(ConnectionState::Waiting { .. }) => eprintln!("salon: the connection was lost; trying again"),
            Event::Connection(_)
            | Event::Joined { .. }
            | Event::CaughtUp(_)
            | Event::Presence(_)
            | Event::Typing(_)
            | Event::Read(_)
            | Event::Signal(_)
            | Event::Location(_)
            | Event::Activity(_)
            | Event::Error(_) => {}
        }
    }
    bail!("the server ended the connection for good")
}

pub(crate) async fn send(arguments: Send) -> anyhow::Result<()> {
    let (client, mut events) = connect(&arguments.remote).await?;
    let sending = async {
        client
            .join_from(&arguments.room, JoinFrom::Last(0))
            .await
            .with_context(|| format!("cannot join {:?}", arguments.room))?;
        client.say(&arguments.room, &arguments.text).await.context("the message was not acknowledged")
    };
    // Events nobody reads would hold up the answers behind them.
    let reading = async { while events.next().await.is_some() {} };
    let sent = tokio::select! {
        biased;
        sent = sending => sent,
        () = reading => Err(anyhow::anyhow!("the server ended the connection for good")),
    };
    client.close().await;
    println!("{}", sent?.id);
    Ok(())
}

async fn connect(remote: &Remote) -> anyhow::Result<(Client, Events)> {
    let Some(token) = remote.token.clone() else {
        return Err(BadConfig::new(
            "SALON_TOKEN",
            "",
            "set it to an access token: export SALON_TOKEN=$(salon token create EMAIL)",
        )
        .into());
    };
    let url = websocket_url(&remote.url)?;
    let connecting = Client::connect(ClientConfig::new(url, Credential::Token(token)));
    let connected = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await;
    let connected = connected.with_context(|| format!("nobody answers at {}: does the server run there?", remote.url))?;
    connected.with_context(|| format!("cannot connect to {}", remote.url))
}

/// `http://host/path` → `ws://host/path/ws`.
fn websocket_url(url: &str) -> Result<String, BadConfig> {
    let trimmed = url.trim_end_matches('/');
    match trimmed.split_once("://") {
        Some(("http" | "ws", rest)) => Ok(format!("ws://{rest}/ws")),
        Some(_) | None => Err(BadConfig::new("url", url, "write http://HOST:PORT, as the server printed it")),
    }
}

fn print_entry(entry: &Entry) {
    // 15:04 of 2026-11-20T15:04:05.678Z
    let time = entry.timestamp.get(11..16).unwrap_or_default();
    let name = plain(&entry.name);
    match &entry.body {
        Some(Body::Message(message)) if message.deleted => println!("{time} {name} (deleted)"),
        Some(Body::Message(message)) => println!("{time} {name}: {}", plain(&message.content)),
        Some(Body::Edit(edit)) => println!("{time} {name} (edited): {}", plain(&edit.content)),
        Some(Body::Member(change)) => println!("{time} * {} {}", plain(&change.target_name), change.change),
        Some(_) | None => {}
    }
}

/// Text of others must not steer the terminal: control characters, line breaks aside, are shown as a replacement.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_address_leads_to_the_socket() {
        assert_eq!(websocket_url("http://127.0.0.1:8080/").unwrap(), "ws://127.0.0.1:8080/ws");
        assert_eq!(websocket_url("http://host/chat").unwrap(), "ws://host/chat/ws");
        assert!(websocket_url("host:8080").is_err());
    }

    #[test]
    fn a_message_does_not_steer_the_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\nc"), "a\u{fffd}[2Jb\nc");
    }
}
