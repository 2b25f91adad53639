//! What people type about themselves, as it is kept.

use crate::{
    error::{Field, Refusal},
    names,
};

/// Bytes of a name that is shown.
const DISPLAY_NAME_MAX: usize = 128;
/// RFC 5321: a path has 256 bytes, two of which are its brackets.
const EMAIL_MAX: usize = 254;
/// RFC 5321, 4.5.3.1.1.
const LOCAL_PART_MAX: usize = 64;

/// A user name that is to be given to somebody.
pub(crate) fn username(text: String) -> Result<String, Refusal> {
    let fits = names::is_slug(&text);
    fits.then_some(text)
        .ok_or(Refusal::Malformed(Field::Username))
}

/// A name that is shown; what stands for it, where there is none.
pub(crate) fn display_name(text: &str, otherwise: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.len() > DISPLAY_NAME_MAX || text.chars().any(char::is_control) {
        return Err(Refusal::Malformed(Field::DisplayName));
    }
    Ok(if text.is_empty() { otherwise } else { text }.to_owned())
}

/// An e-mail address, in lower case; none for an empty text.
///
/// Mail servers may tell cases apart, and none does; two accounts that differ in nothing else would
/// be one person's mistake or another's trap.
pub(crate) fn email(text: &str) -> Result<Option<String>, Refusal> {
    let text = text.trim().to_lowercase();
    if text.is_empty() {
        return Ok(None);
    }
    let malformed = Refusal::Malformed(Field::Email);
    let (local, domain) = text.rsplit_once('@').ok_or(malformed)?;
    let is_domain = !domain.is_empty()
        && !domain.starts_with(['.', '-'])
        && !domain.ends_with(['.', '-'])
        && !domain.contains("..")
        && domain
            .chars()
            .all(|one| one.is_alphanumeric() || matches!(one, '.' | '-'));
    let is_local = (1..=LOCAL_PART_MAX).contains(&local.len())
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local
            .chars()
            .all(|one| one.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(one));
    let fits = text.len() <= EMAIL_MAX && is_domain && is_local;
    fits.then_some(Some(text)).ok_or(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_name_and_a_place_and_nothing_that_a_header_could_trip_over() {
        let kept = |text: &str| email(text).ok().flatten();
        assert_eq!(
            kept(" Ann@Example.ORG "),
            Some("ann@example.org".to_owned())
        );
        assert_eq!(kept("a.b+c@host"), Some("a.b+c@host".to_owned()));
        assert_eq!(email(" "), Ok(None));
        for bad in [
            "ann",
            "@example.org",
            "ann@",
            "ann@a..b",
            "ann@-a",
            ".ann@a",
            "ann.@a",
            "an n@a",
            "ann@a\r\nBcc: all@a",
            "<ann@a>",
            "ann@a,bob@a",
            "\"ann\"@a",
            "ann@[127.0.0.1]",
        ] {
            assert!(email(bad).is_err(), "{bad}");
        }
        assert!(email(&format!("{}@a", "a".repeat(65))).is_err());
        assert!(email(&format!("a@{}", "a".repeat(254))).is_err());
    }

    #[test]
    fn a_shown_name_is_short_and_of_one_line() {
        assert_eq!(display_name(" Ann ", "ann"), Ok("Ann".to_owned()));
        assert_eq!(display_name("", "ann"), Ok("ann".to_owned()));
        assert!(display_name("a\nb", "").is_err());
        assert!(display_name(&"a".repeat(129), "").is_err());
    }
}
