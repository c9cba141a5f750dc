//! `salon check-config`.

use crate::cli::CheckConfig;
use crate::config::{example, unknown_variables};

pub(crate) fn run(arguments: CheckConfig) -> anyhow::Result<()> {
    if let Some(format) = arguments.example {
        print!("{}", example(format));
        return Ok(());
    }
    let settings = arguments.settings.complete()?;
    settings.check()?;
    for name in unknown_variables() {
        println!("warning: nothing reads the variable {name}");
    }
    println!("data_dir = {:?}", settings.data_dir());
    println!("database = {:?}", settings.database()?);
    for address in settings.http_addrs() {
        println!("http_addr = {address}");
    }
    println!("ok");
    Ok(())
}
