//! `leapmux remote login` and `logout`.

use std::{
    io::{IsTerminal as _, Read as _},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use schema::wire::{WhoAmIRequest, WhoAmIResponse};
use zeroize::Zeroizing;

use super::Context;
use crate::remote::{hub::Hub, login as credentials};
use crate::say::say;

/// Longer than any token.
const TOKEN_MAX: u64 = 4096;

/// The token comes over standard input, so that it is no argument that others can see.
pub(super) async fn login(context: Context) -> anyhow::Result<ExitCode> {
    let token = read_token()?;
    let address = context.hub.address().clone();
    let hub = Hub::new(address.clone(), Some(token.clone()));
    let me: WhoAmIResponse = hub.call("AccountService/WhoAmI", &WhoAmIRequest {}).await?;
    if !me.signed_in {
        bail!("{} does not accept this access token", address.key());
    }
    credentials::keep(&context.folder, &address, &token)?;
    say!("Logged in to {}.", address.key());
    Ok(ExitCode::SUCCESS)
}

pub(super) fn logout(context: &Context) -> anyhow::Result<ExitCode> {
    if !credentials::forget(&context.folder, context.hub.address())? {
        bail!("there is no login for {}", context.hub.address().key());
    }
    say!("Logged out of {}.", context.hub.address().key());
    Ok(ExitCode::SUCCESS)
}

fn read_token() -> anyhow::Result<Zeroizing<String>> {
    let input = std::io::stdin();
    if input.is_terminal() {
        eprintln!("Paste the Hub's access token, then Enter and Ctrl+D:");
    }
    let mut text = Zeroizing::new(String::new());
    input
        .take(TOKEN_MAX)
        .read_to_string(&mut text)
        .context("standard input")?;
    let token = text.trim();
    if token.is_empty() {
        bail!("no access token came over standard input: leapmux remote login < access-token");
    }
    Ok(Zeroizing::new(token.to_owned()))
}
