use schema::{
    ids::{OrganisationId, UserId},
    wire::OrganisationRole::{Admin, Member, Owner},
};

use super::{inviting, joining, making, members};
use crate::{
    caller::Caller,
    clock,
    config::{OrganisationQuotas, Quotas},
    error::{Field, Quota, Refusal, Unmet},
    store::{
        both::{Sandbox, on_both},
        cast::{ask, order, person, refreshed, revoked, team, worker, workspace},
        invitations::{self, Invitation},
        memberships, organisations, shares, workers, workspaces,
    },
    token::{Pepper, Purpose, SecretHash},
};

on_both! {
    a_slug_is_taken_once_and_by_users_too,
    one_owns_so_many_and_no_more,
    an_admin_neither_makes_owners_nor_touches_them,
    who_may_give_less_has_given_no_more,
    the_last_owner_stays,
    a_stranger_is_told_what_is_told_of_nonsense,
    a_personal_organisation_is_its_users_alone,
    who_is_removed_loses_what_rested_on_it_and_keeps_what_is_theirs,
    who_leaves_hands_over_to_the_longest_owner,
    a_role_in_the_organisation_is_none_in_its_workspaces,
    an_invitation_is_the_invited_ones_to_accept_and_works_once,
    an_unknown_name_gets_the_same_answer,
    a_link_lets_in_so_many_and_until_it_is_revoked,
    a_full_organisation_takes_nobody,
    quotas_of_its_own_come_before_the_hubs,
    an_organisation_is_not_deleted_under_others_workers,
    a_deleted_organisation_ends_what_stood_with_it,
}

const DEFAULTS: OrganisationQuotas = OrganisationQuotas {
    members: 3,
    workers: 5,
    channels: 7,
    bytes_per_second: 0,
};

fn unmet<T>(why: Unmet) -> Result<T, Refusal> {
    Err(Refusal::Unmet(why))
}

async fn create(sandbox: &Sandbox, slug: &str, owner: &Caller) -> Result<(), Refusal> {
    let new = making::New {
        id: OrganisationId::parse(&format!("id-{slug}")).unwrap(),
        owner: owner.user.clone(),
        slug: slug.to_owned(),
        name: slug.to_owned(),
    };
    let quotas = Quotas {
        organisations_per_user: 3,
        ..Quotas::default()
    };
    let made = order(sandbox, move |conn, notes| {
        making::create(conn, notes, &new, &quotas).map(|_| ())
    });
    made.await.map(|_| ())
}

async fn change(
    sandbox: &Sandbox,
    me: &Caller,
    of: &OrganisationId,
    whom: &Caller,
    role: schema::wire::OrganisationRole,
) -> Result<Vec<String>, Refusal> {
    let (me, of, whom) = (me.user.clone(), of.clone(), whom.user.clone());
    let done = order(sandbox, move |conn, notes| {
        members::change(conn, notes, &me, &of, &whom, role)
    });
    done.await.map(|(_, notes)| revoked(&notes))
}

async fn remove(
    sandbox: &Sandbox,
    me: &Caller,
    of: &OrganisationId,
    whom: &Caller,
) -> Result<Vec<String>, Refusal> {
    let (me, of, whom) = (me.user.clone(), of.clone(), whom.user.clone());
    let done = order(sandbox, move |conn, notes| {
        members::remove(conn, notes, &me, &of, &whom)
    });
    done.await.map(|(_, notes)| revoked(&notes))
}

fn invitation(
    of: &OrganisationId,
    by: &Caller,
    role: schema::wire::OrganisationRole,
) -> Invitation {
    let now_ms = clock::unix_ms();
    Invitation {
        id: format!("i-{}", by.username),
        organisation: of.clone(),
        role,
        user: None,
        by: by.user.clone(),
        created_ms: now_ms,
        expires_ms: now_ms + 60_000,
        uses_left: 1,
        nobody: None,
    }
}

async fn invite(sandbox: &Sandbox, new: Invitation, name: &'static str) -> Result<(), Refusal> {
    let done = order(sandbox, move |conn, notes| {
        inviting::invite(conn, notes, new.clone(), name)
    });
    done.await.map(|_| ())
}

async fn accept(sandbox: &Sandbox, id: &'static str, who: &Caller) -> Result<(), Refusal> {
    let who = who.user.clone();
    let done = order(sandbox, move |conn, notes| {
        joining::accept_by_name(conn, notes, id, &who, &DEFAULTS)
    });
    done.await.map(|_| ())
}

fn secret() -> SecretHash {
    Pepper::fixed(1).hash(Purpose::Invitation, "secret")
}

async fn follow_link(sandbox: &Sandbox, who: &Caller) -> Result<Vec<String>, Refusal> {
    let who = who.user.clone();
    let done = order(sandbox, move |conn, notes| {
        joining::accept_link(conn, notes, secret(), &who, &DEFAULTS)
    });
    let (_, notes) = done.await?;
    Ok(refreshed(&notes).into_iter().map(str::to_owned).collect())
}

async fn a_slug_is_taken_once_and_by_users_too(sandbox: &Sandbox) {
    let ann = person(sandbox, "ann").await;
    let bob = person(sandbox, "bob").await;
    assert_eq!(create(sandbox, "crew", &ann).await, Ok(()));
    assert_eq!(create(sandbox, "crew", &bob).await, Err(Refusal::Exists));
    assert_eq!(create(sandbox, "ann", &bob).await, Err(Refusal::Exists));
    let (me, id) = (ann.user.clone(), OrganisationId::parse("id-crew").unwrap());
    let renamed = order(sandbox, move |conn, notes| {
        making::update(conn, notes, &me, &id, Some("bob"), None)
    });
    assert_eq!(renamed.await.err(), Some(Refusal::Exists));
}

async fn one_owns_so_many_and_no_more(sandbox: &Sandbox) {
    let ann = person(sandbox, "ann").await;
    assert_eq!(create(sandbox, "one", &ann).await, Ok(()));
    assert_eq!(create(sandbox, "two", &ann).await, Ok(()));
    let third = create(sandbox, "three", &ann).await;
    assert!(matches!(
        third,
        Err(Refusal::Quota(Quota::Organisations, _))
    ));
}

async fn an_admin_neither_makes_owners_nor_touches_them(sandbox: &Sandbox) {
    let ann = person(sandbox, "ann").await;
    let bob = person(sandbox, "bob").await;
    let cy = person(sandbox, "cy").await;
    let crew = team(
        sandbox,
        "crew",
        &[(&ann, Owner), (&bob, Admin), (&cy, Member)],
    )
    .await;
    let forbidden = Err(Refusal::Forbidden);
    assert_eq!(change(sandbox, &bob, &crew, &cy, Owner).await, forbidden);
    assert_eq!(change(sandbox, &bob, &crew, &ann, Member).await, forbidden);
    assert_eq!(change(sandbox, &bob, &crew, &bob, Owner).await, forbidden);
    assert_eq!(remove(sandbox, &bob, &crew, &ann).await, forbidden);
    assert_eq!(change(sandbox, &cy, &crew, &bob, Member).await, forbidden);
    assert_eq!(remove(sandbox, &cy, &crew, &bob).await, forbidden);
    let owners = invitation(&crew, &bob, Owner);
    assert_eq!(invite(sandbox, owners, "cy").await, Err(Refusal::Forbidden));
    assert_eq!(change(sandbox, &bob, &crew, &cy, Admin).await, Ok(vec![]));
    assert_eq!(change(sandbox, &ann, &crew, &cy, Owner).await, Ok(vec![]));
}

async fn who_may_give_less_has_given_no_more(sandbox: &Sandbox) {
    let ann = person(sandbox, "ann").await;
    let bob = person(sandbox, "bob").await;
    person(sandbox, "cy").await;
    let crew = team(sandbox, "crew", &[(&ann, Owner), (&bob, Owner)]).await;
    let open = [(Owner, "owner"), (Admin, "admin"), (Member, "member")].map(|(role, id)| {
        let id = id.to_owned();
        Invitation {
            id,
            ..invitation(&crew, &bob, role)
        }
    });
    ask(sandbox, move |conn| {
        open.iter()
            .try_for_each(|new| invitations::insert(conn, new, None))
    })
    .await;
    let left = || {
        let crew = crew.clone();
        ask(sandbox, move |conn| {
            let all = invitations::of_organisation(conn, &crew, clock::unix_ms())?;
            let ids: Vec<_> = all.into_iter().map(|one| one.invitation.id).collect();
            Ok(ids)
        })
    };
    assert_eq!(left().await, ["admin", "member", "owner"]);
    assert_eq!(change(sandbox, &ann, &crew, &bob, Admin).await, Ok(vec![]));
    assert_eq!(left().await, ["admin", "member"]);
    assert_eq!(change(sandbox, &ann, &crew, &bob, Owner).await, Ok(vec![]));
    assert_eq!(left().await, ["admin", "member"]);
    assert_eq!(change(sandbox, &ann, &crew, &bob, Member).await, Ok(vec![]));
    assert_eq!(left().await, [""; 0]);
}

async fn the_last_owner_stays(sandbox: &Sandbox) {
    let ann = person(sandbox, "ann").await;
    let bob = person(sandbox, "bob").await;
    let crew = team(sandbox, "crew", &[(&ann, Owner), (&bob, Admin)]).await;
    let last = unmet(Unmet::LastOwner);
    assert_eq!(change(sandbox, &ann, &crew, &ann, Admin).await, last);
    assert_eq!(remove(sandbox, &ann, &crew, &ann).await, last);
    assert_eq!(change(sandbox, &ann, &crew, &bob, Owner).await, Ok(vec![]));
    assert_eq!(change(sandbox, &ann, &crew, &ann, Admin).await, Ok(vec![]));
}

async fn a_stranger_is_told_what_is_told_of_nonsense(sandbox: &Sandbox) {
    let ann = person(sandbox, "ann").await;
    let eve = person(sandbox, "eve").await;
    let crew = team(sandbox, "crew", &[(&ann, Owner)]).await;
    let nonsense = OrganisationId::parse("nonsense").unwrap();
    for id in [&crew, &nonsense] {
        assert_eq!(
            change(sandbox, &eve, id, &ann, Member).await,
            Err(Refusal::NotFound)
        );
        assert_eq!(
            remove(sandbox, &eve, id, &eve).await,
            Err(Refusal::NotFound)
        );
        let new = invitation(id, &eve, Member);
        assert_eq!(invite(sandbox, new, "ann").await, Err(Refusal::NotFound));
    }
    // A member learns no more about who else has an account.
    assert_eq!(
        change(sandbox, &ann, &crew, &eve, Member).await,
        Err(Refusal::NotFound)
    );
    assert_eq!(
        remove(sandbox, &ann, &crew, &eve).await,
        Err(Refusal::NotFound)
    );
}

async fn a_personal_organisation_is_its_users_alone(sandbox: &Sandbox) {
    let ann = person(sandbox, "ann").await;
    person(sandbox, "bob").await;
    let home = &ann.organisation;
    let personal = unmet(Unmet::Personal);
    assert_eq!(
        invite(sandbox, invitation(home, &ann, Member), "bob").await,
        unmet(Unmet::Personal)
    );
    assert_eq!(remove(sandbox, &ann, home, &ann).await, personal);
    assert_eq!(change(sandbox, &ann, home, &ann, Member).await, personal);
    let (me, id) = (ann.user.clone(), home.clone());
    let deleted = order(sandbox, move |conn, notes| {
        making::delete(conn, notes, &me, &id, "home-of-ann")
    });
    assert_eq!(deleted.await.map(|_| ()), unmet(Unmet::Personal));
}

async fn who_is_removed_loses_what_rested_on_it_and_keeps_what_is_theirs(sandbox: &Sandbox) {
    let ann = person(sandbox, "ann").await;
    let bob = person(sandbox, "bob").await;
    let cy = person(sandbox, "cy").await;
    let crew = team(
        sandbox,
        "crew",
        &[(&ann, Owner), (&bob, Member), (&cy, Member)],
    )
    .await;
    let shared = workspace(sandbox, "shared", &crew, &ann).await;
    let all = workspace(sandbox, "all", &crew, &ann).await;
    let owned = workspace(sandbox, "owned", &crew, &bob).await;
    workspace(sandbox, "elsewhere", &bob.organisation, &bob).await;
    worker(sandbox, "w1", &crew, &bob).await;
    let (with_bob, with_all) = (
        shares::Grantee::User(bob.user.clone()),
        shares::Grantee::Organisation(crew.clone()),
    );
    let (by, w1) = (
        ann.user.clone(),
        schema::ids::WorkerId::parse("w1").unwrap(),
    );
    let (shared_, all_, owned_) = (shared.clone(), all.clone(), owned.clone());
    ask(sandbox, move |conn| {
        let editor = schema::wire::Role::Editor;
        shares::put(conn, &shared_, &with_bob, editor, &by, 1)?;
        shares::put(conn, &all_, &with_all, schema::wire::Role::Viewer, &by, 1)?;
        shares::attach(conn, &w1, &shared_)?;
        shares::attach(conn, &w1, &owned_)
    })
    .await;
    let lost = [
        "Access all bob MemberRemoved",
        "Access owned bob Transferred",
        "Access shared bob MemberRemoved",
        "Hosting w1 owned MemberRemoved",
        "Hosting w1 shared MemberRemoved",
    ];
    let lost = lost.map(str::to_owned).to_vec();
    assert_eq!(remove(sandbox, &ann, &crew, &bob).await, Ok(lost));
    let (bob_, home) = (bob.user.clone(), bob.organisation.clone());
    let (owner, worker, left) = ask(sandbox, move |conn| {
        let w1 = schema::ids::WorkerId::parse("w1").unwrap();
        let worker = workers::find(conn, &w1)?.unwrap();
        let owner = workspaces::find(conn, &owned)?.unwrap().owner;
        let left = shares::of(conn, &shared)?;
        assert!(shares::hosts(conn, &owned)?.is_empty());
        Ok((
            owner,
            (worker.owner == bob_, worker.organisation == home),
            left,
        ))
    })
    .await;
    assert_eq!((owner, worker), (ann.user.clone(), (true, true)));
    assert_eq!(left, []);
    assert_eq!(
        remove(sandbox, &ann, &crew, &bob).await,
        Err(Refusal::NotFound)
    );
}

async fn who_leaves_hands_over_to_the_longest_owner(sandbox: &Sandbox) {
    let ann = person(sandbox, "ann").await;
    let bob = person(sandbox, "bob").await;
    let cy = person(sandbox, "cy").await;
    let crew = team(
        sandbox,
        "crew",
        &[(&cy, Member), (&bob, Owner), (&ann, Owner)],
    )
    .await;
    let desk = workspace(sandbox, "desk", &crew, &cy).await;
    let lost = vec!["Access desk cy Transferred".to_owned()];
    assert_eq!(remove(sandbox, &cy, &crew, &cy).await, Ok(lost));
    let owner = ask(sandbox, move |conn| {
        Ok(workspaces::find(conn, &desk)?.unwrap().owner)
    });
    assert_eq!(owner.await, bob.user);
}

async fn a_role_in_the_organisation_is_none_in_its_workspaces(sandbox: &Sandbox) {
    let ann = person(sandbox, "ann").await;
    let bob = person(sandbox, "bob").await;
    let crew = team(sandbox, "crew", &[(&ann, Owner), (&bob, Admin)]).await;
    let desk = workspace(sandbox, "desk", &crew, &ann).await;
    let me = bob.user.clone();
    let seen = ask(sandbox, move |conn| workspaces::seen_by(conn, &me)).await;
    let seen: Vec<_> = seen.iter().map(|(one, role)| (&one.id, *role)).collect();
    assert_eq!(seen, [(&desk, schema::wire::Role::Unspecified)]);
    // So nothing is lost with it either.
    assert_eq!(change(sandbox, &ann, &crew, &bob, Member).await, Ok(vec![]));
    let me = bob.user.clone();
    assert!(
        ask(sandbox, move |conn| workspaces::seen_by(conn, &me))
            .await
            .is_empty()
    );
}

async fn an_invitation_is_the_invited_ones_to_accept_and_works_once(sandbox: &Sandbox) {
    let ann = person(sandbox, "ann").await;
    let bob = person(sandbox, "bob").await;
    let eve = person(sandbox, "eve").await;
    let crew = team(sandbox, "crew", &[(&ann, Owner)]).await;
    assert_eq!(
        invite(sandbox, invitation(&crew, &ann, Admin), "bob").await,
        Ok(())
    );
    assert_eq!(accept(sandbox, "i-ann", &eve).await, Err(Refusal::NotFound));
    let stranger = eve.user.clone();
    let declined = order(sandbox, move |conn, notes| {
        inviting::decline(conn, notes, &stranger, "i-ann")
    });
    assert_eq!(declined.await.err(), Some(Refusal::NotFound));
    let me = bob.user.clone();
    let mine = ask(sandbox, move |conn| {
        invitations::to_user(conn, &me, clock::unix_ms())
    });
    let mine = mine.await;
    assert_eq!(mine.len(), 1);
    assert_eq!(mine[0].invited_by, "ann");
    assert_eq!(mine[0].organisation_slug, "crew");
    assert_eq!(accept(sandbox, "i-ann", &bob).await, Ok(()));
    assert_eq!(accept(sandbox, "i-ann", &bob).await, Err(Refusal::NotFound));
    let (me, of) = (bob.user.clone(), crew.clone());
    let role = ask(sandbox, move |conn| memberships::role_of(conn, &of, &me));
    assert_eq!(role.await, Some(Admin));
    assert_eq!(
        invite(sandbox, invitation(&crew, &ann, Member), "bob").await,
        unmet(Unmet::Member)
    );
}

async fn an_unknown_name_gets_the_same_answer(sandbox: &Sandbox) {
    let ann = person(sandbox, "ann").await;
    let bob = person(sandbox, "bob").await;
    let crew = team(sandbox, "crew", &[(&ann, Owner)]).await;
    let shown = async |name: &'static str, id: &str| {
        let new = Invitation {
            id: id.to_owned(),
            created_ms: 1,
            expires_ms: i64::MAX,
            ..invitation(&crew, &ann, Member)
        };
        assert_eq!(invite(sandbox, new, name).await, Ok(()));
        let crew = crew.clone();
        let open = ask(sandbox, move |conn| {
            invitations::of_organisation(conn, &crew, 1)
        });
        let wire = |one: &invitations::Named| inviting::shown(one.clone());
        open.await.iter().map(wire).collect::<Vec<_>>()
    };
    let of_bob = shown("bob", "i1").await;
    assert_eq!((of_bob.len(), of_bob[0].username.as_str()), (1, "bob"));
    let both = shown("nobody", "i2").await;
    assert_eq!(both.len(), 2);
    let like_bobs = schema::wire::Invitation {
        invitation_id: "i2".to_owned(),
        username: "nobody".to_owned(),
        ..of_bob[0].clone()
    };
    assert_eq!(both[1], like_bobs);
    // Asked again, it is one all the same.
    assert_eq!(shown("nobody", "i3").await.len(), 2);
    assert_eq!(accept(sandbox, "i3", &bob).await, Err(Refusal::NotFound));
    let me = ann.user.clone();
    let revoked = order(sandbox, move |conn, notes| {
        inviting::revoke(conn, notes, &me, "i3")
    });
    assert!(revoked.await.is_ok());
}

async fn a_link_lets_in_so_many_and_until_it_is_revoked(sandbox: &Sandbox) {
    let ann = person(sandbox, "ann").await;
    let bob = person(sandbox, "bob").await;
    let cy = person(sandbox, "cy").await;
    let crew = team(sandbox, "crew", &[(&ann, Owner)]).await;
    let all = workspace(sandbox, "all", &crew, &ann).await;
    let new = Invitation {
        uses_left: 2,
        ..invitation(&crew, &ann, Member)
    };
    let (with_all, by) = (
        shares::Grantee::Organisation(crew.clone()),
        ann.user.clone(),
    );
    ask(sandbox, move |conn| {
        shares::put(conn, &all, &with_all, schema::wire::Role::Viewer, &by, 1)
    })
    .await;
    let made = order(sandbox, move |conn, notes| {
        inviting::link(conn, notes, &new, secret())
    });
    let (named, _) = made.await.unwrap();
    assert_eq!(named.unwrap().invitation.uses_left, 2);
    // Who joins may do what all members may.
    assert_eq!(follow_link(sandbox, &bob).await, Ok(vec!["bob".to_owned()]));
    assert_eq!(follow_link(sandbox, &bob).await, unmet(Unmet::Member));
    let me = ann.user.clone();
    let taken_back = order(sandbox, move |conn, notes| {
        inviting::revoke(conn, notes, &me, "i-ann")
    });
    assert!(taken_back.await.is_ok());
    assert_eq!(follow_link(sandbox, &cy).await, Err(Refusal::WrongCode));
}

async fn a_full_organisation_takes_nobody(sandbox: &Sandbox) {
    let ann = person(sandbox, "ann").await;
    let bob = person(sandbox, "bob").await;
    let cy = person(sandbox, "cy").await;
    person(sandbox, "dee").await;
    let crew = team(
        sandbox,
        "crew",
        &[(&ann, Owner), (&bob, Member), (&cy, Member)],
    )
    .await;
    assert_eq!(
        invite(sandbox, invitation(&crew, &ann, Member), "dee").await,
        Ok(())
    );
    let dee = Caller {
        user: UserId::parse("dee").unwrap(),
        ..ann.clone()
    };
    let full = accept(sandbox, "i-ann", &dee).await;
    assert!(matches!(full, Err(Refusal::Quota(Quota::Members, _))));
}

async fn quotas_of_its_own_come_before_the_hubs(sandbox: &Sandbox) {
    let ann = person(sandbox, "ann").await;
    let crew = team(sandbox, "crew", &[(&ann, Owner)]).await;
    let own = OrganisationQuotas {
        members: 1,
        workers: 2,
        channels: 3,
        bytes_per_second: 4,
    };
    let id = crew.clone();
    let found = ask(sandbox, move |conn| {
        let hubs = organisations::find(conn, &id)?.unwrap().quotas(&DEFAULTS);
        assert!(organisations::set_quotas(conn, &id, Some(&own))?);
        let its = organisations::find(conn, &id)?.unwrap().quotas(&DEFAULTS);
        assert!(organisations::set_quotas(conn, &id, None)?);
        let again = organisations::find(conn, &id)?.unwrap().quotas(&DEFAULTS);
        let nonsense = OrganisationId::parse("nonsense").unwrap();
        assert!(!organisations::set_quotas(conn, &nonsense, None)?);
        Ok([hubs, its, again])
    });
    assert_eq!(found.await, [DEFAULTS, own, DEFAULTS]);
}

async fn an_organisation_is_not_deleted_under_others_workers(sandbox: &Sandbox) {
    let ann = person(sandbox, "ann").await;
    let bob = person(sandbox, "bob").await;
    let crew = team(sandbox, "crew", &[(&ann, Owner), (&bob, Admin)]).await;
    worker(sandbox, "w1", &crew, &bob).await;
    let delete = |who: &Caller, typed: &'static str| {
        let (me, id) = (who.user.clone(), crew.clone());
        order(sandbox, move |conn, notes| {
            making::delete(conn, notes, &me, &id, typed)
        })
    };
    assert_eq!(delete(&bob, "crew").await.err(), Some(Refusal::Forbidden));
    let typed = Some(Refusal::Malformed(Field::SlugTyped));
    assert_eq!(delete(&ann, "crow").await.err(), typed);
    let held = Some(Refusal::Unmet(Unmet::HasWorkers));
    assert_eq!(delete(&ann, "crew").await.err(), held);
}

async fn a_deleted_organisation_ends_what_stood_with_it(sandbox: &Sandbox) {
    let ann = person(sandbox, "ann").await;
    let bob = person(sandbox, "bob").await;
    let crew = team(sandbox, "crew", &[(&ann, Owner), (&bob, Member)]).await;
    let all = workspace(sandbox, "all", &crew, &bob).await;
    worker(sandbox, "w1", &crew, &ann).await;
    let (with_all, by) = (
        shares::Grantee::Organisation(crew.clone()),
        bob.user.clone(),
    );
    ask(sandbox, move |conn| {
        shares::put(conn, &all, &with_all, schema::wire::Role::Viewer, &by, 1)
    })
    .await;
    let (me, id) = (ann.user.clone(), crew.clone());
    let deleted = order(sandbox, move |conn, notes| {
        making::delete(conn, notes, &me, &id, "crew")
    });
    let (_, notes) = deleted.await.unwrap();
    assert_eq!(
        revoked(&notes),
        [
            "Access all ann OrganisationDeleted",
            "Access all bob OrganisationDeleted"
        ]
    );
    let home = ask(sandbox, move |conn| {
        let w1 = schema::ids::WorkerId::parse("w1").unwrap();
        Ok(workers::find(conn, &w1)?.unwrap().organisation)
    });
    assert_eq!(home.await, ann.organisation);
}
