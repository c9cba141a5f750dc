//! One file per family of commands.

mod check_config;
mod local;
mod remote;
mod serve;

use crate::cli::{Command, Room, Token, User};

pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(settings) => serve::run(*settings).await,
        Command::User(User::Add(arguments)) => local::add_user(arguments).await,
        Command::Token(Token::Create(arguments)) => local::create_token(arguments).await,
        Command::Room(Room::Create(arguments)) => local::create_room(arguments).await,
        Command::Tail(arguments) => remote::tail(arguments).await,
        Command::Send(arguments) => remote::send(arguments).await,
        Command::CheckConfig(arguments) => check_config::run(*arguments),
    }
}
