//! `leapmux remote login` and `logout`.

use std::{
    io::{IsTerminal as _, Read as _},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use clap::Args;
use schema::wire::{
    RevokeApiTokenRequest, RevokeApiTokenResponse, TokenPair, WhoAmIRequest, WhoAmIResponse,
};
use zeroize::Zeroizing;

use super::{Context, browser_login, device_login};
use crate::remote::{
    channel::plain,
    hub::Hub,
    login::{self as credentials, Login, Pair},
};
use crate::say::say;

#[derive(Args)]
pub(super) struct Options {
    /// By a browser on this machine; the default at a terminal
    #[arg(long)]
    browser: bool,
    /// By a browser anywhere: shows a code to be typed there
    #[arg(long, conflicts_with = "browser")]
    device_code: bool,
    /// With the Hub's access token from standard input; the default where that is no terminal
    #[arg(long, conflicts_with_all = ["browser", "device_code"])]
    token_stdin: bool,
}

/// Longer than any token.
const TOKEN_MAX: u64 = 4096;

pub(super) async fn login(context: Context, options: Options) -> anyhow::Result<ExitCode> {
    if options.device_code {
        let tokens = device_login::run(context.hub.address()).await?;
        return keep(&context, tokens).await;
    }
    if options.browser || (!options.token_stdin && std::io::stdin().is_terminal()) {
        let tokens = browser_login::run(context.hub.address()).await?;
        return keep(&context, tokens).await;
    }
    with_token(&context).await
}

async fn keep(context: &Context, tokens: TokenPair) -> anyhow::Result<ExitCode> {
    let address = context.hub.address();
    let username = plain(&tokens.username);
    replace(context, &Login::Pair(tokens.into())).await?;
    say!("Logged in to {} as {username}.", address.key());
    Ok(ExitCode::SUCCESS)
}

/// The token comes over standard input, so that it is no argument that others can see.
async fn with_token(context: &Context) -> anyhow::Result<ExitCode> {
    let token = read_token()?;
    let address = context.hub.address().clone();
    let hub = Hub::with_token(address.clone(), token.clone());
    let me: WhoAmIResponse = hub.call("AccountService/WhoAmI", &WhoAmIRequest {}).await?;
    if !me.signed_in {
        bail!("{} does not accept this access token", address.key());
    }
    replace(context, &Login::Token(token.to_string())).await?;
    say!("Logged in to {}.", address.key());
    Ok(ExitCode::SUCCESS)
}

/// Keeps a login in place of the one that was made before, which nobody would end any more.
async fn replace(context: &Context, login: &Login) -> anyhow::Result<()> {
    let address = context.hub.address();
    let before = credentials::find(&context.folder, address)?;
    credentials::keep(&context.folder, address, login)?;
    if let Some(pair) = before.as_ref().and_then(Login::pair) {
        end(context, pair).await;
    }
    Ok(())
}

/// Ends what was made for this device. An access token is the Hub's own, and only forgotten.
pub(super) async fn logout(context: &Context) -> anyhow::Result<ExitCode> {
    let address = context.hub.address();
    let Some(login) = credentials::find(&context.folder, address)? else {
        bail!("there is no login for {}", address.key());
    };
    if let Some(pair) = login.pair() {
        end(context, pair).await;
    }
    credentials::forget(&context.folder, address)?;
    say!("Logged out of {}.", address.key());
    Ok(ExitCode::SUCCESS)
}

/// Ends a login at the Hub, if that can be done.
async fn end(context: &Context, pair: &Pair) {
    let request = RevokeApiTokenRequest {
        token_id: pair.token_id.clone(),
    };
    let method = "TokenService/RevokeApiToken";
    let ended: Result<RevokeApiTokenResponse, _> = context.hub.call(method, &request).await;
    if let Err(error) = ended.map_err(anyhow::Error::from) {
        eprintln!(
            "leapmux: the Hub was not told of the end of a login, and may take it for good for some \
             days: {error}"
        );
    }
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
