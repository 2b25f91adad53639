//! What the Hub writes to people: plain text, and a link whose secret stands behind `#`, which no
//! browser sends to a server and no proxy writes down.

use crate::token::SecretText;

/// One letter. Its text may hold a code: never printed.
pub(crate) struct Letter {
    pub(crate) to: String,
    pub(crate) subject: &'static str,
    pub(crate) text: SecretText,
}

/// Asks whether an address is somebody's.
pub(crate) fn confirm(hub: &str, to: String, username: &str, code: &SecretText) -> Letter {
    let text = format!(
        "Somebody, hopefully you, gave this address for the account {username} at {hub}.\n\n\
         If it was you, confirm it within an hour:\n\n\
         {hub}/confirm#{code}\n\n\
         If it was not, do nothing: the address is then not used.\n",
        code = code.expose(),
    );
    letter(to, "Confirm your e-mail address", text)
}

/// Lets somebody choose another password.
pub(crate) fn reset(hub: &str, to: String, username: &str, code: &SecretText) -> Letter {
    let text = format!(
        "Somebody, hopefully you, has forgotten the password of the account {username} at {hub}.\n\n\
         Choose another one within 30 minutes:\n\n\
         {hub}/reset#{code}\n\n\
         All logins and tokens of the account end with it. If it was not you, do nothing.\n",
        code = code.expose(),
    );
    letter(to, "Choose another password", text)
}

/// Tells the address of before that it is not the account's any more.
pub(crate) fn address_changed(hub: &str, to: String, username: &str) -> Letter {
    let text = format!(
        "The account {username} at {hub} has another e-mail address now.\n\n\
         If that was not you, change the password and tell whoever runs the Hub.\n"
    );
    letter(to, "Your e-mail address was changed", text)
}

/// Tells that the password is another.
pub(crate) fn password_changed(hub: &str, to: String, username: &str) -> Letter {
    let text = format!(
        "The password of the account {username} at {hub} was changed, and all other logins ended.\n\n\
         If that was not you, choose another one at {hub}/reset and tell whoever runs the Hub.\n"
    );
    letter(to, "Your password was changed", text)
}

/// Tells that there is one more way in.
pub(crate) fn linked(hub: &str, to: String, username: &str, provider: &str) -> Letter {
    let text = format!(
        "The account {username} at {hub} can be signed in to with an account at {provider} now.\n\n\
         If that was not you, unlink it at {hub}/settings/account, change the password and tell whoever \
         runs the Hub.\n"
    );
    letter(to, "Another account was linked to yours", text)
}

fn letter(to: String, subject: &'static str, text: String) -> Letter {
    Letter {
        to,
        subject,
        text: SecretText::from(text),
    }
}
