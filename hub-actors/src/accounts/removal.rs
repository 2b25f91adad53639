//! The end of an account, whoever ordered it: what goes with it, what passes to others, and what it
//! may not leave behind.

use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, OptionalExtension as _, QueryDsl as _,
    RunQueryDsl as _,
};
use schema::ids::{CredentialId, OrganisationId, UserId, WorkerId, WorkspaceId};

use crate::{
    error::{Fault, Refusal, Unmet},
    notes::{About, Notes},
    operator::sessions,
    organisations::depart,
    stop::sorted,
    store::{
        Connection, access,
        audit::Object,
        credentials::{self as rows, Credential, Kind},
        ledger::{self, Reason},
        tables::{
            credentials, invitations, memberships, organisations, users, workers, workspace_shares,
            workspaces,
        },
        users as accounts,
    },
    topic::Topic,
};

/// `memberships.role` of an owner.
const OWNER: i16 = 3;

/// Deletes an account: its personal organisation, its Workers and whatever was opened with them go
/// along. A workspace that it owns in a team passes to an owner of the team; a team whose only member
/// it was goes too.
///
/// Refused are the last admin of the Hub and the last owner of a team that others belong to.
pub(crate) fn remove(
    conn: &mut Connection,
    notes: &mut Notes,
    user: &UserId,
) -> Result<Result<(), Refusal>, Fault> {
    if is_last_admin(conn, user)? {
        return Ok(Err(Refusal::Unmet(Unmet::LastAdmin)));
    }
    let Some(teams) = teams(conn, user)? else {
        return Ok(Err(Refusal::Unmet(Unmet::LastOwner)));
    };
    sessions::close_all(conn, notes, user, Reason::AccountDeleted)?;
    end_workers(conn, notes, user, &teams.lonely)?;
    end_workspaces(conn, notes, user, &teams.lonely)?;
    for (organisation, heir) in &teams.shared {
        if let Err(refusal) = sorted(depart(conn, notes, organisation, user, heir))? {
            return Ok(Err(refusal));
        }
    }
    // Shares name people without a reference that would go along.
    let shares = workspace_shares::table
        .filter(workspace_shares::grantee_kind.eq(access::TO_USER))
        .filter(workspace_shares::grantee_id.eq(user.as_str()));
    diesel::delete(shares).execute(conn)?;
    // What somebody invited others to is nobody's word any more.
    let invited = invitations::table.filter(invitations::created_by.eq(user.as_str()));
    diesel::delete(invited).execute(conn)?;
    leave_access_token(conn, notes, user, Reason::AccountDeleted)?;
    let lonely = organisations::table.filter(organisations::id.eq_any(&teams.lonely));
    diesel::delete(lonely).execute(conn)?;
    if diesel::delete(users::table.find(user.as_str())).execute(conn)? == 0 {
        return Ok(Err(Refusal::NotFound));
    }
    notes.audit("user.deleted", Object::User, user.as_str());
    Ok(Ok(()))
}

/// The access token is the operator's: of somebody who is an admin no more it goes on as another
/// admin's, and what stands with it ends.
pub(crate) fn leave_access_token(
    conn: &mut Connection,
    notes: &mut Notes,
    user: &UserId,
    reason: Reason,
) -> Result<(), Fault> {
    let heir = users::table
        .filter(users::admin.eq(true))
        .filter(users::disabled_ms.is_null())
        .filter(users::id.ne(user.as_str()))
        .order((users::created_ms.asc(), users::id.asc()))
        .select(users::id);
    let Some(heir) = heir.first::<String>(conn).optional()? else {
        return Ok(());
    };
    let operators = credentials::kind
        .eq(Kind::AccessToken as i16)
        .or(credentials::kind.eq(Kind::Solo as i16));
    let passed_on = diesel::update(credentials::table)
        .filter(credentials::user_id.eq(user.as_str()))
        .filter(operators)
        .set(credentials::user_id.eq(heir))
        .returning((credentials::id, credentials::revoked_ms))
        .get_results::<(String, Option<i64>)>(conn)?;
    for (id, _) in passed_on.iter().filter(|(_, revoked)| revoked.is_none()) {
        let id = CredentialId::parse(id).map_err(|_| Fault::Row("credentials.id"))?;
        notes.revoke(Topic::Credential(id), reason);
    }
    Ok(())
}

/// Where the access token is somebody's who is an admin no more, as an earlier version left it, it is
/// this admin's from now on, and what stands with it ends.
pub(crate) fn reclaim_access_token(
    conn: &mut Connection,
    token: &Credential,
    admin: &UserId,
    now_ms: i64,
) -> Result<(), Fault> {
    let holder = accounts::find_enabled(conn, &token.user)?;
    if holder.is_some_and(|holder| holder.admin) {
        return Ok(());
    }
    rows::give(conn, &token.id, admin)?;
    let topic = Topic::Credential(token.id.clone());
    ledger::append_all(conn, &[(topic, Reason::RoleLowered)], now_ms)?;
    Ok(())
}

/// Whether the Hub would be without an admin who can use it.
pub(crate) fn is_last_admin(conn: &mut Connection, user: &UserId) -> Result<bool, Fault> {
    let admins = users::table
        .filter(users::admin.eq(true))
        .filter(users::disabled_ms.is_null())
        .select(users::id)
        .load::<String>(conn)?;
    Ok(admins == [user.as_str()])
}

/// What becomes of the teams of somebody who goes.
struct Teams {
    /// Nobody else is in them: they go too.
    lonely: Vec<String>,
    /// The others, and to which of their owners workspaces pass.
    shared: Vec<(OrganisationId, UserId)>,
}

/// `None` where a team would be left without an owner.
fn teams(conn: &mut Connection, user: &UserId) -> Result<Option<Teams>, Fault> {
    let of_user = memberships::table
        .inner_join(organisations::table)
        .filter(memberships::user_id.eq(user.as_str()))
        .filter(organisations::personal_user_id.is_null())
        .order(organisations::id.asc())
        .select(organisations::id)
        .load::<String>(conn)?;
    let mut teams = Teams {
        lonely: Vec::new(),
        shared: Vec::new(),
    };
    for organisation in of_user {
        let others = memberships::table
            .filter(memberships::organisation_id.eq(&organisation))
            .filter(memberships::user_id.ne(user.as_str()))
            .order((
                memberships::role.desc(),
                memberships::joined_ms.asc(),
                memberships::user_id.asc(),
            ))
            .select((memberships::user_id, memberships::role))
            .first::<(String, i16)>(conn)
            .optional()?;
        match others {
            None => teams.lonely.push(organisation),
            Some((heir, OWNER)) => {
                let heir = UserId::parse(&heir).map_err(|_| Fault::Row("memberships.user_id"))?;
                let organisation = OrganisationId::parse(&organisation);
                let organisation = organisation.map_err(|_| Fault::Row("organisations.id"))?;
                teams.shared.push((organisation, heir));
            }
            Some(_) => return Ok(None),
        }
    }
    Ok(Some(teams))
}

fn end_workers(
    conn: &mut Connection,
    notes: &mut Notes,
    user: &UserId,
    lonely: &[String],
) -> Result<(), Fault> {
    let theirs = workers::owner_user_id
        .eq(user.as_str())
        .or(workers::organisation_id.eq_any(lonely));
    let ids = workers::table
        .filter(theirs)
        .order(workers::id.asc())
        .select(workers::id)
        .load::<String>(conn)?;
    for id in ids {
        let id = WorkerId::parse(&id).map_err(|_| Fault::Row("workers.id"))?;
        notes.revoke(Topic::Worker(id), Reason::AccountDeleted);
    }
    Ok(())
}

/// Those of the personal organisation and of lonely teams.
fn end_workspaces(
    conn: &mut Connection,
    notes: &mut Notes,
    user: &UserId,
    lonely: &[String],
) -> Result<(), Fault> {
    let ids = workspaces::table
        .inner_join(organisations::table)
        .filter(
            organisations::id
                .eq_any(lonely)
                .or(organisations::personal_user_id.eq(user.as_str())),
        )
        .order(workspaces::id.asc())
        .select(workspaces::id)
        .load::<String>(conn)?;
    for id in ids {
        let id = WorkspaceId::parse(&id).map_err(|_| Fault::Row("workspaces.id"))?;
        for person in access::people_of(conn, &id)?.into_keys() {
            notes.tell([person.clone()], About::Workspace(id.clone()));
            notes.revoke(Topic::Access(id.clone(), person), Reason::WorkspaceDeleted);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        accounts::ending::{Which, end},
        notes::{self, Author},
        store::{
            audit::Actor,
            both::{Sandbox, on_both},
            users::{FirstIds, NewUser},
        },
        token::{Pepper, Purpose},
    };

    on_both! {
        the_last_admin_and_the_last_owner_of_others_stay,
        a_team_keeps_its_workspaces_and_an_empty_one_goes,
        workers_and_credentials_end_with_their_user_and_the_access_token_does_not,
        a_password_ends_all_but_the_login_that_is_spared,
    }

    /// Gives an order, and what it took back.
    async fn order<T: Send + 'static>(
        sandbox: &Sandbox,
        work: impl FnMut(&mut Connection, &mut Notes) -> Result<Result<T, Refusal>, Fault>
        + Send
        + 'static,
    ) -> Result<(T, Vec<(Topic, Reason)>), Refusal> {
        let author = Author {
            actor: Actor::Operator,
            id: String::new(),
            address: String::new(),
        };
        let (answer, notes) = notes::order(&sandbox.store, author, work).await?;
        Ok((answer, notes.revoked))
    }

    async fn make(sandbox: &Sandbox, name: &'static str, admin: bool) -> UserId {
        let new = NewUser {
            ids: FirstIds::random().unwrap(),
            username: name.to_owned(),
            display_name: name.to_owned(),
            email: None,
            email_verified: false,
            password_hash: None,
            admin,
        };
        let id = new.ids.user.clone();
        let made = order(sandbox, move |conn, _| {
            Ok(Ok(accounts::create(conn, &new, 1)?))
        });
        assert!(made.await.unwrap().0);
        id
    }

    /// A team with these people, whose first owns a workspace in it.
    async fn team(sandbox: &Sandbox, id: &'static str, people: &[(&UserId, i16)]) {
        let people: Vec<(String, i16)> = people
            .iter()
            .map(|(user, role)| (user.as_str().to_owned(), *role))
            .collect();
        let made = order(sandbox, move |conn, _| {
            diesel::insert_into(organisations::table)
                .values((
                    organisations::id.eq(id),
                    organisations::slug.eq(id),
                    organisations::name.eq(id),
                    organisations::created_ms.eq(1_i64),
                ))
                .execute(conn)?;
            for (at, (user, role)) in people.iter().enumerate() {
                diesel::insert_into(memberships::table)
                    .values((
                        memberships::organisation_id.eq(id),
                        memberships::user_id.eq(user),
                        memberships::role.eq(*role),
                        memberships::joined_ms.eq(i64::try_from(at).unwrap()),
                    ))
                    .execute(conn)?;
            }
            diesel::insert_into(workspaces::table)
                .values((
                    workspaces::id.eq(format!("s-{id}")),
                    workspaces::organisation_id.eq(id),
                    workspaces::owner_user_id.eq(&people[0].0),
                    workspaces::title.eq("Plans"),
                    workspaces::created_ms.eq(1_i64),
                ))
                .execute(conn)?;
            Ok(Ok(()))
        });
        made.await.unwrap();
    }

    async fn remove(sandbox: &Sandbox, user: &UserId) -> Result<Vec<(Topic, Reason)>, Refusal> {
        let user = user.clone();
        let done = order(sandbox, move |conn, notes| {
            super::remove(conn, notes, &user)
        });
        Ok(done.await?.1)
    }

    async fn the_last_admin_and_the_last_owner_of_others_stay(sandbox: &Sandbox) {
        let root = make(sandbox, "root", true).await;
        assert_eq!(
            remove(sandbox, &root).await,
            Err(Refusal::Unmet(Unmet::LastAdmin))
        );
        let (ann, bob) = (
            make(sandbox, "ann", false).await,
            make(sandbox, "bob", false).await,
        );
        team(sandbox, "acme", &[(&ann, OWNER), (&bob, 2)]).await;
        assert_eq!(
            remove(sandbox, &ann).await,
            Err(Refusal::Unmet(Unmet::LastOwner))
        );
        // A member is free to go, and then the owner is alone.
        assert!(remove(sandbox, &bob).await.is_ok());
        assert!(remove(sandbox, &ann).await.is_ok());
        assert_eq!(remove(sandbox, &ann).await, Err(Refusal::NotFound));
    }

    async fn a_team_keeps_its_workspaces_and_an_empty_one_goes(sandbox: &Sandbox) {
        make(sandbox, "root", true).await;
        let (ann, bob) = (
            make(sandbox, "ann", false).await,
            make(sandbox, "bob", false).await,
        );
        team(sandbox, "acme", &[(&ann, OWNER), (&bob, OWNER)]).await;
        team(sandbox, "alone", &[(&ann, OWNER)]).await;
        remove(sandbox, &ann).await.unwrap();
        let left = order(sandbox, move |conn, _| {
            let left = workspaces::table
                .order(workspaces::id.asc())
                .filter(workspaces::title.eq("Plans"))
                .select((workspaces::id, workspaces::owner_user_id));
            Ok(Ok(left.load::<(String, String)>(conn)?))
        });
        let owner = bob.as_str().to_owned();
        assert_eq!(left.await.unwrap().0, [("s-acme".to_owned(), owner)]);
    }

    async fn credential(
        sandbox: &Sandbox,
        user: &UserId,
        (id, kind): (&'static str, Kind),
        parent: Option<&'static str>,
    ) -> CredentialId {
        let id = CredentialId::parse(id).unwrap();
        let (made, user) = (id.clone(), user.clone());
        let parent = parent.map(|parent| CredentialId::parse(parent).unwrap());
        let hash = Pepper::fixed(1).hash(Purpose::Login, id.as_str());
        let stored = order(sandbox, move |conn, _| {
            let new = rows::NewCredential {
                id: &made,
                user: &user,
                kind,
                parent: parent.as_ref(),
                hash: Some(hash),
                expires_ms: None,
            };
            rows::insert(conn, &new, 1).map(Ok)
        });
        stored.await.unwrap();
        id
    }

    async fn worker(sandbox: &Sandbox, owner: &UserId) -> WorkerId {
        let id = WorkerId::parse("w1").unwrap();
        let (made, owner) = (id.clone(), owner.clone());
        let token = Pepper::fixed(1).hash(Purpose::WorkerToken, "w1");
        let stored = order(sandbox, move |conn, _| {
            let user = accounts::find(conn, &owner)?.unwrap();
            let worker = crate::store::workers::Worker {
                id: made.clone(),
                owner: owner.clone(),
                organisation: user.organisation,
                name: String::new(),
                public_key: vec![1],
                encryption_mode: 2,
                bundled: false,
                version: String::new(),
                registered_ms: 1,
                last_seen_ms: 1,
                registration_id: String::new(),
                registration_tag: Vec::new(),
                deregistering: false,
            };
            crate::store::workers::insert(conn, &worker, token).map(Ok)
        });
        stored.await.unwrap();
        id
    }

    async fn workers_and_credentials_end_with_their_user_and_the_access_token_does_not(
        sandbox: &Sandbox,
    ) {
        let (root, ann) = (
            make(sandbox, "root", true).await,
            make(sandbox, "ann", true).await,
        );
        let token = credential(sandbox, &root, ("token", Kind::AccessToken), None).await;
        let login = credential(sandbox, &root, ("login", Kind::Login), Some("token")).await;
        let worker = worker(sandbox, &root).await;
        let revoked = remove(sandbox, &root).await.unwrap();
        let ended = |topic: &Topic| {
            let entry = (topic.clone(), Reason::AccountDeleted);
            revoked.contains(&entry)
        };
        for topic in [
            Topic::Credential(token.clone()),
            Topic::Credential(login.clone()),
            Topic::Worker(worker),
        ] {
            assert!(ended(&topic), "{topic:?}");
        }
        let left = order(sandbox, move |conn, _| {
            let token = rows::find_sole(conn, Kind::AccessToken)?.map(|(token, _)| token.user);
            Ok(Ok((token, rows::is_live(conn, &login, 2)?)))
        });
        assert_eq!(left.await.unwrap().0, (Some(ann), false));
    }

    async fn a_password_ends_all_but_the_login_that_is_spared(sandbox: &Sandbox) {
        let (root, ann) = (
            make(sandbox, "root", true).await,
            make(sandbox, "ann", false).await,
        );
        let kept = [
            credential(sandbox, &root, ("token", Kind::AccessToken), None).await,
            credential(sandbox, &root, ("mine", Kind::Login), Some("token")).await,
            credential(sandbox, &ann, ("another", Kind::Login), None).await,
        ];
        let ended = [
            credential(sandbox, &root, ("api", Kind::Api), None).await,
            credential(sandbox, &root, ("other", Kind::Login), Some("token")).await,
            credential(sandbox, &root, ("process", Kind::Delegation), Some("mine")).await,
        ];
        let spared = kept[1].clone();
        let done = order(sandbox, move |conn, notes| {
            let which = (Which::All, Some(&spared));
            end(conn, notes, &root, which, Reason::PasswordChanged, 2).map(Ok)
        });
        let (count, revoked) = done.await.unwrap();
        assert_eq!((count, revoked.len()), (3, 3));
        let live = order(sandbox, move |conn, _| {
            let mut live = Vec::new();
            for id in kept.iter().chain(&ended) {
                live.push(rows::is_live(conn, id, 3)?);
            }
            Ok(Ok(live))
        });
        let live = live.await.unwrap().0;
        assert_eq!(live, [true, true, true, false, false, false]);
    }
}
