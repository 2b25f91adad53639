//! Generates the Rust types of `proto/leapmux/v1/*.proto`, without protoc.

use std::{env, error::Error, fs, path::PathBuf};

use protox::prost::Message as _;

const FILES: [&str; 11] = [
    "proto/leapmux/v1/channel.proto",
    "proto/leapmux/v1/worker.proto",
    "proto/leapmux/v1/accounts.proto",
    "proto/leapmux/v1/organisations.proto",
    "proto/leapmux/v1/workspaces.proto",
    "proto/leapmux/v1/workers.proto",
    "proto/leapmux/v1/tokens.proto",
    "proto/leapmux/v1/administration.proto",
    "proto/leapmux/v1/events.proto",
    "proto/leapmux/v1/services.proto",
    "proto/leapmux/v1/delegation.proto",
];

#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script by the environment"
)]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    let encoded = descriptors.encode_to_vec();
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), &encoded)?;
    tonic_prost_build::configure()
        // `WorkerLink.Connect` would collide with the generated `connect(endpoint)`.
        .build_transport(false)
        .bytes(".")
        .boxed("leapmux.v1.DelegationAnswer.body.delegated")
        .compile_fds(descriptors)?;
    pbjson_build::Builder::new()
        .register_descriptors(&encoded)?
        .build(&[".leapmux.v1"])?;
    Ok(())
}
