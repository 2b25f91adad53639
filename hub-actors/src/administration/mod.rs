//! AdministrationService: what an admin does in the page. The orders are those of
//! [`operator`](crate::operator); here they meet requests and answers.

use schema::ids::UserId;

use crate::error::Refusal;

mod audit;
mod channels;
mod organisations;
mod settings;
mod users;
mod workers;

pub(crate) use audit::{list_audit, verify_audit};
pub(crate) use channels::list_channels;
pub(crate) use organisations::list_all_organisations;
pub(crate) use settings::{get_settings, update_settings};
pub(crate) use users::{
    create_user, delete_user, force_logout, list_users, set_user_admin, set_user_disabled,
    set_user_password,
};
pub(crate) use workers::{
    force_deregister_worker, list_all_workers, list_registration_keys,
    revoke_registration_key_by_id,
};

/// How many to list: as asked for, within bounds; and one more, to know whether that was all.
fn limit(asked: u32) -> usize {
    match asked {
        0 => 50,
        asked => usize::try_from(asked).unwrap_or(usize::MAX).min(200),
    }
}

/// One page of what was listed with one too many, and the name behind which the next begins.
fn page<T>(mut listed: Vec<T>, limit: usize, name: impl Fn(&T) -> &str) -> (Vec<T>, String) {
    if listed.len() <= limit {
        return (listed, String::new());
    }
    listed.truncate(limit);
    let next = listed.last().map(|last| name(last).to_owned());
    (listed, next.unwrap_or_default())
}

/// Nonsense is nobody's id.
fn user_id(text: &str) -> Result<UserId, Refusal> {
    UserId::parse(text).map_err(|_| Refusal::NotFound)
}

/// As many rows as a page has, and one more.
fn rows(limit: usize) -> i64 {
    i64::try_from(limit + 1).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_where_the_next_begins_and_the_last_does_not() {
        let names = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>();
        assert_eq!(page(names(2), 2, |name| name), (names(2), String::new()));
        assert_eq!(page(names(3), 2, |name| name), (names(2), "1".to_owned()));
        assert_eq!((limit(0), limit(7), limit(1_000)), (50, 7, 200));
    }
}
