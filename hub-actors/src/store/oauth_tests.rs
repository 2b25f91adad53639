use super::*;
use crate::{
    store::{
        both::{Sandbox, on_both},
        cast,
        credentials::{self, NewCredential},
    },
    token::{Pepper, Purpose},
};

on_both! {
    the_oldest_journeys_make_room,
    tokens_that_were_replaced_meanwhile_stay,
    a_login_may_link_once_and_not_for_long,
}

fn state(number: i64) -> SecretHash {
    Pepper::fixed(1).hash(Purpose::OauthState, &number.to_string())
}

fn sealed(byte: u8) -> Sealed {
    Sealed::stored(vec![byte; 40])
}

fn add_provider(conn: &mut Connection) -> Result<(), Fault> {
    let provider = Provider {
        id: "p1".to_owned(),
        kind: Kind::Oidc,
        name: "Example".to_owned(),
        issuer: "https://id.example".to_owned(),
        client_id: "client".to_owned(),
        secret: sealed(1),
        scopes: String::new(),
        trusted_email: false,
        enabled: true,
        created_ms: 1,
    };
    assert!(insert_provider(conn, &provider)?);
    Ok(())
}

async fn the_oldest_journeys_make_room(sandbox: &Sandbox) {
    let left = cast::ask(sandbox, |conn| {
        add_provider(conn)?;
        for number in 1..=5 {
            let journey = Journey {
                provider: "p1".to_owned(),
                browser: vec![1; 32],
                nonce: String::new(),
                verifier: sealed(1),
                redirect_to: "/".to_owned(),
                linker: None,
            };
            begin(conn, state(number), &journey, number)?;
        }
        make_room(conn, 5)?;
        make_room(conn, 3)?;
        let mut left = Vec::new();
        for number in 1..=5 {
            left.push(is_under_way(conn, state(number), 0)?);
        }
        assert!(!is_under_way(conn, state(5), 5)?);
        Ok(left)
    });
    assert_eq!(left.await, [false, false, true, true, true]);
}

async fn a_login_may_link_once_and_not_for_long(sandbox: &Sandbox) {
    let ann = cast::person(sandbox, "ann").await;
    let may = cast::ask(sandbox, move |conn| {
        let new = NewCredential {
            id: &ann.credential,
            user: &ann.user,
            kind: credentials::Kind::Login,
            parent: None,
            hash: None,
            expires_ms: None,
        };
        credentials::insert(conn, &new, 1)?;
        let mut may = vec![take_link(conn, &ann.credential, 5)?];
        // Asked for twice it is still one.
        allow_link(conn, &ann.credential, 7)?;
        allow_link(conn, &ann.credential, 9)?;
        may.push(take_link(conn, &ann.credential, 8)?);
        may.push(take_link(conn, &ann.credential, 8)?);
        allow_link(conn, &ann.credential, 9)?;
        may.push(take_link(conn, &ann.credential, 9)?);
        Ok(may)
    });
    assert_eq!(may.await, [false, true, false, false]);
}

async fn tokens_that_were_replaced_meanwhile_stay(sandbox: &Sandbox) {
    let ann = cast::person(sandbox, "ann").await;
    let kept = cast::ask(sandbox, move |conn| {
        add_provider(conn)?;
        link(conn, "p1", "4711", &ann.user, 1)?;
        keep_tokens(conn, "p1", "4711", &sealed(1), Some(10))?;
        let old = due(conn, 10, 9)?.pop().unwrap();
        // Ann signs in while they are being refreshed.
        keep_tokens(conn, "p1", "4711", &sealed(2), Some(20))?;
        replace_tokens(conn, &old, None, None)?;
        replace_tokens(conn, &old, Some(&sealed(3)), Some(30))?;
        put_off(conn, &old, 40)?;
        let newer = due(conn, 20, 9)?.pop().unwrap();
        replace_tokens(conn, &newer, Some(&sealed(4)), Some(50))?;
        let newest = due(conn, 50, 9)?.pop().unwrap();
        Ok((newer.tokens, newest.tokens))
    });
    let (newer, newest) = kept.await;
    assert_eq!(newer.as_bytes(), sealed(2).as_bytes());
    assert_eq!(newest.as_bytes(), sealed(4).as_bytes());
}
