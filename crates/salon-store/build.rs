//! Generates the stored form of entries from `proto/` with a compiler in pure Rust, so that nobody needs `protoc`.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=src/sqlite/migrations");
    prost_build::Config::new().compile_fds(protox::compile(["salon/store/v1/body.proto"], ["proto"])?)?;
    Ok(())
}
