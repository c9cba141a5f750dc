//! `cargo xtask …`: the project's own commands, so that nobody has to remember a script.

mod codegen;
mod dev;
mod prerequisites;
mod program;
mod test;
mod tidy;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Salon's own development commands")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run every test: style, units, black box, simulation, browser. Installs what is missing where it can.
    Test(test::Options),
    /// Check the house rules: imports between crates, sizes, freshness of generated files, forbidden words.
    Tidy,
    /// Write the generated files again.
    Codegen,
    /// Run the server and the page with live reload.
    Dev,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Test(options) => test::run(&options),
        Command::Tidy => tidy::run(),
        Command::Codegen => codegen::write(),
        Command::Dev => dev::run(),
    }
}
