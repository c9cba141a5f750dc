//! The `salon` binary: command line, configuration, wiring, shutdown. What the server *does* is in the other crates.

#[cfg(feature = "ui")]
mod assets;
mod banner;
mod cli;
mod commands;
mod config;
mod entropy;
mod open_files;
mod telemetry;
mod wiring;

use std::process::ExitCode;

/// A bad configuration, told apart so that a script can tell (PROTOCOL §8).
const EXIT_BAD_CONFIG: u8 = 2;

fn main() -> ExitCode {
    // `.env` fills in what the environment does not say; a broken one is told below, with everything else.
    let dotenv = config::load_dotenv();
    let arguments = cli::parse();
    telemetry::start(&arguments.log);
    match dotenv.and_then(|()| run(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("salon: {error:#}");
            let bad_config = error.downcast_ref::<config::BadConfig>().is_some();
            ExitCode::from(if bad_config { EXIT_BAD_CONFIG } else { 1 })
        }
    }
}

fn run(arguments: cli::Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(commands::run(arguments.command));
    // What still runs on blocking threads (a password hash, a page build) must not hold up the exit.
    runtime.shutdown_background();
    result
}
