//! The operator's orders, on both databases.

use crate::{
    config::{Mode, StorageConfig},
    store::both::{Sandbox, on_both},
    token::SecretText,
};

use super::*;

on_both! {
    accounts_are_made_changed_and_ended,
    the_last_admin_stays,
    what_a_user_is_signed_in_with_ends_and_stands_in_the_ledger,
    what_is_over_is_swept_up_and_what_lives_is_not,
    every_order_says_who_gave_it,
    a_name_is_found_whatever_it_contains,
    more_than_one_statement_takes_can_be_listed_ended_and_swept_up,
}

fn operator(sandbox: &Sandbox) -> Operator {
    let config = HubConfig {
        mode: Mode::Hub,
        storage: StorageConfig::default(),
        ..HubConfig::default()
    };
    Operator::new(config, sandbox.store.clone(), None)
}

async fn make(operator: &Operator, username: &str, admin: bool) -> String {
    let new = NewUser {
        username: username.to_owned(),
        display_name: None,
        email: Some(format!("{username}@example.org")),
        admin,
        password: SecretText::from("correct horse".to_owned()),
    };
    operator.create_user(new).await.unwrap()
}

async fn accounts_are_made_changed_and_ended(sandbox: &Sandbox) {
    let operator = operator(sandbox);
    make(&operator, "ann", true).await;
    let id = make(&operator, "bob", false).await;
    let changes = Changes {
        username: Some("bobby".to_owned()),
        display_name: Some("Bob B".to_owned()),
        email: Some(String::new()),
        disabled: Some(true),
    };
    operator.update_user("bob", changes).await.unwrap();
    let bob = operator.user(&id).await.unwrap();
    assert_eq!(
        (bob.username.as_str(), bob.display_name.as_str()),
        ("bobby", "Bob B")
    );
    assert_eq!((bob.email, bob.disabled), (None, true));
    let organisations = operator.organisations().await.unwrap();
    let slugs: Vec<_> = organisations.iter().map(|one| one.slug.as_str()).collect();
    assert_eq!(slugs, ["ann", "bobby"]);
    let taken = Changes {
        username: Some("ann".to_owned()),
        ..Changes::default()
    };
    let refused = operator.update_user("bobby", taken).await.unwrap_err();
    assert_eq!(refused.ending(), Ending::Refused);
    operator
        .delete_user("bobby", Insistence::None)
        .await
        .unwrap();
    let gone = operator.user(&id).await.unwrap_err();
    assert_eq!(gone.ending(), Ending::NotFound);
    assert_eq!(operator.organisations().await.unwrap().len(), 1);
}

async fn the_last_admin_stays(sandbox: &Sandbox) {
    let operator = operator(sandbox);
    make(&operator, "ann", true).await;
    make(&operator, "bob", false).await;
    let disable = Changes {
        disabled: Some(true),
        ..Changes::default()
    };
    assert!(operator.revoke_admin("ann").await.is_err());
    assert!(operator.update_user("ann", disable.clone()).await.is_err());
    let unforced = operator.delete_user("ann", Insistence::None).await;
    assert!(matches!(unforced, Err(OperatorError::NeedsForce(_))));
    assert!(
        operator
            .delete_user("ann", Insistence::Admins)
            .await
            .is_err()
    );
    operator.grant_admin("bob").await.unwrap();
    operator.update_user("bob", disable).await.unwrap();
    // One who may not sign in does not count.
    assert!(operator.revoke_admin("ann").await.is_err());
}

/// A credential as it would be stored.
async fn sign_in(sandbox: &Sandbox, id: &str, user: &str, expires_ms: Option<i64>) {
    use crate::store::credentials::{self, Kind, NewCredential};
    let id = schema::ids::CredentialId::parse(id).unwrap();
    let user = schema::ids::UserId::parse(user).unwrap();
    let stored = sandbox.store.write(move |conn| {
        let new = NewCredential {
            id: &id,
            user: &user,
            kind: Kind::Login,
            parent: None,
            hash: None,
            expires_ms,
        };
        credentials::insert(conn, &new, 5).map(Ok::<_, ()>)
    });
    stored.await.unwrap().unwrap();
}

async fn ledger(sandbox: &Sandbox) -> Vec<String> {
    let read = sandbox
        .store
        .run(|conn| crate::store::ledger::read_after(conn, 0, 100));
    let read = read.await.unwrap();
    read.iter().map(|entry| entry.topic.to_string()).collect()
}

async fn what_a_user_is_signed_in_with_ends_and_stands_in_the_ledger(sandbox: &Sandbox) {
    let operator = operator(sandbox);
    let ann = make(&operator, "ann", false).await;
    let bob = make(&operator, "bob", false).await;
    for (id, user) in [("c_1", &ann), ("c_2", &ann), ("c_3", &bob), ("c_4", &bob)] {
        sign_in(sandbox, id, user, None).await;
    }
    assert_eq!(operator.user("ann").await.unwrap().logins, 2);
    assert_eq!(operator.force_logout("ann").await.unwrap(), 2);
    operator
        .revoke_session(SessionKind::Logins, "c_3")
        .await
        .unwrap();
    let again = operator.revoke_session(SessionKind::Logins, "c_3").await;
    assert_eq!(again.unwrap_err().ending(), Ending::NotFound);
    let other = operator.revoke_session(SessionKind::ApiTokens, "c_4").await;
    assert_eq!(other.unwrap_err().ending(), Ending::NotFound);
    assert_eq!(ledger(sandbox).await, ["c_1", "c_2", "c_3"]);
    let left = operator.sessions(SessionKind::Logins, None).await.unwrap();
    let left: Vec<_> = left.iter().map(|one| one.session_id.as_str()).collect();
    assert_eq!(left, ["c_4"]);
    assert_eq!(operator.revoke_everybody().await.unwrap(), 1);
}

async fn what_is_over_is_swept_up_and_what_lives_is_not(sandbox: &Sandbox) {
    let operator = operator(sandbox);
    let ann = make(&operator, "ann", false).await;
    sign_in(sandbox, "c_over", &ann, Some(7)).await;
    sign_in(sandbox, "c_live", &ann, Some(i64::MAX)).await;
    assert_eq!(operator.purge_sessions().await.unwrap(), 1);
    assert_eq!(operator.purge_sessions().await.unwrap(), 0);
    // Whatever stood with it ends too, should it still.
    assert_eq!(ledger(sandbox).await, ["c_over"]);
    assert_eq!(operator.user("ann").await.unwrap().logins, 1);
}

async fn every_order_says_who_gave_it(sandbox: &Sandbox) {
    let operator = operator(sandbox);
    make(&operator, "ann", false).await;
    operator.grant_admin("ann").await.unwrap();
    operator.force_logout("ann").await.unwrap();
    let search = AuditSearch {
        limit: 10,
        ..AuditSearch::default()
    };
    let entries = operator.audit(search).await.unwrap();
    let actions: Vec<_> = entries.iter().map(|one| one.action.as_str()).collect();
    assert_eq!(
        actions,
        ["user.forced_out", "user.admin_granted", "user.created"]
    );
    assert!(
        entries
            .iter()
            .all(|one| one.actor_kind == "operator" && !one.actor_id.is_empty())
    );
    let verified = operator.verify_audit(None).await.unwrap();
    assert_eq!((verified.intact, verified.entries), (true, 3));
    let head = format!("3:{}", verified.head).parse().unwrap();
    assert!(operator.verify_audit(Some(head)).await.unwrap().intact);
    let other = format!("3:{}", "00".repeat(32)).parse().unwrap();
    assert!(!operator.verify_audit(Some(other)).await.unwrap().intact);
}

async fn a_name_is_found_whatever_it_contains(sandbox: &Sandbox) {
    let operator = operator(sandbox);
    make(&operator, "ann", false).await;
    make(&operator, "joann", false).await;
    make(&operator, "bob", false).await;
    let found = |text: &'static str| {
        let operator = &operator;
        async move {
            let users = operator.users(text).await.unwrap();
            users
                .into_iter()
                .map(|user| user.username)
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(found("ANN").await, ["ann", "joann"]);
    assert_eq!(found("bob@example").await, ["bob"]);
    assert_eq!(found("%").await, [""; 0]);
    assert_eq!(found("").await.len(), 3);
    assert_eq!(operator.user("ANN").await.unwrap().username, "ann");
}

/// A statement of SQLite's takes 32,766 values.
const MANY: u32 = 40_000;

/// `MANY` users, each with an organisation and a login that is over at 7.
fn crowd(conn: &mut Connection) -> diesel::QueryResult<()> {
    use diesel::RunQueryDsl as _;
    let numbers = format!(
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {MANY})"
    );
    for insert in [
        "INSERT INTO users (id, username, display_name, email_verified, admin, created_ms, \
         failed_logins, locked_until_ms) \
         {numbers} SELECT 'u_' || n, 'crowd-' || n, 'Crowd', FALSE, FALSE, 5, 0, 0 FROM numbers",
        "INSERT INTO organisations (id, slug, name, created_ms) \
         {numbers} SELECT 'o_' || n, 'crowd-' || n, 'Crowd', 5 FROM numbers",
        "INSERT INTO credentials (id, user_id, kind, label, user_agent, address, scopes, created_ms, \
         last_used_ms, expires_ms) \
         {numbers} SELECT 'c_' || n, 'u_' || n, 3, '', '', '', '', 5, 5, 7 FROM numbers",
    ] {
        diesel::sql_query(insert.replace("{numbers}", &numbers)).execute(conn)?;
    }
    Ok(())
}

async fn more_than_one_statement_takes_can_be_listed_ended_and_swept_up(sandbox: &Sandbox) {
    let operator = operator(sandbox);
    sandbox.store.run(|conn| Ok(crowd(conn)?)).await.unwrap();
    assert_eq!(operator.users("").await.unwrap().len(), MANY as usize);
    assert_eq!(operator.organisations().await.unwrap().len(), MANY as usize);
    let rolled_back = sandbox.store.write(|conn| {
        let mut notes = Notes::default();
        let ended =
            sessions::end_all(conn, &mut notes, crate::store::ledger::Reason::ForcedOut, 9)?;
        Ok(Err::<(), _>((ended, notes.revoked.len())))
    });
    let rolled_back = rolled_back.await.unwrap();
    assert_eq!(rolled_back, Err((MANY, MANY as usize)));
    let purged = sandbox.store.write(|conn| {
        let mut notes = Notes::default();
        sessions::purge(conn, &mut notes, 9).map(Ok::<_, ()>)
    });
    assert_eq!(purged.await.unwrap(), Ok(MANY as usize));
}
