//! `leapmux remote login --device-code`: a person types a code into a browser anywhere (RFC 8628).

use std::time::Duration;

use anyhow::bail;
use http::StatusCode;
use prost::Message as _;
use schema::wire::{
    PollDeviceLoginRequest, PollDeviceLoginResponse, StartDeviceLoginRequest,
    StartDeviceLoginResponse, TokenPair,
};
use tokio::time::sleep;

use crate::remote::device;
use crate::remote::{address::Address, channel::plain, hub::Hub};

/// Added to the pause whenever the Hub says that it is too short.
const SLOWER: Duration = Duration::from_secs(5);
/// Longer than any Hub lets a login wait.
const PATIENCE: Duration = Duration::from_mins(15);
const METHOD: &str = "TokenService/PollDeviceLogin";

pub(super) async fn run(address: &Address) -> anyhow::Result<TokenPair> {
    let hub = Hub::anonymous(address.clone());
    let asked = StartDeviceLoginRequest {
        client: device::machine(),
    };
    let started: StartDeviceLoginResponse =
        hub.call("TokenService/StartDeviceLogin", &asked).await?;
    eprintln!(
        "Open {}{} in a browser and type this code:\n\n    {}\n",
        address.key(),
        plain(&started.verification_path),
        plain(&started.user_code)
    );
    let question = PollDeviceLoginRequest {
        device_code: started.device_code,
    };
    let pause = Duration::from_secs(started.interval_seconds.into());
    let asked = ask_until_answered(&hub, question.encode_to_vec(), pause);
    tokio::time::timeout(PATIENCE, asked)
        .await
        .unwrap_or_else(|_| {
            bail!("nobody typed the code in time: run 'leapmux remote login --device-code' again")
        })
}

async fn ask_until_answered(
    hub: &Hub,
    question: Vec<u8>,
    mut pause: Duration,
) -> anyhow::Result<TokenPair> {
    loop {
        sleep(pause).await;
        let Ok((status, body)) = hub.ask(METHOD, question.clone()).await else {
            // The Hub may be back before the code is too old.
            pause += SLOWER;
            continue;
        };
        match status {
            StatusCode::OK => {
                let answer = PollDeviceLoginResponse::decode(body)?;
                if let Some(tokens) = answer.tokens {
                    return Ok(tokens);
                }
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => pause += SLOWER,
            _ => return Err(hub.not_served(METHOD, status, &body).into()),
        }
    }
}
