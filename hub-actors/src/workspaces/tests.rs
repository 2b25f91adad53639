use schema::{
    ids::{UserId, WorkerId, WorkspaceId},
    wire::{
        OrganisationRole::{Admin, Member, Owner},
        Role::{self, Editor, Viewer},
        grantee::Whom,
    },
};

use super::{hosting, making, sharing, standing::Standing};
use crate::{
    caller::{Binding, Caller},
    error::{Refusal, Unmet},
    notes::{About, News, Notes},
    stop::Stop,
    store::{
        Connection, access,
        both::{Sandbox, on_both},
        cast::{ask, order, person, refreshed, revoked, team, worker, workspace},
        shares, workers, workspaces,
    },
};

on_both! {
    a_share_reaches_members_of_the_organisation_and_nobody_else,
    only_who_became_less_loses_channels,
    a_lowered_role_is_taken_back_and_a_raised_one_told,
    a_stranger_is_told_what_is_told_of_nonsense,
    only_the_owner_shares_and_whoever_has_a_share_may_drop_it,
    who_looks_after_the_organisation_tidies_up_and_is_nothing_inside,
    in_an_archived_workspace_only_its_owner_is_something,
    a_transferred_workspace_is_the_new_owners,
    a_deleted_workspace_ends_what_stood_with_it,
    a_worker_hosts_where_its_owner_may_edit_and_no_longer,
    a_worker_is_attached_by_its_owner_and_detached_by_either_owner,
    a_worker_is_detached_from_an_archived_workspace_by_its_owner,
    what_concerns_somebody_names_them_in_the_audit_log,
    who_looks_after_an_organisation_sees_its_workers_and_reaches_none,
    a_delegation_sees_its_own_workspace_only,
}

type Orders = fn(&mut Connection, &mut Notes, Standing) -> Result<(), Stop>;

async fn with<F>(
    sandbox: &Sandbox,
    who: &Caller,
    id: &WorkspaceId,
    work: F,
) -> Result<Notes, Refusal>
where
    F: Fn(&mut Connection, &mut Notes, Standing) -> Result<(), Stop> + Send + 'static,
{
    let (who, id) = (who.clone(), id.clone());
    let done = order(sandbox, move |conn, notes| {
        let standing = Standing::of(conn, &who, &id)?;
        work(conn, notes, standing)
    });
    done.await.map(|(_, notes)| notes)
}

async fn share(
    sandbox: &Sandbox,
    who: &Caller,
    id: &WorkspaceId,
    whom: Whom,
    role: Role,
) -> Result<Notes, Refusal> {
    let by = who.user.clone();
    with(sandbox, who, id, move |conn, notes, standing| {
        sharing::share(conn, notes, &standing, &whom, role, &by)
    })
    .await
}

async fn unshare(
    sandbox: &Sandbox,
    who: &Caller,
    id: &WorkspaceId,
    whom: Whom,
) -> Result<Notes, Refusal> {
    let by = who.user.clone();
    with(sandbox, who, id, move |conn, notes, standing| {
        sharing::unshare(conn, notes, &standing, &whom, &by)
    })
    .await
}

async fn attach(
    sandbox: &Sandbox,
    who: &Caller,
    id: &WorkspaceId,
    worker: &WorkerId,
) -> Result<Notes, Refusal> {
    let (who, id, worker) = (who.clone(), id.clone(), worker.clone());
    let done = order(sandbox, move |conn, notes| {
        hosting::attach(conn, notes, &who, &id, &worker)
    });
    done.await.map(|(_, notes)| notes)
}

async fn detach(
    sandbox: &Sandbox,
    who: &Caller,
    id: &WorkspaceId,
    worker: &WorkerId,
) -> Result<Notes, Refusal> {
    let (who, id, worker) = (who.clone(), id.clone(), worker.clone());
    let done = order(sandbox, move |conn, notes| {
        hosting::detach(conn, notes, &who, &id, &worker)
    });
    done.await.map(|(_, notes)| notes)
}

async fn role(sandbox: &Sandbox, who: &Caller, id: &WorkspaceId) -> Option<Role> {
    let (user, id) = (who.user.clone(), id.clone());
    ask(sandbox, move |conn| access::role_in(conn, &user, &id)).await
}

fn user(who: &Caller) -> Whom {
    Whom::UserId(who.user.as_str().to_owned())
}

const ALL: Whom = Whom::Organisation(true);

fn refused(done: Result<Notes, Refusal>) -> Refusal {
    done.expect_err("it is refused")
}

/// Ann's team with Bob and Cy, and Ann's desk in it. Eve is somebody else.
async fn stage(sandbox: &Sandbox) -> ([Caller; 4], WorkspaceId) {
    let ann = person(sandbox, "ann").await;
    let bob = person(sandbox, "bob").await;
    let cy = person(sandbox, "cy").await;
    let eve = person(sandbox, "eve").await;
    let crew = team(
        sandbox,
        "crew",
        &[(&ann, Owner), (&bob, Member), (&cy, Admin)],
    )
    .await;
    let desk = workspace(sandbox, "desk", &crew, &ann).await;
    ([ann, bob, cy, eve], desk)
}

async fn a_share_reaches_members_of_the_organisation_and_nobody_else(sandbox: &Sandbox) {
    let ([ann, bob, cy, eve], desk) = stage(sandbox).await;
    let outside = share(sandbox, &ann, &desk, user(&eve), Viewer).await;
    assert_eq!(refused(outside), Refusal::Unmet(Unmet::NotMember));
    let nonsense = share(sandbox, &ann, &desk, Whom::UserId("?".to_owned()), Viewer).await;
    assert_eq!(refused(nonsense), Refusal::Unmet(Unmet::NotMember));
    let notes = share(sandbox, &ann, &desk, user(&bob), Editor)
        .await
        .unwrap();
    assert_eq!((revoked(&notes), refreshed(&notes)), (vec![], vec!["bob"]));
    let notes = share(sandbox, &ann, &desk, ALL, Viewer).await.unwrap();
    assert_eq!((revoked(&notes), refreshed(&notes)), (vec![], vec!["cy"]));
    assert_eq!(role(sandbox, &bob, &desk).await, Some(Editor));
    assert_eq!(role(sandbox, &cy, &desk).await, Some(Viewer));
    assert_eq!(role(sandbox, &eve, &desk).await, None);
    let id = desk.clone();
    let listed = ask(sandbox, move |conn| shares::of(conn, &id)).await;
    let listed: Vec<_> = listed
        .iter()
        .map(|one| (one.username.as_str(), one.role))
        .collect();
    assert_eq!(listed.len(), 2);
    assert!(listed.contains(&("bob", Editor)) && listed.contains(&("", Viewer)));
}

async fn only_who_became_less_loses_channels(sandbox: &Sandbox) {
    let ([ann, bob, cy, _], desk) = stage(sandbox).await;
    share(sandbox, &ann, &desk, user(&bob), Editor)
        .await
        .unwrap();
    share(sandbox, &ann, &desk, ALL, Editor).await.unwrap();
    // Bob has it from everybody's share still.
    let notes = unshare(sandbox, &ann, &desk, user(&bob)).await.unwrap();
    assert_eq!(revoked(&notes), [""; 0]);
    let notes = unshare(sandbox, &ann, &desk, ALL).await.unwrap();
    assert_eq!(
        revoked(&notes),
        [
            "Access desk bob ShareWithdrawn",
            "Access desk cy ShareWithdrawn"
        ]
    );
    assert_eq!(role(sandbox, &cy, &desk).await, None);
    let notes = unshare(sandbox, &ann, &desk, ALL).await.unwrap();
    assert_eq!(revoked(&notes), [""; 0]);
}

async fn a_lowered_role_is_taken_back_and_a_raised_one_told(sandbox: &Sandbox) {
    let ([ann, bob, ..], desk) = stage(sandbox).await;
    share(sandbox, &ann, &desk, user(&bob), Editor)
        .await
        .unwrap();
    let notes = share(sandbox, &ann, &desk, user(&bob), Viewer)
        .await
        .unwrap();
    assert_eq!(revoked(&notes), ["Access desk bob RoleLowered"]);
    assert_eq!(refreshed(&notes), [""; 0]);
    let notes = share(sandbox, &ann, &desk, user(&bob), Editor)
        .await
        .unwrap();
    assert_eq!(revoked(&notes), [""; 0]);
    assert_eq!(refreshed(&notes), ["bob"]);
    let told = notes
        .news
        .iter()
        .find(|news| news.about == About::Workspace(desk.clone()));
    let told: Vec<_> = told.unwrap().users.iter().map(UserId::as_str).collect();
    assert_eq!(told, ["ann", "bob", "cy"]);
}

async fn a_stranger_is_told_what_is_told_of_nonsense(sandbox: &Sandbox) {
    let ([_, bob, _, eve], desk) = stage(sandbox).await;
    let nonsense = WorkspaceId::parse("nonsense").unwrap();
    let orders: [Orders; 3] = [making::archive, making::restore, making::delete];
    // Bob is a member of the organisation, and nothing in the workspace.
    for who in [&bob, &eve] {
        for id in [&desk, &nonsense] {
            for work in orders {
                assert_eq!(
                    refused(with(sandbox, who, id, work).await),
                    Refusal::NotFound
                );
            }
            let shared = share(sandbox, who, id, user(who), Editor).await;
            assert_eq!(refused(shared), Refusal::NotFound);
            let dropped = unshare(sandbox, who, id, user(who)).await;
            assert_eq!(refused(dropped), Refusal::NotFound);
        }
    }
}

async fn only_the_owner_shares_and_whoever_has_a_share_may_drop_it(sandbox: &Sandbox) {
    let ([ann, bob, cy, _], desk) = stage(sandbox).await;
    share(sandbox, &ann, &desk, user(&bob), Editor)
        .await
        .unwrap();
    for who in [&bob, &cy] {
        let shared = share(sandbox, who, &desk, user(&cy), Viewer).await;
        assert_eq!(refused(shared), Refusal::Forbidden);
        let all = unshare(sandbox, who, &desk, ALL).await;
        assert_eq!(refused(all), Refusal::Forbidden);
        let work: Orders = making::delete;
        let deleted = with(sandbox, &bob, &desk, work).await;
        assert_eq!(refused(deleted), Refusal::Forbidden);
    }
    let others = unshare(sandbox, &cy, &desk, user(&bob)).await;
    assert_eq!(refused(others), Refusal::Forbidden);
    let notes = unshare(sandbox, &bob, &desk, user(&bob)).await.unwrap();
    assert_eq!(revoked(&notes), ["Access desk bob ShareWithdrawn"]);
}

async fn who_looks_after_the_organisation_tidies_up_and_is_nothing_inside(sandbox: &Sandbox) {
    let ([_, _, cy, _], desk) = stage(sandbox).await;
    assert_eq!(role(sandbox, &cy, &desk).await, None);
    with(sandbox, &cy, &desk, making::archive).await.unwrap();
    with(sandbox, &cy, &desk, making::restore).await.unwrap();
    with(sandbox, &cy, &desk, making::delete).await.unwrap();
}

async fn in_an_archived_workspace_only_its_owner_is_something(sandbox: &Sandbox) {
    let ([ann, bob, ..], desk) = stage(sandbox).await;
    share(sandbox, &ann, &desk, user(&bob), Editor)
        .await
        .unwrap();
    let notes = with(sandbox, &ann, &desk, making::archive).await.unwrap();
    assert_eq!(revoked(&notes), ["Access desk bob ShareWithdrawn"]);
    let notes = with(sandbox, &ann, &desk, making::archive).await.unwrap();
    assert_eq!(revoked(&notes), [""; 0]);
    let dropped = unshare(sandbox, &bob, &desk, user(&bob)).await;
    assert_eq!(refused(dropped), Refusal::NotFound);
    let shared = share(sandbox, &ann, &desk, ALL, Viewer).await;
    assert_eq!(refused(shared), Refusal::Unmet(Unmet::Archived));
    let notes = with(sandbox, &ann, &desk, making::restore).await.unwrap();
    assert_eq!(refreshed(&notes), ["bob"]);
    assert_eq!(role(sandbox, &bob, &desk).await, Some(Editor));
}

async fn a_transferred_workspace_is_the_new_owners(sandbox: &Sandbox) {
    let ([ann, bob, cy, _], desk) = stage(sandbox).await;
    share(sandbox, &ann, &desk, user(&bob), Viewer)
        .await
        .unwrap();
    let to = bob.user.clone();
    let handed = with(sandbox, &cy, &desk, move |conn, notes, standing| {
        making::hand_over(conn, notes, &standing.workspace, &to)
    });
    let notes = handed.await.unwrap();
    assert_eq!(revoked(&notes), ["Access desk ann Transferred"]);
    assert_eq!(refreshed(&notes), ["bob"]);
    assert_eq!(role(sandbox, &bob, &desk).await, Some(Role::Owner));
    assert_eq!(role(sandbox, &ann, &desk).await, None);
}

async fn a_deleted_workspace_ends_what_stood_with_it(sandbox: &Sandbox) {
    let ([ann, bob, ..], desk) = stage(sandbox).await;
    share(sandbox, &ann, &desk, user(&bob), Viewer)
        .await
        .unwrap();
    let notes = with(sandbox, &ann, &desk, making::delete).await.unwrap();
    assert_eq!(
        revoked(&notes),
        [
            "Access desk ann WorkspaceDeleted",
            "Access desk bob WorkspaceDeleted"
        ]
    );
    let again = with(sandbox, &ann, &desk, making::delete).await;
    assert_eq!(refused(again), Refusal::NotFound);
}

async fn a_worker_hosts_where_its_owner_may_edit_and_no_longer(sandbox: &Sandbox) {
    let ([ann, bob, cy, _], desk) = stage(sandbox).await;
    let w1 = worker(sandbox, "w1", &bob.organisation, &bob).await;
    share(sandbox, &ann, &desk, user(&bob), Viewer)
        .await
        .unwrap();
    let viewer = attach(sandbox, &bob, &desk, &w1).await;
    assert_eq!(refused(viewer), Refusal::Forbidden);
    share(sandbox, &ann, &desk, user(&bob), Editor)
        .await
        .unwrap();
    let notes = attach(sandbox, &bob, &desk, &w1).await.unwrap();
    assert_eq!(refreshed(&notes), ["ann", "bob"]);
    let (user_, w) = (ann.user.clone(), w1.clone());
    let reach = ask(sandbox, move |conn| access::reach(conn, &user_, &w))
        .await
        .unwrap();
    assert_eq!(reach.owner, bob.user);
    share(sandbox, &ann, &desk, user(&cy), Viewer)
        .await
        .unwrap();
    let notes = share(sandbox, &ann, &desk, user(&bob), Viewer)
        .await
        .unwrap();
    assert_eq!(
        revoked(&notes),
        ["Access desk bob RoleLowered", "Hosting w1 desk RoleLowered"]
    );
    let (user_, w) = (cy.user.clone(), w1.clone());
    assert_eq!(
        ask(sandbox, move |conn| access::reach(conn, &user_, &w)).await,
        None
    );
}

async fn a_worker_is_attached_by_its_owner_and_detached_by_either_owner(sandbox: &Sandbox) {
    let ([ann, bob, cy, eve], desk) = stage(sandbox).await;
    let w1 = worker(sandbox, "w1", &bob.organisation, &bob).await;
    let nonsense = WorkerId::parse("nonsense").unwrap();
    share(sandbox, &ann, &desk, user(&bob), Editor)
        .await
        .unwrap();
    for id in [&w1, &nonsense] {
        let others = attach(sandbox, &ann, &desk, id).await;
        assert_eq!(refused(others), Refusal::NotFound);
        let stranger = attach(sandbox, &eve, &desk, id).await;
        assert_eq!(refused(stranger), Refusal::NotFound);
    }
    attach(sandbox, &bob, &desk, &w1).await.unwrap();
    let others = attach(sandbox, &ann, &desk, &w1).await;
    assert_eq!(refused(others), Refusal::Forbidden);
    let looking_after = detach(sandbox, &cy, &desk, &w1).await;
    assert_eq!(refused(looking_after), Refusal::Forbidden);
    let notes = detach(sandbox, &ann, &desk, &w1).await.unwrap();
    assert_eq!(revoked(&notes), ["Hosting w1 desk Revoked"]);
    attach(sandbox, &bob, &desk, &w1).await.unwrap();
    let notes = detach(sandbox, &bob, &desk, &w1).await.unwrap();
    assert_eq!(revoked(&notes), ["Hosting w1 desk Revoked"]);
}

async fn a_worker_is_detached_from_an_archived_workspace_by_its_owner(sandbox: &Sandbox) {
    let ([ann, bob, cy, eve], desk) = stage(sandbox).await;
    let w1 = worker(sandbox, "w1", &bob.organisation, &bob).await;
    share(sandbox, &ann, &desk, user(&bob), Editor)
        .await
        .unwrap();
    attach(sandbox, &bob, &desk, &w1).await.unwrap();
    with(sandbox, &ann, &desk, making::archive).await.unwrap();
    assert_eq!(
        refused(detach(sandbox, &eve, &desk, &w1).await),
        Refusal::NotFound
    );
    assert_eq!(
        refused(detach(sandbox, &cy, &desk, &w1).await),
        Refusal::Forbidden
    );
    let bound = Caller {
        binding: Some(Binding {
            worker: w1.clone(),
            workspace: desk.clone(),
        }),
        ..bob.clone()
    };
    assert_eq!(
        refused(detach(sandbox, &bound, &desk, &w1).await),
        Refusal::NotFound
    );
    let notes = detach(sandbox, &bob, &desk, &w1).await.unwrap();
    assert_eq!(revoked(&notes), ["Hosting w1 desk Revoked"]);
    let to_bob =
        |news: &News| news.users.contains(&bob.user) && news.about == About::Worker(w1.clone());
    assert!(notes.news.iter().any(to_bob));
    // It hosts nothing any more, so there is nothing that bob could see.
    assert_eq!(
        refused(detach(sandbox, &bob, &desk, &w1).await),
        Refusal::NotFound
    );
}

async fn what_concerns_somebody_names_them_in_the_audit_log(sandbox: &Sandbox) {
    let ([ann, bob, cy, _], desk) = stage(sandbox).await;
    let w1 = worker(sandbox, "w1", &bob.organisation, &bob).await;
    share(sandbox, &ann, &desk, user(&bob), Editor)
        .await
        .unwrap();
    attach(sandbox, &bob, &desk, &w1).await.unwrap();
    unshare(sandbox, &ann, &desk, user(&bob)).await.unwrap();
    let to = cy.user.clone();
    let handed = with(sandbox, &ann, &desk, move |conn, notes, standing| {
        making::hand_over(conn, notes, &standing.workspace, &to)
    });
    handed.await.unwrap();
    let named = ask(sandbox, |conn| {
        use crate::store::tables::audit_log;
        use diesel::{ExpressionMethods as _, QueryDsl as _, RunQueryDsl as _};
        let named = audit_log::table
            .filter(audit_log::object_id.ne("desk"))
            .order(audit_log::seq.asc())
            .select((audit_log::action, audit_log::object_id))
            .load::<(String, String)>(conn)?;
        Ok(named)
    });
    let said = |(action, id): &(String, String)| format!("{action} {id}");
    assert_eq!(
        named.await.iter().map(said).collect::<Vec<_>>(),
        [
            "workspace.shared bob",
            "workspace.worker_attached w1",
            "workspace.unshared bob",
            "workspace.transferred cy",
        ]
    );
}

async fn who_looks_after_an_organisation_sees_its_workers_and_reaches_none(sandbox: &Sandbox) {
    let ([ann, bob, cy, eve], desk) = stage(sandbox).await;
    let crew = ask(sandbox, move |conn| {
        Ok(workspaces::find(conn, &desk)?.unwrap())
    });
    let w1 = worker(sandbox, "w1", &crew.await.organisation, &bob).await;
    worker(sandbox, "w2", &bob.organisation, &bob).await;
    let seen = async |who: &Caller| {
        let user = who.user.clone();
        let seen = ask(sandbox, move |conn| workers::seen_by(conn, &user, None));
        let ids = seen.await.into_iter().map(|one| one.worker.id.to_string());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(seen(&ann).await, ["w1"]);
    assert_eq!(seen(&cy).await, ["w1"]);
    assert_eq!(seen(&bob).await, ["w1", "w2"]);
    assert!(seen(&eve).await.is_empty());
    let (me, id) = (cy.user.clone(), w1.clone());
    let reach = ask(sandbox, move |conn| access::reach(conn, &me, &id));
    assert_eq!(reach.await, None);
    let viewers = ask(sandbox, move |conn| {
        let w1 = workers::find(conn, &w1)?.unwrap();
        workers::viewers(conn, &w1)
    });
    let viewers: Vec<_> = viewers.await.into_iter().collect();
    assert_eq!(viewers, [ann.user, bob.user, cy.user]);
}

async fn a_delegation_sees_its_own_workspace_only(sandbox: &Sandbox) {
    let ([ann, ..], desk) = stage(sandbox).await;
    let other = workspace(sandbox, "other", &ann.organisation, &ann).await;
    let bound = Caller {
        binding: Some(Binding {
            worker: WorkerId::parse("w1").unwrap(),
            workspace: desk.clone(),
        }),
        ..ann.clone()
    };
    let seen = |who: &Caller, id: &WorkspaceId| {
        let (who, id) = (who.clone(), id.clone());
        ask(sandbox, move |conn| super::seen(conn, &who, &id))
    };
    assert!(seen(&bound, &desk).await.is_some());
    assert!(seen(&bound, &other).await.is_none());
    assert!(seen(&ann, &other).await.is_some());
}
