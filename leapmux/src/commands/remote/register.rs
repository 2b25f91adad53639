//! `leapmux remote worker register`.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use crypto::{Algorithm, Mode};
use schema::wire::{
    CreateRegistrationKeyRequest, CreateRegistrationKeyResponse, WhoAmIRequest, WhoAmIResponse,
};

use super::Context;
use crate::remote::{
    device,
    registrations::{self, RegistrationKey},
};
use crate::say::say;

#[derive(Args)]
pub(super) struct Options {
    /// What people call the Worker
    #[arg(long, default_value = "")]
    name: String,
    /// The mode that the Worker is going to run
    #[arg(long, value_name = "MODE", default_value = "post-quantum")]
    encryption_mode: String,
}

/// Makes a key whose secret half the Hub never sees, and shows the command that uses it.
pub(super) async fn run(context: &Context, options: Options) -> anyhow::Result<ExitCode> {
    let me: WhoAmIResponse = context
        .hub
        .call("AccountService/WhoAmI", &WhoAmIRequest {})
        .await?;
    if !me.signed_in {
        bail!(
            "log in first: leapmux remote login --hub {}",
            context.hub.address().key()
        );
    }
    let key = RegistrationKey::generate();
    let request = request(context, &options, &key, &me.user_id)?;
    let made: CreateRegistrationKeyResponse = context
        .hub
        .call("WorkerService/CreateRegistrationKey", &request)
        .await?;
    registrations::keep(&context.folder, &key)?;
    show(context, &key, made.expires_unix_ms)?;
    Ok(ExitCode::SUCCESS)
}

fn request(
    context: &Context,
    options: &Options,
    key: &RegistrationKey,
    user: &str,
) -> anyhow::Result<CreateRegistrationKeyRequest> {
    let mode = Mode::resolve(&options.encryption_mode);
    let algorithm = Algorithm::for_mode(mode);
    let device_key = device::load(&context.folder)?.public_bytes(mode);
    let tag = crypto::device_tag(&key.secret, &key.id, user, algorithm, &device_key)?;
    Ok(CreateRegistrationKeyRequest {
        registration_id: key.id.clone(),
        device_algorithm: algorithm.byte().into(),
        device_key: device_key.into(),
        device_tag: tag.to_vec().into(),
        worker_name: options.name.clone(),
        organisation_id: String::new(),
    })
}

fn show(context: &Context, key: &RegistrationKey, expires_unix_ms: i64) -> anyhow::Result<()> {
    let hub = context.hub.address().key();
    let text = key.text();
    if context.json {
        let shown = serde_json::json!({
            "registration_key": *text,
            "hub": hub,
            "expires_unix_ms": expires_unix_ms,
        });
        say!("{}", serde_json::to_string_pretty(&shown)?);
        return Ok(());
    }
    say!("On the Worker's machine, within five minutes:\n");
    say!(
        "  leapmux worker --hub {hub} --registration-key-file - <<< {}\n",
        &**text
    );
    say!(
        "The key works once. Whoever has it becomes your Worker: send it over a channel you trust."
    );
    Ok(())
}
