//! A forgotten password: a link to the verified address, and what it opens.
//!
//! Whether there is such an address is looked up after the answer, so that neither its words nor its
//! time tell.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use schema::wire::{
    RequestPasswordResetRequest, RequestPasswordResetResponse, ResetPasswordRequest,
    ResetPasswordResponse,
};
use tokio::sync::mpsc;

use super::{
    email::{self, NewCode},
    ending::{self, Which},
    fields, guess, not_solo,
    password::Password,
};
use crate::{
    abuse::Network,
    asked::Asked,
    clock,
    error::{Field, Refusal, Unmet},
    mail::letters,
    notes::Author,
    state::State,
    store::{
        audit::{Actor, Object},
        ledger::Reason,
        mail_codes::{self, Purpose},
        users,
    },
};

/// How long a link is good.
const RESET_WITHIN: Duration = Duration::from_secs(30 * 60);
/// Wishes that may wait to be looked at.
const QUEUE: usize = 256;

/// Somebody who has forgotten the password of whoever has this address.
pub(crate) struct Wish {
    email: String,
    /// Where the wish came from.
    address: String,
}

/// Where wishes are left.
pub(crate) type Wishes = mpsc::Sender<Wish>;

/// Where wishes are left, and where they come out.
pub(crate) fn queue() -> (Wishes, mpsc::Receiver<Wish>) {
    mpsc::channel(QUEUE)
}

/// Looks at them, one by one, until the Hub ends: the task is its actix system's.
pub(crate) fn keep(state: &Arc<State>, mut wishes: mpsc::Receiver<Wish>) {
    let state: Weak<State> = Arc::downgrade(state);
    actix_rt::spawn(async move {
        while let Some(wish) = wishes.recv().await {
            let Some(state) = state.upgrade() else {
                return;
            };
            // A failing database was logged; its user asks again.
            let _posted = grant(&state, wish).await;
        }
    });
}

async fn grant(state: &State, wish: Wish) -> Result<(), Refusal> {
    let Wish { email, address } = wish;
    let found = state
        .store
        .run(move |conn| users::by_verified_email(conn, &email).map(|user| (user, email)));
    let (Some((user, username)), email) = found.await? else {
        return Ok(());
    };
    let code = NewCode::of(state, user.clone(), email.clone(), RESET_WITHIN)?;
    let secret = code.secret.clone();
    let author = Author {
        actor: Actor::Anonymous,
        id: String::new(),
        address,
    };
    state
        .order(author, move |conn, notes| {
            code.store(conn, Purpose::Reset)?;
            notes.audit("user.reset_requested", Object::User, user.as_str());
            Ok(Ok(()))
        })
        .await?;
    let hub = &state.config.public_url;
    state
        .mailer
        .post(letters::reset(hub, email, &username, &secret));
    Ok(())
}

/// Sends a link to the verified address of an account, if there is one.
pub(crate) async fn request_password_reset(
    asked: &Asked,
    request: RequestPasswordResetRequest,
) -> Result<RequestPasswordResetResponse, Refusal> {
    let state = &asked.state;
    not_solo(state)?;
    let email = fields::email(&request.email)?.ok_or(Refusal::Malformed(Field::Email))?;
    if !state.mailer.is_there() {
        return Err(Refusal::Unmet(Unmet::NoMail));
    }
    state.abuse.reset(Network::from(asked.from.address))?;
    state.abuse.mail(&state.pepper, &email)?;
    let wish = Wish {
        email,
        address: asked.from.address_text(),
    };
    // With too many before it the wish is lost, and its user asks again.
    let _full = state.wishes.try_send(wish);
    Ok(RequestPasswordResetResponse {})
}

/// Sets another password by the code from the mail, and ends whatever was let in by the old one.
pub(crate) async fn reset_password(
    asked: &Asked,
    request: ResetPasswordRequest,
) -> Result<ResetPasswordResponse, Refusal> {
    let state = &asked.state;
    not_solo(state)?;
    let password = Password::chosen(request.new_password)?;
    let presented = email::presented(asked, &request.code, Purpose::Reset).await?;
    let hash = state.passwords.hash(password).await?;
    let author = Author {
        actor: Actor::User,
        id: presented.code.user.as_str().to_owned(),
        address: asked.from.address_text(),
    };
    let changed = state.order(author, move |conn, notes| {
        let now_ms = clock::unix_ms();
        let Some(code) = mail_codes::take(conn, presented.hash, Purpose::Reset, now_ms)? else {
            return Ok(Err(Refusal::WrongCode));
        };
        let user = code.user;
        // The mailbox has to be the account's still.
        let address = users::address(conn, &user)?;
        let address = address.filter(|address| address.verified.as_ref() == Some(&code.email));
        let Some(address) = address else {
            return Ok(Err(Refusal::WrongCode));
        };
        users::set_password(conn, &user, &hash)?;
        notes.audit("user.password_reset", Object::User, user.as_str());
        let all = (Which::All, None);
        ending::end(conn, notes, &user, all, Reason::PasswordChanged, now_ms)?;
        Ok(Ok((address.username, code.email)))
    });
    let (username, email) = changed.await?;
    guess::forget(state, &username);
    let hub = &state.config.public_url;
    state
        .mailer
        .post(letters::password_changed(hub, email, &username));
    Ok(ResetPasswordResponse {})
}
