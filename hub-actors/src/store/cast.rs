//! For tests: people, teams, workspaces and Workers, with what each of them has at the least.

use diesel::{ExpressionMethods as _, RunQueryDsl as _};
use schema::{
    ids::{CredentialId, OrganisationId, UserId, WorkerId, WorkspaceId},
    wire::OrganisationRole,
};

use super::{
    Connection,
    both::Sandbox,
    memberships, organisations as rows,
    tables::{organisations, users},
    workers,
    workspaces::{self, NewWorkspace},
};
use crate::{
    caller::{Caller, Kind},
    error::{Fault, Refusal},
    notes::{self, Author, Notes},
    scope::Scopes,
    stop::{Stop, sorted},
    store::audit::Actor,
    token::{Pepper, Purpose},
    topic::Topic,
};

/// Somebody with a personal organisation, at a browser.
pub(crate) async fn person(sandbox: &Sandbox, name: &'static str) -> Caller {
    let made = sandbox.store.run(move |conn| {
        insert_user(conn, name)?;
        let home = OrganisationId::parse(&format!("o_{name}")).unwrap();
        rows::insert(conn, &home, &format!("home-of-{name}"), name, 1)?;
        diesel::update(organisations::table)
            .filter(organisations::id.eq(home.as_str()))
            .set(organisations::personal_user_id.eq(name))
            .execute(conn)?;
        let user = UserId::parse(name).unwrap();
        memberships::insert(conn, &home, &user, OrganisationRole::Owner, 1)?;
        Ok(Caller {
            user,
            organisation: home,
            username: name.to_owned(),
            credential: CredentialId::parse(&format!("c_{name}")).unwrap(),
            kind: Kind::Login,
            scopes: Scopes::ALL,
            admin: false,
            binding: None,
            expires_ms: None,
            slid: false,
        })
    });
    made.await.unwrap()
}

fn insert_user(conn: &mut Connection, name: &str) -> Result<(), Fault> {
    diesel::insert_into(users::table)
        .values((
            users::id.eq(name),
            users::username.eq(name),
            users::display_name.eq(name),
            users::email_verified.eq(false),
            users::admin.eq(false),
            users::created_ms.eq(1),
            users::failed_logins.eq(0),
            users::locked_until_ms.eq(0),
        ))
        .execute(conn)?;
    Ok(())
}

/// A team's organisation, `id` its slug too.
pub(crate) async fn team(
    sandbox: &Sandbox,
    id: &'static str,
    members: &[(&Caller, OrganisationRole)],
) -> OrganisationId {
    let members: Vec<_> = members
        .iter()
        .map(|(member, role)| (member.user.clone(), *role))
        .collect();
    let made = sandbox.store.run(move |conn| {
        let team = OrganisationId::parse(id).unwrap();
        rows::insert(conn, &team, id, id, 1)?;
        for (at, (user, role)) in (2..).zip(&members) {
            memberships::insert(conn, &team, user, *role, at)?;
        }
        Ok(team)
    });
    made.await.unwrap()
}

/// A workspace.
pub(crate) async fn workspace(
    sandbox: &Sandbox,
    id: &'static str,
    organisation: &OrganisationId,
    owner: &Caller,
) -> WorkspaceId {
    let new = NewWorkspace {
        id: WorkspaceId::parse(id).unwrap(),
        organisation: organisation.clone(),
        owner: owner.user.clone(),
        title: id.to_owned(),
    };
    let made = new.id.clone();
    let stored = sandbox
        .store
        .run(move |conn| workspaces::insert(conn, &new, 1));
    stored.await.unwrap();
    made
}

/// A Worker.
pub(crate) async fn worker(
    sandbox: &Sandbox,
    id: &'static str,
    organisation: &OrganisationId,
    owner: &Caller,
) -> WorkerId {
    let worker = workers::Worker {
        id: WorkerId::parse(id).unwrap(),
        owner: owner.user.clone(),
        organisation: organisation.clone(),
        name: id.to_owned(),
        public_key: vec![1; 1_664],
        encryption_mode: 2,
        bundled: false,
        version: String::new(),
        registered_ms: 1,
        last_seen_ms: 1,
        registration_id: String::new(),
        registration_tag: Vec::new(),
        deregistering: false,
    };
    let made = worker.id.clone();
    let token = Pepper::fixed(1).hash(Purpose::WorkerToken, id);
    let stored = sandbox
        .store
        .run(move |conn| workers::insert(conn, &worker, token));
    stored.await.unwrap();
    made
}

/// Gives an order, and what it left behind.
pub(crate) async fn order<T, F>(sandbox: &Sandbox, work: F) -> Result<(T, Notes), Refusal>
where
    T: Send + 'static,
    F: Fn(&mut Connection, &mut Notes) -> Result<T, Stop> + Send + 'static,
{
    let author = Author {
        actor: Actor::User,
        id: "somebody".to_owned(),
        address: String::new(),
    };
    let work = move |conn: &mut Connection, notes: &mut Notes| sorted(work(conn, notes));
    notes::order(&sandbox.store, author, work).await
}

/// Asks, where nothing is refused.
pub(crate) async fn ask<T, F>(sandbox: &Sandbox, work: F) -> T
where
    T: Send + 'static,
    F: FnOnce(&mut Connection) -> Result<T, Fault> + Send + 'static,
{
    sandbox.store.run(work).await.unwrap()
}

/// What was taken back, as text: topic and the number of its reason.
pub(crate) fn revoked(notes: &Notes) -> Vec<String> {
    let kind = |topic: &Topic| format!("{:?}", topic.kind());
    let one = |(topic, why): &(Topic, _)| format!("{} {topic} {why:?}", kind(topic));
    let mut all: Vec<_> = notes.revoked.iter().map(one).collect();
    all.sort();
    all
}

/// Who is told anew what they may do.
pub(crate) fn refreshed(notes: &Notes) -> Vec<&str> {
    let mut all: Vec<_> = notes.refresh.iter().map(UserId::as_str).collect();
    all.sort_unstable();
    all
}
