use tempfile::{TempDir, tempdir};

use super::*;
use crate::devices as offline;

const OWNER: &str = "ada";

fn user(name: &str) -> UserId {
    UserId::parse(name).expect("an id")
}

fn claim(name: &str, key: u8) -> ClaimedDevice {
    ClaimedDevice {
        user: user(name),
        algorithm: 1,
        key: vec![key; 32].into(),
        mode: Mode::Classic,
        certificates: Vec::new(),
        delegated: false,
    }
}

fn book(folder: &TempDir, local_device_file: Option<PathBuf>) -> DeviceBook {
    DeviceBook::open(BookParts {
        store: Store::open(folder.path()).expect("a store"),
        policy: Policy::KnownDevices,
        mode: Mode::Classic,
        worker: WorkerId::parse("w").expect("an id"),
        owner: user(OWNER),
        first_use: true,
        local_device_file,
    })
    .expect("a book")
}

async fn verdict(book: &DeviceBook, claim: &ClaimedDevice) -> Verdict {
    book.judge(claim.clone()).await.expect("a verdict").verdict
}

#[tokio::test]
async fn a_removed_command_line_stays_removed_in_both_modes_although_its_file_names_it() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("device.pub");
    let (classic, whole) = (claim(OWNER, 7), vec![7; 1984]);
    let lines = [hex::encode(&classic.key), hex::encode(&whole)];
    std::fs::write(&file, lines.join("\n")).expect("a file");
    let book = book(&folder, Some(file));
    assert!(matches!(
        verdict(&book, &classic).await,
        Verdict::Trusted { .. }
    ));
    let removed = book.remove(None, classic.key.clone()).await;
    assert_eq!(removed.map_err(|_| ()), Ok(Followed::Done));
    assert_eq!(verdict(&book, &classic).await, Verdict::Unknown);
    let other_half = ClaimedDevice {
        algorithm: 2,
        key: whole.into(),
        mode: Mode::PostQuantum,
        ..classic.clone()
    };
    assert_eq!(verdict(&book, &other_half).await, Verdict::Unknown);
    book.reread().expect("read");
    assert_eq!(verdict(&book, &classic).await, Verdict::Unknown);
    assert!(book.standing(&classic).is_none());
}

/// Both changes wait for the database, in whatever order it lets them through.
#[tokio::test]
async fn a_removal_is_not_undone_by_whoever_reads_the_devices_at_the_same_time() {
    let folder = tempdir().expect("a folder");
    let book = book(&folder, None);
    verdict(&book, &claim(OWNER, 1)).await;
    for key in 2..20 {
        let device = claim(OWNER, key);
        verdict(&book, &device).await;
        let approved = book.approve(None, device.key.clone()).await;
        assert_eq!(approved.map_err(|_| ()), Ok(Followed::Done));
        let reader = book.clone();
        let (removed, read) = tokio::join!(
            book.remove(None, device.key.clone()),
            tokio::task::spawn_blocking(move || (0..3).all(|_| reader.reread().is_ok())),
        );
        assert_eq!(removed.map_err(|_| ()), Ok(Followed::Done));
        assert!(read.expect("read"));
        assert!(book.standing(&device).is_none(), "{key}");
    }
}

#[tokio::test]
async fn a_key_that_two_users_show_is_approved_for_the_one_who_is_meant() {
    let folder = tempdir().expect("a folder");
    let book = book(&folder, None);
    verdict(&book, &claim(OWNER, 1)).await;
    let (owners, mallorys) = (claim(OWNER, 9), claim("mallory", 9));
    assert_eq!(verdict(&book, &owners).await, Verdict::Waiting);
    assert_eq!(verdict(&book, &mallorys).await, Verdict::Waiting);
    let key = owners.key.clone();
    let blind = book.approve(None, key.clone()).await;
    assert_eq!(blind.map_err(|_| ()), Ok(Followed::Ambiguous));
    let meant = book.approve(Some(user("mallory")), key.clone()).await;
    assert_eq!(meant.map_err(|_| ()), Ok(Followed::Done));
    assert!(book.standing(&owners).is_none());
    assert!(book.standing(&mallorys).is_some());
}

#[tokio::test]
async fn beside_the_worker_too_it_is_said_whose_key_is_meant() {
    let folder = tempdir().expect("a folder");
    let book = book(&folder, None);
    verdict(&book, &claim(OWNER, 1)).await;
    for name in [OWNER, "mallory"] {
        verdict(&book, &claim(name, 9)).await;
    }
    let words = crypto::fingerprint(&[9; 32]);
    let blind = offline::approve(folder.path(), &words);
    assert_eq!(blind.map(drop), Err(offline::AdminError::Contested));
    let meant = offline::approve(folder.path(), &format!("mallory:{words}"));
    assert_eq!(meant.expect("a device").user_id, "mallory");
    book.reread().expect("read");
    assert!(book.standing(&claim("mallory", 9)).is_some());
    assert!(book.standing(&claim(OWNER, 9)).is_none());
}

#[tokio::test]
async fn what_a_removed_device_has_signed_is_gone_from_the_list_and_after_a_restart() {
    let folder = tempdir().expect("a folder");
    let book = book(&folder, None);
    let (first, child, grandchild) = (claim(OWNER, 1), claim(OWNER, 2), claim(OWNER, 3));
    verdict(&book, &first).await;
    let signed = |device: &ClaimedDevice, by: &ClaimedDevice| {
        Change::Trusted(TrustedDevice {
            user: device.user.clone(),
            algorithm: 1,
            key: device.key.clone(),
            source: Source::Certificate,
            expires_at: Some(u64::from(u32::MAX)),
            signer: Some(by.key.clone()),
        })
    };
    let changes = vec![signed(&child, &first), signed(&grandchild, &child)];
    book.change(move |trust| {
        changes
            .iter()
            .for_each(|change| trust.replay(change.clone()));
        ((), changes)
    })
    .await
    .expect("kept");
    book.reread().expect("read");
    assert!(book.standing(&grandchild).is_some());
    book.remove(None, child.key.clone()).await.expect("removed");
    let listed = |list: wire::DeviceList| list.devices.len();
    assert_eq!(
        book.list(Bytes::new()).await.map(listed).map_err(|_| ()),
        Ok(1)
    );
    book.reread().expect("read");
    assert!(book.standing(&grandchild).is_none());
    assert!(book.standing(&first).is_some());
}

#[test]
fn a_list_is_as_long_as_a_message_and_those_that_wait_are_in_it() {
    let device = |number: u32, state: wire::DeviceState| wire::Device {
        key: vec![0; 1984].into(),
        first_seen_unix_ms: number.into(),
        state: state.into(),
        ..wire::Device::default()
    };
    let trusted = (0..200).map(|number| device(number, wire::DeviceState::Trusted));
    let waiting = device(200, wire::DeviceState::Waiting);
    let list = shortened(trusted.chain([waiting.clone()]).collect());
    assert!(list.encoded_len() <= LIST_BYTES + 8);
    assert_eq!(list.devices.len() + list.omitted as usize, 201);
    assert!(list.omitted > 90);
    assert_eq!(list.devices.last(), Some(&waiting));
    assert_eq!(
        list.devices.first().map(|one| one.first_seen_unix_ms),
        Some(0)
    );
}
