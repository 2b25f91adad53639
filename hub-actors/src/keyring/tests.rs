use std::os::unix::fs::PermissionsExt as _;

use proptest::prelude::*;
use tempfile::TempDir;

use super::{
    orders::{self, KeyOrderError},
    *,
};
use crate::{
    notes::Author,
    private_file,
    store::{
        audit::Actor,
        both::{Sandbox, on_both},
        sealed as columns,
        tables::{oauth_links, oauth_providers, oauth_states, users},
    },
    token::{Pepper, Purpose},
};

fn ring(text: &str) -> Result<Ring, RingError> {
    Ring::parse(text)
}

/// 32 bytes of sevens.
const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

#[test]
fn a_key_file_has_its_lines_and_no_others() {
    let good = format!("1:{KEY}\n12:{KEY}\npepper:{KEY}\n");
    let read = ring(&good).unwrap();
    assert_eq!(read.active(), 12);
    assert_eq!(*read.to_text(), good);
    assert!(ring(good.trim_end()).is_ok());
    let wrong = [
        (String::new(), RingError::NoKey),
        (format!("pepper:{KEY}\n"), RingError::NoKey),
        (format!("1:{KEY}\n"), RingError::NoPepper),
        (format!("1:{KEY}\n\npepper:{KEY}"), RingError::Line(2)),
        (
            format!("1:{KEY}\n1:{KEY}\npepper:{KEY}"),
            RingError::Twice(2),
        ),
        (
            format!("pepper:{KEY}\n1:{KEY}\npepper:{KEY}"),
            RingError::Twice(3),
        ),
        (format!("01:{KEY}"), RingError::Line(1)),
        (format!("+1:{KEY}"), RingError::Line(1)),
        (format!("0:{KEY}"), RingError::Line(1)),
        (format!("4294967296:{KEY}"), RingError::Line(1)),
        (format!(":{KEY}"), RingError::Line(1)),
        (format!("1 :{KEY}"), RingError::Line(1)),
        (format!("1: {KEY}"), RingError::Line(1)),
        (format!("1:{}", &KEY[4..]), RingError::Line(1)),
        (format!("1:AAAA{KEY}"), RingError::Line(1)),
        (
            format!("1:{}", KEY.trim_end_matches('=')),
            RingError::Line(1),
        ),
        ("1:".to_owned(), RingError::Line(1)),
    ];
    for (text, why) in wrong {
        assert_eq!(ring(&text).err(), Some(why), "{text}");
    }
    let many: String = (1..=257)
        .map(|version| format!("{version}:{KEY}\n"))
        .collect();
    assert_eq!(
        ring(&format!("{many}pepper:{KEY}")).err(),
        Some(RingError::TooMany)
    );
}

fn places() -> Vec<Place> {
    let text = str::to_owned;
    vec![
        Place::ClientSecret {
            provider: text("ab"),
        },
        Place::ClientSecret {
            provider: text("abc"),
        },
        Place::LinkTokens {
            provider: text("ab"),
            subject: text("c"),
        },
        Place::LinkTokens {
            provider: text("a"),
            subject: text("bc"),
        },
        Place::LinkTokens {
            provider: text(""),
            subject: text("abc"),
        },
        Place::StateVerifier {
            state: b"ab".to_vec(),
        },
        Place::KeyCheck,
    ]
}

#[test]
fn what_is_sealed_opens_in_its_place_only() {
    let ring = Ring::new(1, Zeroizing::new([1; 32]), Zeroizing::new([2; 32]));
    for home in places() {
        let sealed = ring.seal(&home, [3; 24], b"secret");
        for place in places() {
            let opened = ring.open(&place, &sealed).map(|plain| plain.to_vec());
            let expected = if place == home {
                Ok(b"secret".to_vec())
            } else {
                Err(Unopened::Refused)
            };
            assert_eq!(opened, expected, "{home:?} in {place:?}");
        }
    }
}

#[test]
fn a_ciphertext_does_not_pass_for_another_version_even_of_the_same_key() {
    let mut ring = Ring::new(1, Zeroizing::new([1; 32]), Zeroizing::new([2; 32]));
    let sealed = ring.seal(&Place::KeyCheck, [3; 24], b"secret");
    ring.add(2, Zeroizing::new([1; 32]));
    let mut bytes = sealed.as_bytes().to_vec();
    bytes[3] = 2;
    let moved = ring.open(&Place::KeyCheck, &Sealed::stored(bytes.clone()));
    assert_eq!(moved.err(), Some(Unopened::Refused));
    bytes[3] = 3;
    let unknown = ring.open(&Place::KeyCheck, &Sealed::stored(bytes));
    assert_eq!(unknown.err(), Some(Unopened::Version(3)));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_and_what_is_read_has_one_form(text in "[0-9a-zA-Z+/=:\n]{0,200}") {
        if let Ok(read) = ring(&text) {
            let again = ring(&read.to_text()).unwrap();
            prop_assert_eq!(again.to_text(), read.to_text());
        }
    }

    #[test]
    fn a_ring_is_read_as_it_was_written(
        keys in prop::collection::btree_map(1..=u32::MAX, any::<[u8; 32]>(), 1..8),
        pepper in any::<[u8; 32]>(),
    ) {
        let mut keys = keys.into_iter().map(|(version, key)| (version, Zeroizing::new(key)));
        let (version, key) = keys.next().unwrap();
        let mut made = Ring::new(version, key, Zeroizing::new(pepper));
        keys.for_each(|(version, key)| made.add(version, key));
        let read = ring(&made.to_text()).unwrap();
        prop_assert_eq!(read.to_text(), made.to_text());
        prop_assert_eq!(read.pepper(), &pepper);
        prop_assert_eq!(read.active(), made.versions().max().unwrap());
    }

    #[test]
    fn one_changed_bit_or_a_missing_end_keeps_it_shut(
        plain in prop::collection::vec(any::<u8>(), 0..80),
        nonce in any::<[u8; 24]>(),
        at in any::<prop::sample::Index>(),
        bit in 0..8,
    ) {
        let ring = Ring::new(1, Zeroizing::new([1; 32]), Zeroizing::new([2; 32]));
        let sealed = ring.seal(&Place::KeyCheck, nonce, &plain);
        prop_assert_eq!(&*ring.open(&Place::KeyCheck, &sealed).unwrap(), &plain);
        let mut bytes = sealed.as_bytes().to_vec();
        let at = at.index(bytes.len());
        let cut = Sealed::stored(bytes[..at].to_vec());
        prop_assert!(ring.open(&Place::KeyCheck, &cut).is_err());
        bytes[at] ^= 1_u8 << bit;
        prop_assert!(ring.open(&Place::KeyCheck, &Sealed::stored(bytes)).is_err());
    }
}

/// A database and the folder of its key file.
struct Bench<'a> {
    store: &'a Store,
    folder: TempDir,
}

impl<'a> Bench<'a> {
    fn new(sandbox: &'a Sandbox) -> Self {
        Self {
            store: &sandbox.store,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(file::NAME)
    }

    fn old_pepper(&self) -> PathBuf {
        self.folder.path().join(file::OLD_PEPPER)
    }

    async fn load(&self) -> Result<Keyring, KeyringError> {
        Keyring::for_database(self.store, &self.path(), &self.old_pepper()).await
    }

    async fn refused(&self) -> KeyringError {
        let before = std::fs::read(self.path()).ok();
        let refused = self.load().await.err().unwrap();
        // Whatever it says, it has changed nothing.
        assert_eq!(std::fs::read(self.path()).ok(), before);
        refused
    }

    /// Puts a secret into each kind of place.
    async fn fill(&self, keyring: Arc<Keyring>, rows: usize) {
        let filled = self.store.write(move |conn| {
            use diesel::{ExpressionMethods as _, RunQueryDsl as _};
            let number = |at: usize| format!("{at:03}");
            diesel::insert_into(users::table)
                .values((
                    users::id.eq("u_1"),
                    users::username.eq("ada"),
                    users::display_name.eq("Ada"),
                    users::email_verified.eq(false),
                    users::admin.eq(true),
                    users::created_ms.eq(0),
                    users::failed_logins.eq(0),
                    users::locked_until_ms.eq(0),
                ))
                .execute(conn)?;
            for at in 0..rows {
                let provider = number(at);
                let place = Place::ClientSecret {
                    provider: provider.clone(),
                };
                diesel::insert_into(oauth_providers::table)
                    .values((
                        oauth_providers::id.eq(&provider),
                        oauth_providers::kind.eq(1),
                        oauth_providers::name.eq(&provider),
                        oauth_providers::issuer.eq(""),
                        oauth_providers::client_id.eq(""),
                        oauth_providers::sealed_client_secret
                            .eq(keyring.seal(&place, b"client")?.as_bytes()),
                        oauth_providers::scopes.eq(""),
                        oauth_providers::trusted_email.eq(false),
                        oauth_providers::enabled.eq(true),
                        oauth_providers::created_ms.eq(0),
                    ))
                    .execute(conn)?;
                let place = Place::LinkTokens {
                    provider: provider.clone(),
                    subject: "s".to_owned(),
                };
                // Every second one has no tokens.
                let tokens = (at % 2 == 0)
                    .then(|| keyring.seal(&place, b"tokens"))
                    .transpose()?;
                diesel::insert_into(oauth_links::table)
                    .values((
                        oauth_links::provider_id.eq(&provider),
                        oauth_links::subject.eq("s"),
                        oauth_links::user_id.eq("u_1"),
                        oauth_links::sealed_tokens.eq(tokens.as_ref().map(Sealed::as_bytes)),
                        oauth_links::created_ms.eq(0),
                    ))
                    .execute(conn)?;
                let place = Place::StateVerifier {
                    state: provider.clone().into_bytes(),
                };
                diesel::insert_into(oauth_states::table)
                    .values((
                        oauth_states::secret_hash.eq(provider.as_bytes()),
                        oauth_states::provider_id.eq(&provider),
                        oauth_states::browser_hash.eq(b"b".as_slice()),
                        oauth_states::nonce.eq(""),
                        oauth_states::sealed_verifier
                            .eq(keyring.seal(&place, b"verifier")?.as_bytes()),
                        oauth_states::redirect_to.eq("/"),
                        oauth_states::expires_ms.eq(0),
                    ))
                    .execute(conn)?;
            }
            Ok(Ok::<_, Fault>(()))
        });
        filled.await.unwrap().unwrap();
    }
}

fn author() -> Author {
    Author {
        actor: Actor::Operator,
        id: "root".to_owned(),
        address: String::new(),
    }
}

on_both! {
    a_new_database_gets_a_key_file_and_keeps_it,
    a_lost_file_is_not_replaced,
    a_file_of_another_database_is_refused,
    a_pepper_of_before_moves_into_the_key_file,
    two_peppers_are_one_too_many,
    keys_rotate_under_a_running_hub_and_old_ones_go,
    a_key_that_is_needed_stays,
    a_ciphertext_that_was_moved_stops_the_walk,
    a_new_pepper_ends_every_secret,
    a_crash_while_the_pepper_is_replaced_can_be_survived,
}

async fn a_new_database_gets_a_key_file_and_keeps_it(sandbox: &Sandbox) {
    let bench = Bench::new(sandbox);
    let made = bench.load().await.unwrap();
    let mode = std::fs::metadata(bench.path())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let sealed = made.seal(&Place::KeyCheck, b"secret").unwrap();
    let read = bench.load().await.unwrap();
    assert_eq!(*read.open(&Place::KeyCheck, &sealed).unwrap(), b"secret");
    std::fs::set_permissions(bench.path(), std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(
        bench.refused().await,
        KeyringError::File(PrivateFileError::Exposed)
    ));
}

async fn a_lost_file_is_not_replaced(sandbox: &Sandbox) {
    let bench = Bench::new(sandbox);
    bench.load().await.unwrap();
    std::fs::remove_file(bench.path()).unwrap();
    assert!(matches!(bench.refused().await, KeyringError::Missing));
    // Nor is it taken for a database from before there were keys.
    private_file::write(&bench.old_pepper(), &[7; 32]).unwrap();
    assert!(matches!(bench.refused().await, KeyringError::Missing));
    private_file::write(&bench.path(), b"1:nonsense").unwrap();
    std::fs::remove_file(bench.old_pepper()).unwrap();
    assert!(matches!(
        bench.refused().await,
        KeyringError::Corrupt(RingError::Line(1))
    ));
}

async fn a_file_of_another_database_is_refused(sandbox: &Sandbox) {
    let bench = Bench::new(sandbox);
    bench.load().await.unwrap();
    let right = file::read(&bench.path()).unwrap().unwrap();
    let pepper = || Zeroizing::new(*right.pepper());
    let wrong = Ring::new(1, Zeroizing::new([9; 32]), pepper());
    file::write(&bench.path(), &wrong).unwrap();
    assert!(matches!(bench.refused().await, KeyringError::WrongKey(1)));
    let newer = Ring::new(7, Zeroizing::new([9; 32]), pepper());
    file::write(&bench.path(), &newer).unwrap();
    assert!(matches!(
        bench.refused().await,
        KeyringError::MissingVersion(1)
    ));
    let mut other = right;
    other.set_pepper(Zeroizing::new([9; 32]));
    file::write(&bench.path(), &other).unwrap();
    assert!(matches!(bench.refused().await, KeyringError::WrongPepper));
}

async fn a_pepper_of_before_moves_into_the_key_file(sandbox: &Sandbox) {
    let bench = Bench::new(sandbox);
    let pepper = Zeroizing::new([7; 32]);
    private_file::write(&bench.old_pepper(), pepper.as_slice()).unwrap();
    let keyring = bench.load().await.unwrap();
    assert!(!bench.old_pepper().exists());
    let moved = Pepper::new(Arc::new(keyring)).hash(Purpose::Login, "a");
    assert!(moved == Pepper::fixed(7).hash(Purpose::Login, "a"));
    // A crash before the old file was removed.
    private_file::write(&bench.old_pepper(), pepper.as_slice()).unwrap();
    bench.load().await.unwrap();
    assert!(!bench.old_pepper().exists());
}

async fn two_peppers_are_one_too_many(sandbox: &Sandbox) {
    let bench = Bench::new(sandbox);
    bench.load().await.unwrap();
    private_file::write(&bench.old_pepper(), &[7; 32]).unwrap();
    assert!(matches!(bench.refused().await, KeyringError::TwoPeppers));
    assert!(bench.old_pepper().exists());
}

async fn keys_rotate_under_a_running_hub_and_old_ones_go(sandbox: &Sandbox) {
    let bench = Bench::new(sandbox);
    let (store, path) = (bench.store, bench.path());
    let running = Arc::new(bench.load().await.unwrap());
    bench.fill(Arc::clone(&running), 70).await;
    let pepper = *running.recent().pepper();
    assert_eq!(orders::rotate(store, &path, author()).await.unwrap(), 2);
    // The Hub seals with the new key at once, and opens with both.
    let place = Place::ClientSecret {
        provider: "x".to_owned(),
    };
    let sealed = running.seal(&place, b"secret").unwrap();
    assert_eq!(sealed.parts().unwrap().0, 2);
    assert_eq!(*running.open(&place, &sealed).unwrap(), b"secret");
    assert_eq!(running.recent().pepper(), &pepper);

    let referenced = orders::remove(store, &path, 1, author()).await.unwrap_err();
    assert!(matches!(
        referenced,
        KeyOrderError::Referenced {
            version: 1,
            rows: 175
        }
    ));
    let done = orders::reencrypt(store, &path, author()).await.unwrap();
    assert_eq!((done.version, done.rows), (2, 175));
    let again = orders::reencrypt(store, &path, author()).await.unwrap();
    assert_eq!(again.rows, 0);
    orders::remove(store, &path, 1, author()).await.unwrap();
    let left = orders::list(store, &path).await.unwrap();
    let left: Vec<_> = left
        .iter()
        .map(|one| (one.version, one.active, one.rows))
        .collect();
    assert_eq!(left, [(2, true, 175)]);

    let started = bench.load().await.unwrap();
    let rows = store.run(|conn| columns::behind(conn, columns::Column::LinkTokens, 99, 100));
    let rows = rows.await.unwrap();
    assert_eq!(rows.len(), 35);
    for (place, sealed) in rows {
        assert_eq!(*started.open(&place, &sealed).unwrap(), b"tokens");
        assert_eq!(*running.open(&place, &sealed).unwrap(), b"tokens");
    }
}

async fn a_key_that_is_needed_stays(sandbox: &Sandbox) {
    let bench = Bench::new(sandbox);
    let (store, path) = (bench.store, bench.path());
    bench.load().await.unwrap();
    let active = orders::remove(store, &path, 1, author()).await.unwrap_err();
    assert!(matches!(active, KeyOrderError::Active(1)));
    let unknown = orders::remove(store, &path, 2, author()).await.unwrap_err();
    assert!(matches!(unknown, KeyOrderError::NoVersion(2)));
    // A number that was used is never used again, not even after an older file was restored.
    let old = std::fs::read(&path).unwrap();
    orders::rotate(store, &path, author()).await.unwrap();
    private_file::write(&path, &old).unwrap();
    assert_eq!(orders::rotate(store, &path, author()).await.unwrap(), 3);
}

async fn a_ciphertext_that_was_moved_stops_the_walk(sandbox: &Sandbox) {
    let bench = Bench::new(sandbox);
    let (store, path) = (bench.store, bench.path());
    let running = Arc::new(bench.load().await.unwrap());
    bench.fill(running, 2).await;
    let swapped = store.write(|conn| {
        let rows = columns::behind(conn, columns::Column::ClientSecrets, 99, 2)?;
        columns::replace(conn, &rows[0].0, &rows[1].1).map(Ok::<_, Fault>)
    });
    swapped.await.unwrap().unwrap();
    orders::rotate(store, &path, author()).await.unwrap();
    let stopped = orders::reencrypt(store, &path, author()).await.unwrap_err();
    assert!(matches!(
        stopped,
        KeyOrderError::Fault(Fault::Sealed(Unopened::Refused))
    ));
    let kept = orders::remove(store, &path, 1, author()).await.unwrap_err();
    assert!(matches!(kept, KeyOrderError::Referenced { .. }));
}

async fn a_new_pepper_ends_every_secret(sandbox: &Sandbox) {
    use crate::store::{credentials, ledger};
    let bench = Bench::new(sandbox);
    let (store, path) = (bench.store, bench.path());
    let running = Arc::new(bench.load().await.unwrap());
    bench.fill(Arc::clone(&running), 3).await;
    let old = *running.recent().pepper();
    let hash = Pepper::new(running).hash(Purpose::Login, "a");
    let signed_in = store.write(move |conn| {
        let login = credentials::NewCredential {
            id: &schema::ids::CredentialId::parse("c_1").unwrap(),
            user: &schema::ids::UserId::parse("u_1").unwrap(),
            kind: credentials::Kind::Login,
            parent: None,
            hash: Some(hash),
            expires_ms: None,
        };
        credentials::insert(conn, &login, 0).map(Ok::<_, Fault>)
    });
    signed_in.await.unwrap().unwrap();
    let swept = orders::rotate_pepper(store, &path, author(), Duration::ZERO)
        .await
        .unwrap();
    assert_eq!((swept.credentials, swept.workers, swept.others), (1, 0, 3));
    let entries = store
        .run(|conn| ledger::read_after(conn, 0, 10))
        .await
        .unwrap();
    assert_eq!(entries.len(), 1);
    let started = bench.load().await.unwrap();
    assert_ne!(started.recent().pepper(), &old);
    // The keys are as they were: what is sealed still opens.
    let rows = store.run(|conn| columns::behind(conn, columns::Column::ClientSecrets, 99, 10));
    for (place, sealed) in rows.await.unwrap() {
        assert_eq!(*started.open(&place, &sealed).unwrap(), b"client");
    }
}

async fn a_crash_while_the_pepper_is_replaced_can_be_survived(sandbox: &Sandbox) {
    let bench = Bench::new(sandbox);
    let (store, path) = (bench.store, bench.path());
    bench.load().await.unwrap();
    // The future is dropped in the pause between the new pepper and the last look.
    let hour = Duration::from_secs(3_600);
    let before = std::fs::read(&path).unwrap();
    let interrupted = orders::rotate_pepper(store, &path, author(), hour);
    let changed = async {
        while std::fs::read(&path).unwrap() == before {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = interrupted => panic!("an hour is long"),
        () = changed => {}
    }
    bench.load().await.unwrap();
    orders::rotate_pepper(store, &path, author(), Duration::ZERO)
        .await
        .unwrap();
    bench.load().await.unwrap();
}

#[test]
fn what_was_written_while_the_file_was_read_is_read_at_the_next_look() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(file::NAME);
    // The stamp is of before, the file of after.
    let read = file::create(&path).unwrap();
    let stamp = Stamp::of(&path);
    std::fs::remove_file(&path).unwrap();
    let written = file::create(&path).unwrap();
    assert_ne!(read.pepper(), written.pepper());
    let keyring = Keyring::new(Some(path), Arc::new(read), stamp);
    assert_eq!(keyring.look().pepper(), written.pepper());
}
