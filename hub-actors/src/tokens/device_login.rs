//! The command line's login by a browser anywhere (RFC 8628): the command line shows a code, a
//! person types it where he is signed in, and the command line asks until he has.

use std::time::Duration;

use schema::{
    ids::UserId,
    wire::{
        DecideDeviceLoginRequest, DecideDeviceLoginResponse, DescribeDeviceLoginRequest,
        DescribeDeviceLoginResponse, PollDeviceLoginRequest, PollDeviceLoginResponse,
        StartDeviceLoginRequest, StartDeviceLoginResponse, TokenPair,
    },
};

use super::{
    api_tokens::{as_user, insert, new_family},
    label,
    pair::after,
    spent,
};
use crate::{
    asked::Asked,
    clock,
    error::{Fault, Field, Quota, Refusal, Unmet},
    scope::Scopes,
    store::{
        audit::Object,
        command_line::{self, Decision, DeviceLogin},
        credentials, users,
    },
    token::{Purpose, SecretHash, SecretText},
};

/// Where the page takes a code.
const VERIFICATION_PATH: &str = "/device";
/// Logins of all the world that may wait for a person.
const WAITING_MAX: i64 = 10_000;

/// A code for the command line, and one for a person.
pub(crate) async fn start_device_login(
    asked: &Asked,
    request: StartDeviceLoginRequest,
) -> Result<StartDeviceLoginResponse, Refusal> {
    let state = &asked.state;
    let client = label(&request.client, Field::Client)?;
    state.tries.start(asked.from.address.into())?;
    let device = SecretText::from_random(Purpose::DeviceCode, clock::random()?);
    let typed = user_code(clock::random)?;
    let hashes = (
        state.pepper.hash(Purpose::DeviceCode, device.expose()),
        state.pepper.hash(Purpose::UserCode, &typed),
    );
    let now_ms = clock::unix_ms();
    let times = &state.config.timeouts;
    let new = DeviceLogin {
        client,
        address: asked.from.address_text(),
        expires_ms: after(now_ms, times.device_login_ms),
        decision: Decision::Pending,
        polled_ms: 0,
    };
    let expires_unix_ms = new.expires_ms;
    let started = state.store.write(move |conn| {
        if !command_line::make_room(conn, WAITING_MAX, now_ms)? {
            return Ok(Err(spent(
                Quota::CommandLineLogins,
                Duration::from_secs(60),
            )));
        }
        let started = command_line::start_device_login(conn, hashes, &new, now_ms)?;
        // Two of 20^8 that are the same: whoever came second asks again.
        let refusal = Refusal::Unavailable(Duration::from_secs(1));
        Ok(started.then_some(()).ok_or(refusal))
    });
    started.await??;
    let (first, second) = typed.split_at(CODE_LEN / 2);
    Ok(StartDeviceLoginResponse {
        device_code: device.expose().to_owned(),
        user_code: format!("{first}-{second}"),
        verification_path: VERIFICATION_PATH.to_owned(),
        expires_unix_ms,
        interval_seconds: u32::try_from(times.device_poll_ms.div_ceil(1_000)).unwrap_or(u32::MAX),
    })
}

/// What a typed code would let in.
pub(crate) async fn describe_device_login(
    asked: &Asked,
    request: DescribeDeviceLoginRequest,
) -> Result<DescribeDeviceLoginResponse, Refusal> {
    let typed = typed(asked, &request.user_code)?;
    let found = asked
        .state
        .store
        .run(move |conn| command_line::typed(conn, typed, clock::unix_ms()))
        .await?;
    let login = found
        .filter(|login| login.decision == Decision::Pending)
        .ok_or(Refusal::WrongCode)?;
    Ok(DescribeDeviceLoginResponse {
        client: login.client,
        address: login.address,
        expires_unix_ms: login.expires_ms,
    })
}

/// Lets it in to the caller's own account, or tells it no.
pub(crate) async fn decide_device_login(
    asked: &Asked,
    request: DecideDeviceLoginRequest,
) -> Result<DecideDeviceLoginResponse, Refusal> {
    let typed = typed(asked, &request.user_code)?;
    let (user, credential) = {
        let caller = asked.caller()?;
        (caller.user.clone(), caller.credential.clone())
    };
    let (approve, now_ms) = (request.approve, clock::unix_ms());
    let order = asked.state.order(asked.author(), move |conn, notes| {
        let approved_by = approve.then_some((&user, &credential));
        if !command_line::decide(conn, typed, approved_by, now_ms)? {
            return Ok(Err(Refusal::WrongCode));
        }
        let action = if approve {
            "command_line.authorised"
        } else {
            "command_line.declined"
        };
        notes.audit(action, Object::User, user.as_str());
        Ok(Ok(()))
    });
    order.await?;
    Ok(DecideDeviceLoginResponse {})
}

/// The hash of what the caller typed, if the caller may try yet another.
fn typed(asked: &Asked, text: &str) -> Result<SecretHash, Refusal> {
    asked.state.tries.code(&asked.caller()?.user)?;
    let code = read_user_code(text).ok_or(Refusal::WrongCode)?;
    Ok(asked.state.pepper.hash(Purpose::UserCode, &code))
}

/// Whether a person has said something.
pub(crate) async fn poll_device_login(
    asked: &Asked,
    request: PollDeviceLoginRequest,
) -> Result<PollDeviceLoginResponse, Refusal> {
    let state = &asked.state;
    if request.device_code.len() > 256 {
        return Err(Refusal::WrongCode);
    }
    let device = state.pepper.hash(Purpose::DeviceCode, &request.device_code);
    let now_ms = clock::unix_ms();
    let found = state
        .store
        .run_for_stranger(move |conn| command_line::polled(conn, device, now_ms));
    let login = found.await?.ok_or(Refusal::WrongCode)?;
    let every_ms = state.config.timeouts.device_poll_ms;
    if login.polled_ms > 0 && now_ms < after(login.polled_ms, every_ms) {
        return Err(spent(Quota::Polls, Duration::from_millis(every_ms)));
    }
    match login.decision {
        Decision::Pending => {
            let noted = state
                .store
                .run(move |conn| command_line::note_polled(conn, device, now_ms));
            noted.await?;
            Ok(PollDeviceLoginResponse {
                pending: true,
                tokens: None,
            })
        }
        Decision::Declined => {
            let ended = state
                .store
                .run(move |conn| command_line::end_device_login(conn, device));
            ended.await?;
            Err(Refusal::Unmet(Unmet::Declined))
        }
        Decision::Approved(user, _) => {
            let tokens = let_in(asked, device, user, login.client, now_ms).await?;
            Ok(PollDeviceLoginResponse {
                pending: false,
                tokens: Some(tokens),
            })
        }
    }
}

async fn let_in(
    asked: &Asked,
    device: SecretHash,
    user: UserId,
    client: String,
    now_ms: i64,
) -> Result<TokenPair, Refusal> {
    let author = as_user(asked, &user);
    let (family, pair) = new_family(asked, user, client, Scopes::ALL, now_ms)?;
    let (new, stored) = (family.clone(), pair.stored.clone());
    let quota = i64::from(asked.state.config.quotas.api_tokens_per_user);
    let order = asked.state.order(author, move |conn, notes| {
        // Of two that poll at once, one is let in. Whoever agreed may have been shown out since.
        let waits = command_line::polled(conn, device, now_ms)?;
        let is_good = match waits.map(|login| login.decision) {
            Some(Decision::Approved(user, credential)) => {
                user == new.user && credentials::is_live(conn, &credential, now_ms)?
            }
            Some(Decision::Pending | Decision::Declined) | None => false,
        };
        let user = users::find_enabled(conn, &new.user)?;
        let Some(user) = user.filter(|_| is_good) else {
            return Ok(Err(Refusal::WrongCode));
        };
        command_line::end_device_login(conn, device)?;
        let inserted = insert(conn, notes, (&new, &stored), quota, now_ms)?;
        Ok(inserted.map(|()| user.username))
    });
    let username = order.await?;
    Ok(pair.hand_over(&family.id, Scopes::ALL, username))
}

/// Letters that make no words and are not taken for others (RFC 8628, 6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const CODE_LEN: usize = 8;

/// Eight letters, each as likely as any other.
fn user_code(mut random: impl FnMut() -> Result<[u8; 32], Fault>) -> Result<String, Fault> {
    let mut code = String::with_capacity(CODE_LEN);
    while code.len() < CODE_LEN {
        let fair = random()?.into_iter().filter(|byte| *byte < 240);
        let letters = fair.filter_map(|byte| LETTERS.get(usize::from(byte) % LETTERS.len()));
        code.extend(
            letters
                .take(CODE_LEN - code.len())
                .map(|letter| char::from(*letter)),
        );
    }
    Ok(code)
}

/// What a person typed, however he parted and wrote it.
fn read_user_code(text: &str) -> Option<String> {
    let letters = text.chars().filter(|one| !matches!(one, '-' | ' '));
    let code: String = letters.take(CODE_LEN + 1).collect();
    let code = code.to_ascii_uppercase();
    let fits = code.len() == CODE_LEN && code.bytes().all(|byte| LETTERS.contains(&byte));
    fits.then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        for text in ["BCDF-GHJK", "bcdfghjk", " bcdf ghjk ", "b-c-d-f-g-h-j-k"] {
            assert_eq!(read_user_code(text).as_deref(), Some("BCDFGHJK"), "{text}");
        }
        for text in [
            "",
            "BCDF-GHJ",
            "BCDF-GHJKL",
            "ACDF-GHJK",
            "BCDF-GHJ1",
            "ßßßß",
        ] {
            assert_eq!(read_user_code(text), None, "{text}");
        }
    }

    #[test]
    fn bytes_that_would_favour_a_letter_are_left_out() {
        let mut rounds = 0_u8;
        let code = user_code(|| {
            rounds += 1;
            let mut bytes = [255; 32];
            bytes[..4].copy_from_slice(&[0, 19, 20, 239]);
            Ok(bytes)
        });
        assert_eq!((code.unwrap().as_str(), rounds), ("BZBZBZBZ", 2));
    }
}
