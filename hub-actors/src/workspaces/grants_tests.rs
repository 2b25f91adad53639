use bytes::Bytes;
use schema::{
    ids::{OrganisationId, WorkerId, WorkspaceId},
    wire::{
        GrantCertificate,
        OrganisationRole::{Member, Owner},
        Role::{self, Editor, Unspecified, Viewer},
    },
};

use super::*;
use crate::{
    devices::signed::tests::a_grant,
    notes::Notes,
    store::{
        both::{Sandbox, on_both},
        cast::{ask, order, person, refreshed, team, worker, workspace},
        shares,
        workspaces::{self, NewWorkspace},
    },
};

on_both! {
    a_grant_is_wanted_published_and_wanted_back,
    only_the_workers_owner_publishes_and_only_for_it,
    who_is_nothing_there_gets_nothing,
    a_grantee_is_shown_what_speaks_for_them,
    what_holds_no_longer_takes_no_place,
}

struct Stage {
    ann: Caller,
    bob: Caller,
    eve: Caller,
    desk: WorkspaceId,
    w1: WorkerId,
}

/// Ann's desk, which her Worker hosts, shared with Bob.
async fn stage(sandbox: &Sandbox) -> Stage {
    let ann = person(sandbox, "ann").await;
    let bob = person(sandbox, "bob").await;
    let eve = person(sandbox, "eve").await;
    let crew = team(
        sandbox,
        "crew",
        &[(&ann, Owner), (&bob, Member), (&eve, Member)],
    )
    .await;
    let desk = workspace(sandbox, "desk", &crew, &ann).await;
    let w1 = worker(sandbox, "w1", &crew, &ann).await;
    let (with, by) = (shares::Grantee::User(bob.user.clone()), ann.user.clone());
    let (w, id) = (w1.clone(), desk.clone());
    ask(sandbox, move |conn| {
        shares::attach(conn, &w, &id)?;
        shares::put(conn, &id, &with, Viewer, &by, 1)
    })
    .await;
    Stage {
        ann,
        bob,
        eve,
        desk,
        w1,
    }
}

fn soon() -> u64 {
    u64::try_from(clock::unix_ms() / 1_000).unwrap() + 86_400
}

fn grant_for(change: impl FnOnce(&mut GrantCertificate)) -> Bytes {
    let bytes = a_grant(|said| {
        said.expires_at = soon();
        change(said);
    });
    bytes.into()
}

async fn publish_as(
    sandbox: &Sandbox,
    who: &Caller,
    worker: &WorkerId,
    signed: Bytes,
) -> Result<Notes, Refusal> {
    let new = read(&[signed], worker)?;
    let (who, worker) = (who.clone(), worker.clone());
    let done = order(sandbox, move |conn, notes| {
        publish(conn, notes, &who, &worker, &new)
    });
    done.await.map(|(_, notes)| notes)
}

async fn wanted(sandbox: &Sandbox, stage: &Stage) -> Vec<(String, Role, u64, Role)> {
    let (owner, worker) = (stage.ann.user.clone(), stage.w1.clone());
    let all = ask(sandbox, move |conn| grantees(conn, &owner, &worker)).await;
    all.iter()
        .map(|one| {
            (
                one.username.clone(),
                one.role(),
                one.newest_serial,
                one.certified_role(),
            )
        })
        .collect()
}

async fn a_grant_is_wanted_published_and_wanted_back(sandbox: &Sandbox) {
    let stage = stage(sandbox).await;
    let bob = || "bob".to_owned();
    assert_eq!(
        wanted(sandbox, &stage).await,
        [(bob(), Viewer, 0, Unspecified)]
    );
    let new = grant_for(|said| said.serial = 7);
    let notes = publish_as(sandbox, &stage.ann, &stage.w1, new)
        .await
        .unwrap();
    assert_eq!(refreshed(&notes), ["bob"]);
    assert_eq!(wanted(sandbox, &stage).await, [(bob(), Viewer, 7, Viewer)]);
    for serial in [6, 7] {
        let older = grant_for(|said| {
            said.serial = serial;
            said.role = Editor.into();
        });
        let notes = publish_as(sandbox, &stage.ann, &stage.w1, older)
            .await
            .unwrap();
        assert_eq!(refreshed(&notes), [""; 0]);
    }
    let (with, id) = (
        shares::Grantee::User(stage.bob.user.clone()),
        stage.desk.clone(),
    );
    ask(sandbox, move |conn| shares::delete(conn, &id, &with)).await;
    assert_eq!(
        wanted(sandbox, &stage).await,
        [(bob(), Unspecified, 7, Viewer)]
    );
    // Made before the share was taken back, published after.
    let late = grant_for(|said| said.serial = 8);
    publish_as(sandbox, &stage.ann, &stage.w1, late)
        .await
        .unwrap();
    assert_eq!(
        wanted(sandbox, &stage).await,
        [(bob(), Unspecified, 7, Viewer)]
    );
    let back = grant_for(|said| {
        said.serial = 9;
        said.role = Unspecified.into();
    });
    let notes = publish_as(sandbox, &stage.ann, &stage.w1, back)
        .await
        .unwrap();
    assert_eq!(refreshed(&notes), ["bob"]);
    assert!(wanted(sandbox, &stage).await.is_empty());
}

async fn only_the_workers_owner_publishes_and_only_for_it(sandbox: &Sandbox) {
    let stage = stage(sandbox).await;
    let new = || grant_for(|_| {});
    let grantee = publish_as(sandbox, &stage.bob, &stage.w1, new()).await;
    assert_eq!(grantee.err(), Some(Refusal::Forbidden));
    let stranger = publish_as(sandbox, &stage.eve, &stage.w1, new()).await;
    assert_eq!(stranger.err(), Some(Refusal::NotFound));
    let malformed = Some(Refusal::Malformed(Field::Certificate));
    let refused: [Bytes; 4] = [
        grant_for(|said| said.worker_id = "w2".to_owned()),
        grant_for(|said| said.grantee_user_id = "ann".to_owned()),
        grant_for(|said| said.expires_at = soon() + 40 * 86_400),
        Bytes::from_static(b"nonsense"),
    ];
    for signed in refused {
        let done = publish_as(sandbox, &stage.ann, &stage.w1, signed).await;
        assert_eq!(done.err(), malformed);
    }
}

async fn who_is_nothing_there_gets_nothing(sandbox: &Sandbox) {
    let stage = stage(sandbox).await;
    for user in ["eve", "nobody"] {
        let signed = grant_for(|said| said.grantee_user_id = user.to_owned());
        let notes = publish_as(sandbox, &stage.ann, &stage.w1, signed)
            .await
            .unwrap();
        assert_eq!(refreshed(&notes), [""; 0]);
    }
    assert_eq!(wanted(sandbox, &stage).await.len(), 1);
}

async fn a_grantee_is_shown_what_speaks_for_them(sandbox: &Sandbox) {
    let stage = stage(sandbox).await;
    let new = grant_for(|_| {});
    publish_as(sandbox, &stage.ann, &stage.w1, new.clone())
        .await
        .unwrap();
    let shown = |who: &Caller| {
        let (user, worker) = (who.user.clone(), stage.w1.clone());
        ask(sandbox, move |conn| {
            sorted(certificates(conn, &user, &worker))
        })
    };
    assert_eq!(shown(&stage.bob).await, Ok(vec![new]));
    assert_eq!(shown(&stage.ann).await, Ok(vec![]));
    assert_eq!(shown(&stage.eve).await, Err(Refusal::NotFound));
}

async fn what_holds_no_longer_takes_no_place(sandbox: &Sandbox) {
    let stage = stage(sandbox).await;
    let (bob, w1, signed) = (stage.bob.user.clone(), stage.w1.clone(), grant_for(|_| {}));
    let ann = stage.ann.user.clone();
    ask(sandbox, move |conn| {
        for at in 0..GRANTEE_MAX {
            let other = NewWorkspace {
                id: WorkspaceId::parse(&format!("other-{at}")).unwrap(),
                organisation: OrganisationId::parse("crew").unwrap(),
                owner: ann.clone(),
                title: "other".to_owned(),
            };
            workspaces::insert(conn, &other, 1)?;
            let old = Grant {
                id: format!("g{at}"),
                workspace: other.id,
                grantee: bob.clone(),
                serial: 1,
                signed: signed.to_vec(),
                expires_ms: 1,
            };
            grants::replace(conn, &w1, &old, 1)?;
        }
        Ok(())
    })
    .await;
    let new = grant_for(|said| said.serial = 7);
    let notes = publish_as(sandbox, &stage.ann, &stage.w1, new).await;
    assert_eq!(refreshed(&notes.unwrap()), ["bob"]);
    let w1 = stage.w1.clone();
    assert_eq!(
        ask(sandbox, move |conn| grants::at(conn, &w1)).await.len(),
        1
    );
}
