//! The address of an account, which counts once a code that went there has come back.

use std::time::Duration;

use schema::{
    ids::UserId,
    wire::{
        ConfirmEmailRequest, ConfirmEmailResponse, RequestEmailChangeRequest,
        RequestEmailChangeResponse,
    },
};

use super::{fields, not_solo, profile};
use crate::{
    abuse::Network,
    asked::Asked,
    clock,
    error::{Fault, Field, Refusal, Unmet},
    mail::letters,
    notes::Author,
    state::State,
    store::{
        Connection,
        audit::{Actor, Object},
        mail_codes::{self, Code, Purpose},
        users::{self, Address},
    },
    token::{Purpose as Secret, SecretHash, SecretText},
};

/// How long a code is good that asks whether an address is somebody's.
const CONFIRM_WITHIN: Duration = Duration::from_secs(60 * 60);

/// A code on its way to a mailbox.
pub(super) struct NewCode {
    pub(super) secret: SecretText,
    hash: SecretHash,
    code: Code,
}

impl NewCode {
    /// One for this user at this address.
    pub(super) fn of(
        state: &State,
        user: UserId,
        email: String,
        within: Duration,
    ) -> Result<Self, Fault> {
        let secret = SecretText::from_random(Secret::MailCode, clock::random()?);
        let within_ms = i64::try_from(within.as_millis()).unwrap_or(i64::MAX);
        Ok(Self {
            hash: state.pepper.hash(Secret::MailCode, secret.expose()),
            secret,
            code: Code {
                user,
                email,
                expires_ms: clock::unix_ms().saturating_add(within_ms),
            },
        })
    }

    /// Keeps what is kept of it.
    pub(super) fn store(&self, conn: &mut Connection, purpose: Purpose) -> Result<(), Fault> {
        mail_codes::insert(conn, self.hash, purpose, &self.code, clock::unix_ms())
    }
}

/// Sends a code to another address; the one of before stays until it comes back.
pub(crate) async fn request_email_change(
    asked: &Asked,
    request: RequestEmailChangeRequest,
) -> Result<RequestEmailChangeResponse, Refusal> {
    let state = &asked.state;
    not_solo(state)?;
    let caller = asked.caller()?.clone();
    let email = fields::email(&request.email)?.ok_or(Refusal::Malformed(Field::Email))?;
    if !state.mailer.is_there() {
        return Err(Refusal::Unmet(Unmet::NoMail));
    }
    state.abuse.mail(&state.pepper, caller.user.as_str())?;
    state.abuse.mail(&state.pepper, &email)?;
    let proof = profile::confirm(asked, &caller, request.password).await?;
    let code = NewCode::of(state, caller.user.clone(), email.clone(), CONFIRM_WITHIN)?;
    let secret = code.secret.clone();
    state
        .order(asked.author(), move |conn, notes| {
            if !proof.holds(conn)? {
                return Ok(Err(Refusal::WrongPassword));
            }
            code.store(conn, Purpose::Confirm)?;
            notes.audit("user.email_requested", Object::User, caller.user.as_str());
            Ok(Ok(()))
        })
        .await?;
    let hub = &state.config.public_url;
    let letter = letters::confirm(hub, email, &caller.username, &secret);
    state.mailer.post(letter);
    Ok(RequestEmailChangeResponse {})
}

/// Asks somebody who has just signed up whether the address is theirs, where that can be asked.
pub(super) async fn ask_newcomer(
    asked: &Asked,
    user: UserId,
    username: &str,
    email: Option<String>,
) -> Result<(), Refusal> {
    let state = &asked.state;
    let Some(email) = email.filter(|_| state.mailer.is_there()) else {
        return Ok(());
    };
    // An address that has had too many mails gets no further one, and the account is there.
    if state.abuse.mail(&state.pepper, &email).is_err() {
        return Ok(());
    }
    let code = NewCode::of(state, user, email.clone(), CONFIRM_WITHIN)?;
    let secret = code.secret.clone();
    let stored = state
        .store
        .write(move |conn| code.store(conn, Purpose::Confirm).map(Ok::<_, Refusal>));
    stored.await??;
    let hub = &state.config.public_url;
    state
        .mailer
        .post(letters::confirm(hub, email, username, &secret));
    Ok(())
}

/// Takes the code from the mail: the address is the account's.
pub(crate) async fn confirm_email(
    asked: &Asked,
    request: ConfirmEmailRequest,
) -> Result<ConfirmEmailResponse, Refusal> {
    let state = &asked.state;
    not_solo(state)?;
    let code = presented(asked, &request.code, Purpose::Confirm).await?;
    let (hash, user) = (code.hash, code.code.user);
    let author = Author {
        actor: Actor::User,
        id: user.as_str().to_owned(),
        address: asked.from.address_text(),
    };
    let confirmed = state.order(author, move |conn, notes| {
        let taken = mail_codes::take(conn, hash, Purpose::Confirm, clock::unix_ms())?;
        let Some(code) = taken else {
            return Ok(Err(Refusal::WrongCode));
        };
        let Some(before) = users::address(conn, &code.user)? else {
            return Ok(Err(Refusal::WrongCode));
        };
        if !users::set_address(conn, &code.user, &code.email)? {
            return Ok(Err(Refusal::Exists));
        }
        // A link to the old mailbox opens nothing any more.
        mail_codes::forget(conn, &code.user, Purpose::Reset)?;
        notes.audit("user.email_confirmed", Object::User, code.user.as_str());
        Ok(Ok((code.email, before)))
    });
    let (email, before) = confirmed.await?;
    tell_old_address(state, &email, before);
    Ok(ConfirmEmailResponse { email })
}

fn tell_old_address(state: &State, email: &str, before: Address) {
    if let Some(old) = before.verified.filter(|old| old != email) {
        let hub = &state.config.public_url;
        let letter = letters::address_changed(hub, old, &before.username);
        state.mailer.post(letter);
    }
}

/// A code that somebody presents.
pub(super) struct Presented {
    pub(super) hash: SecretHash,
    pub(super) code: Code,
}

/// What a presented code stands for. Wrong ones count as failed sign-ins.
pub(super) async fn presented(
    asked: &Asked,
    secret: &str,
    purpose: Purpose,
) -> Result<Presented, Refusal> {
    let state = &asked.state;
    let network = Network::from(asked.from.address);
    state.abuse.sign_in(network)?;
    let hash = state.pepper.hash(Secret::MailCode, secret);
    let found = state
        .store
        .run_for_stranger(move |conn| mail_codes::find(conn, hash, purpose, clock::unix_ms()));
    let code = found.await?.ok_or(Refusal::WrongCode)?;
    state.abuse.forgive(network);
    Ok(Presented { hash, code })
}
