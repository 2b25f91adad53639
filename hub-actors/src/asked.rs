//! A request, as a handler sees it: who asks, from where, and what becomes of the login cookie.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    abuse::Network,
    caller::{Caller, Kind, Presented},
    error::Refusal,
    notes::Author,
    scope::Scope,
    state::State,
    store::audit::Actor,
    token::SecretText,
};

/// Where a request came from.
#[derive(Debug, Clone, Default)]
pub(crate) struct From {
    pub(crate) address: Option<IpAddr>,
    /// What the client calls itself, cut to [`USER_AGENT_MAX`].
    pub(crate) user_agent: String,
}

/// Longer names of clients are cut.
pub(crate) const USER_AGENT_MAX: usize = 256;

impl From {
    /// The address as it is stored.
    pub(crate) fn address_text(&self) -> String {
        self.address
            .map_or_else(String::new, |address| address.to_string())
    }
}

/// What becomes of the caller's login cookie.
#[derive(Default)]
pub(crate) enum Cookie {
    /// Nothing.
    #[default]
    Kept,
    /// It holds this from now on.
    Set(SecretText),
    /// It goes.
    Cleared,
}

/// What has to be true of a caller before a method looks at its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing.
    Anyone,
    /// A live credential with this scope.
    Scope(Scope),
    /// A person at a browser, or the operator: no token of a program.
    Login,
    /// The same, and an admin of this Hub.
    Admin,
    /// A Worker's own token, which the handler looks at.
    Worker,
}

/// Whom a request comes from, within the limits of strangers and of users. A Worker's token is
/// nobody's credential: its methods look at it themselves.
pub(crate) async fn identify(
    state: &State,
    need: Need,
    presented: Presented,
    from: &From,
) -> Result<(Option<Caller>, Option<SecretText>), Refusal> {
    let network = Network::from(from.address);
    state.abuse.request(network)?;
    let (caller, bearer) = match (need, presented) {
        (Need::Worker, Presented::Bearer(token)) => (None, Some(SecretText::from(token))),
        (Need::Worker, _) => (None, None),
        (_, presented) => (state.caller(presented).await?, None),
    };
    if let Some(caller) = &caller {
        state.abuse.known(network, &caller.user)?;
    }
    Ok((caller, bearer))
}

/// One request.
pub(crate) struct Asked {
    pub(crate) state: Arc<State>,
    pub(crate) caller: Option<Caller>,
    pub(crate) from: From,
    /// The secret of `Authorization: Bearer`, for those methods that are a Worker's.
    pub(crate) bearer: Option<SecretText>,
    cookie: Mutex<Cookie>,
}

impl Asked {
    pub(crate) const fn new(
        state: Arc<State>,
        caller: Option<Caller>,
        from: From,
        bearer: Option<SecretText>,
    ) -> Self {
        Self {
            state,
            caller,
            from,
            bearer,
            cookie: Mutex::new(Cookie::Kept),
        }
    }

    /// Whoever asks.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotSignedIn`] for nobody.
    pub(crate) fn caller(&self) -> Result<&Caller, Refusal> {
        self.caller.as_ref().ok_or(Refusal::NotSignedIn)
    }

    /// Whether the caller may ask at all.
    pub(crate) fn meets(&self, need: Need) -> Result<(), Refusal> {
        match need {
            Need::Anyone | Need::Worker => Ok(()),
            Need::Scope(scope) if self.caller()?.scopes.has(scope) => Ok(()),
            Need::Scope(_) => Err(Refusal::OutOfScope),
            Need::Login if self.caller()?.is_person() => Ok(()),
            Need::Admin if self.caller()?.is_person() && self.caller()?.admin => Ok(()),
            Need::Admin if self.caller()?.is_person() => Err(Refusal::Forbidden),
            Need::Login | Need::Admin => Err(Refusal::OutOfScope),
        }
    }

    /// The same, but no child process with a delegation: a device that it named would outlive it.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotSignedIn`] for nobody, [`Refusal::OutOfScope`] for a delegation.
    pub(crate) fn unbound_caller(&self) -> Result<&Caller, Refusal> {
        let caller = self.caller()?;
        let unbound = caller.binding.is_none().then_some(caller);
        unbound.ok_or(Refusal::OutOfScope)
    }

    /// Who is written down as having done it.
    pub(crate) fn author(&self) -> Author {
        let (actor, id) = match &self.caller {
            None => (Actor::Anonymous, String::new()),
            Some(caller) if caller.kind == Kind::AccessToken => {
                (Actor::Operator, caller.user.as_str().to_owned())
            }
            Some(caller) => (Actor::User, caller.user.as_str().to_owned()),
        };
        let address = self.from.address_text();
        Author { actor, id, address }
    }

    /// Gives the caller a login cookie with the answer.
    pub(crate) fn set_cookie(&self, login: SecretText) {
        *self.cookie.lock().unwrap_or_else(PoisonError::into_inner) = Cookie::Set(login);
    }

    /// Takes the login cookie with the answer.
    pub(crate) fn clear_cookie(&self) {
        *self.cookie.lock().unwrap_or_else(PoisonError::into_inner) = Cookie::Cleared;
    }

    /// What becomes of the cookie, now that there is an answer.
    pub(crate) fn into_cookie(self) -> Cookie {
        self.cookie
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
