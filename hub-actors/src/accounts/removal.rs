//! The end of an account, whoever ordered it: what goes with it, what passes to others, and what it
//! may not leave behind.

use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, OptionalExtension as _, QueryDsl as _,
    RunQueryDsl as _,
};
use schema::ids::{UserId, WorkerId, WorkspaceId};

use crate::{
    error::{Fault, Refusal, Unmet},
    notes::{About, Notes},
    operator::sessions,
    store::{
        Connection, access,
        audit::Object,
        ledger::Reason,
        tables::{memberships, organisations, users, workers, workspace_shares, workspaces},
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
        pass_on(conn, notes, user, organisation, heir)?;
    }
    // Shares name people without a reference that would go along.
    let shares = workspace_shares::table
        .filter(workspace_shares::grantee_kind.eq(access::TO_USER))
        .filter(workspace_shares::grantee_id.eq(user.as_str()));
    diesel::delete(shares).execute(conn)?;
    let lonely = organisations::table.filter(organisations::id.eq_any(&teams.lonely));
    diesel::delete(lonely).execute(conn)?;
    if diesel::delete(users::table.find(user.as_str())).execute(conn)? == 0 {
        return Ok(Err(Refusal::NotFound));
    }
    notes.audit("user.deleted", Object::User, user.as_str());
    Ok(Ok(()))
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
    shared: Vec<(String, UserId)>,
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

/// Gives what somebody owns in a team to an owner of it.
fn pass_on(
    conn: &mut Connection,
    notes: &mut Notes,
    user: &UserId,
    organisation: &str,
    heir: &UserId,
) -> Result<(), Fault> {
    let passed = diesel::update(workspaces::table)
        .filter(workspaces::organisation_id.eq(organisation))
        .filter(workspaces::owner_user_id.eq(user.as_str()))
        .set(workspaces::owner_user_id.eq(heir.as_str()))
        .returning(workspaces::id)
        .get_results::<String>(conn)?;
    for id in passed {
        let id = WorkspaceId::parse(&id).map_err(|_| Fault::Row("workspaces.id"))?;
        notes.audit_in(
            Some(organisation),
            "workspace.passed_on",
            Object::Workspace,
            id.as_str(),
            "",
        );
        let people = access::people_of(conn, &id)?;
        notes.tell(people.into_keys(), About::Workspace(id));
        notes.refresh.push(heir.clone());
    }
    let members = memberships::table
        .filter(memberships::organisation_id.eq(organisation))
        .filter(memberships::user_id.ne(user.as_str()))
        .select(memberships::user_id)
        .load::<String>(conn)?;
    let members = members.iter().filter_map(|id| UserId::parse(id).ok());
    notes.tell(members, About::Organisations);
    Ok(())
}
