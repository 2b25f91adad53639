//! What a Worker reads: output of programs, input of people, its own files and what it is told.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use arbitrary::{Arbitrary, Unstructured};
use tempfile::tempdir;
use worker_actors::{
    HubAddress, fuzzing, hub_state,
    terminal::{
        answers::is_answer,
        boundary::{Boundary, Fate},
        screen::Screen,
        size::Size,
    },
};

const ALL: usize = 1 << 20;
const SCROLLBACK: usize = 8;

/// What a program writes to its terminal, cut anywhere: whoever is given the screen at the cut and
/// the rest of the output sees what is seen by who read all of it.
pub fn screen(data: &[u8]) {
    let Some(([columns, rows, cut], output)) = data.split_first_chunk() else {
        return;
    };
    let asked = Size::asked(2 + u32::from(columns % 40), 1 + u32::from(rows % 12));
    let size = asked.expect("neither is zero");
    let (before, after) = output.split_at(output.len() * usize::from(*cut) / 256);

    let mut whole = Screen::new(size, SCROLLBACK);
    whole.write(output);
    let mut first = Screen::new(size, SCROLLBACK);
    first.write(before);
    let mut second = Screen::new(size, SCROLLBACK);
    second.write(&first.snapshot(ALL));
    assert_eq!(
        fuzzing::looks(&mut second),
        fuzzing::looks(&mut first),
        "as it is"
    );

    first.write(after);
    assert_eq!(first.sequence(), output.len() as u64);
    assert_eq!(
        fuzzing::looks(&mut first),
        fuzzing::looks(&mut whole),
        "in two pieces"
    );
    second.write(after);
    assert_eq!(second.text(), whole.text(), "from the snapshot on");
}

/// Another size at any time; nothing to compare with, but it has to stand.
pub fn resize(data: &[u8]) {
    let Ok(steps) = Vec::<(u16, u16, &[u8])>::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let mut screen = Screen::new(Size::DEFAULT, SCROLLBACK);
    for (columns, rows, output) in steps.into_iter().take(24) {
        if let Some(size) = Size::asked(u32::from(columns % 200), u32::from(rows % 60)) {
            screen.resize(size);
        }
        screen.write(output);
        assert_eq!(screen.text().len(), usize::from(screen.size().rows));
    }
    let mut copy = Screen::new(screen.size(), SCROLLBACK);
    copy.write(&screen.snapshot(ALL));
    assert_eq!(copy.text(), screen.text());
}

/// Where sequences begin and end: what is kept of one stays small and begins with its opening.
pub fn boundary(data: &[u8]) {
    let mut boundary = Boundary::default();
    for byte in data {
        let fate = boundary.step(*byte);
        let tail = boundary.tail();
        assert!(tail.len() <= (64 << 10) + 1);
        assert!(boundary.begun_character() <= tail.len().min(3));
        assert!(
            tail.first()
                .is_none_or(|first| *first == 0x1b || *first >= 0xc2)
        );
        assert!(fate != Fate::Abort || data.len() > 1 << 20);
    }
}

/// What a browser's terminal sends by itself: a row of answers is one, and no typed text is.
pub fn answers(data: &[u8]) {
    let Some((cut, input)) = data.split_first() else {
        return;
    };
    let (one, two) = input.split_at(input.len() * usize::from(*cut) / 256);
    if is_answer(one) && is_answer(two) {
        assert!(is_answer(input));
    }
    if is_answer(input) {
        assert_eq!(input.first(), Some(&0x1b));
        assert!(!is_answer(&[input, b"x"].concat()));
    }
}

/// The text that a registration begins with: what is read is written the same.
pub fn registration_key(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Some((id, secret)) = fuzzing::registration_key(text) {
        assert_eq!(fuzzing::registration_key_text(&id, &secret), text.trim());
    }
}

/// Where a Hub is. What the Worker keeps of an address leads to the same place again.
pub fn hub_address(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(address) = text.parse::<HubAddress>() {
        let kept = match &address {
            HubAddress::Plain(uri) | HubAddress::Tls(uri) => uri.to_string(),
            HubAddress::Unix(path) => format!("unix://{}", path.display()),
        };
        assert!(kept.parse::<HubAddress>().is_ok(), "{kept}");
    }
}

/// `hub.json` and `worker.token`: what is loaded is stored and loaded the same.
pub fn hub_state(data: &[u8]) {
    let Ok((state, token)) = <(&[u8], &[u8])>::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let folder = tempdir().expect("a folder of our own can be made");
    let folder = folder.path();
    private(&folder.join("hub.json"), state);
    private(&folder.join("worker.token"), token);
    let Ok(Some(first)) = hub_state::load(folder) else {
        return;
    };
    hub_state::store(folder, &first).expect("the folder is there");
    let second = hub_state::load(folder).expect("it was stored a moment ago");
    let second = second.expect("it was stored a moment ago");
    assert_eq!(first.worker_id, second.worker_id);
    assert_eq!(first.owner, second.owner);
    assert_eq!(*first.token, *second.token);
    assert_eq!(first.first_use, second.first_use);
    assert_eq!(first.hub, second.hub);
}

pub(crate) fn private(path: &Path, content: &[u8]) {
    fs::write(path, content).expect("the folder is there");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("the file is ours");
}
