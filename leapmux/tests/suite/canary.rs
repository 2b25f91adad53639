//! The promise: the Hub never holds a byte of what was typed, printed or named inside a channel.
//!
//! Hub and Worker run apart, each behind a recorder that keeps every byte of every connection.
//! Markers go through a command's arguments, its standard input and output, its folder's name,
//! and a terminal. Then everything at the Hub is searched for them: the recordings, the data folder with
//! database and journal, the log at its most talkative, the metrics, and the process's memory;
//! raw, hexadecimal, base64 at each of its three offsets, and UTF-16.
//!
//! The same search over a build without encryption has to find them, or it proves nothing.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

use crate::support::{Daemon, LEAPMUX, Person, errors, http, log_in, registration_key, run, text};

/// Passes connections on to a Hub and keeps what went by.
struct Recorder {
    url: String,
    tape: Arc<Mutex<Vec<u8>>>,
}

fn locked(tape: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    tape.lock().expect("no recorder panics")
}

impl Recorder {
    fn start(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let target = target.trim_start_matches("http://").to_owned();
        let tape = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&tape);
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(&target) else {
                    continue;
                };
                let again = (
                    near.try_clone().expect("a socket"),
                    far.try_clone().expect("a socket"),
                );
                copy(near, far, Arc::clone(&kept));
                copy(again.1, again.0, Arc::clone(&kept));
            }
        });
        Self { url, tape }
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, tape: Arc<Mutex<Vec<u8>>>) {
    thread::spawn(move || {
        let mut chunk = [0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut chunk) {
            locked(&tape).extend_from_slice(&chunk[..count]);
            if to.write_all(&chunk[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}

/// Everything at the Hub, by the place where it was.
fn everything(hub: &mut Daemon, data: &Path, recorders: [Recorder; 2]) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    found.push((
        "metrics".to_owned(),
        http::get(&hub.admin, "/metrics").expect("it answers").body,
    ));
    found.push(("memory".to_owned(), memory(hub.id())));
    for path in files(data) {
        found.push((
            path.display().to_string(),
            fs::read(&path).expect("readable"),
        ));
    }
    found.push(("log".to_owned(), hub.stop().into_bytes()));
    for path in files(data) {
        found.push((
            format!("{} after the stop", path.display()),
            fs::read(&path).expect("readable"),
        ));
    }
    for (name, recorder) in ["client's wire", "worker's wire"]
        .into_iter()
        .zip(recorders)
    {
        found.push((name.to_owned(), locked(&recorder.tape).clone()));
    }
    found
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder)
        .expect("a folder")
        .flatten()
        .map(|entry| entry.path());
    entries.filter(|path| path.is_file()).collect()
}

/// The writable memory of a process of ours.
fn memory(pid: u32) -> Vec<u8> {
    use std::os::unix::fs::FileExt as _;
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("our own process");
    let memory = fs::File::open(format!("/proc/{pid}/mem")).expect("our own process");
    let mut all = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let Some((from, to)) = line
            .split(' ')
            .next()
            .and_then(|range| range.split_once('-'))
        else {
            continue;
        };
        let (from, to) = (hexadecimal(from), hexadecimal(to));
        for start in (from..to).step_by(1 << 20) {
            let mut page = vec![0; usize::try_from((to - start).min(1 << 20)).expect("a size")];
            // Guard pages and the like cannot be read.
            if memory.read_exact_at(&mut page, start).is_ok() {
                all.extend_from_slice(&page);
            }
        }
    }
    assert!(all.len() > 1 << 20, "the memory could not be read");
    all
}

fn hexadecimal(text: &str) -> u64 {
    u64::from_str_radix(text, 16).expect("an address")
}

/// A marker as it may turn up: raw and in the usual encodings.
fn disguises(marker: &str) -> Vec<Vec<u8>> {
    let raw = marker.as_bytes();
    let mut all = vec![raw.to_vec()];
    let hex: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
    all.extend([hex.to_uppercase().into_bytes(), hex.into_bytes()]);
    for offset in 0..3 {
        let shifted = STANDARD_NO_PAD.encode([&vec![0; offset][..], raw].concat());
        let inner = &shifted[offset.div_ceil(3) * 4..shifted.len() - 4];
        all.push(inner.as_bytes().to_vec());
        all.push(inner.replace('+', "-").replace('/', "_").into_bytes());
    }
    all.push(raw.iter().flat_map(|byte| [*byte, 0]).collect());
    all
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    let Some((&first, rest)) = needle.split_first() else {
        return false;
    };
    let mut from = 0;
    while let Some(at) = haystack[from..].iter().position(|byte| *byte == first) {
        from += at + 1;
        if haystack[from..].starts_with(rest) {
            return true;
        }
    }
    false
}

/// Runs a command with markers through Hub and Worker, and says where they were found.
fn sweep(binary: &str) -> Vec<String> {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    let data = home.join("hub");
    let arguments = [
        "hub",
        "--listen",
        "127.0.0.1:0",
        "--admin-listen",
        "127.0.0.1:0",
        "--log-level",
        "trace",
        "--data-dir",
    ];
    let arguments = arguments
        .iter()
        .map(AsRef::as_ref)
        .chain([data.as_os_str()]);
    let mut hub = Daemon::start(LEAPMUX, home, arguments);
    let recorders = [Recorder::start(&hub.url), Recorder::start(&hub.url)];
    let _worker = register(binary, home, &data, &recorders);

    let markers = ["ARGUMENT", "INPUT", "OUTPUT", "FOLDER", "TERMINAL"]
        .map(|what| format!("canary{what}{}", unique()));
    let [argument, input, output, folder, terminal] = &markers;
    let folder_path = home.join(folder);
    fs::create_dir(&folder_path).expect("ours");
    let script = format!("cat; printf %s {argument} >&2; pwd; printf %s {output}");
    let exec = [
        "remote",
        "--hub",
        &recorders[0].url,
        "exec",
        "--working-directory",
    ];
    let exec = exec.iter().copied().chain([
        folder_path.to_str().expect("text"),
        "--",
        "sh",
        "-c",
        &script,
    ]);
    let ran = run(binary, home, exec, input.as_bytes());
    let printed = text(&ran) + &errors(&ran);
    assert!(
        markers[..4].iter().all(|marker| printed.contains(marker)),
        "{printed}"
    );

    let mut person = Person::sit_down_at(binary, home, &recorders[0].url, &[]);
    person.types(&format!("echo {terminal}$((6*7))\r"));
    person.sees(&format!("{terminal}42"));
    person.types("exit\r");
    assert_eq!(person.leaves(), 0);

    let places = everything(&mut hub, &data, recorders);
    let needles: Vec<_> = markers
        .iter()
        .flat_map(|marker| disguises(marker))
        .collect();
    let hit =
        |(_, bytes): &&(String, Vec<u8>)| needles.iter().any(|needle| contains(bytes, needle));
    places
        .iter()
        .filter(hit)
        .map(|(place, _)| place.clone())
        .collect()
}

/// Logs the client in, makes a registration key, and starts a Worker with it.
fn register(binary: &str, home: &Path, data: &Path, recorders: &[Recorder; 2]) -> Daemon {
    let [client, worker] = recorders;
    log_in(binary, home, &client.url, data);
    let key = registration_key(binary, home, &client.url);
    let state = home.join("worker");
    let arguments = ["worker", "--hub", &worker.url, "--registration-key-file"];
    let arguments = arguments.iter().map(AsRef::as_ref).chain([
        key.as_os_str(),
        "--data-dir".as_ref(),
        state.as_os_str(),
    ]);
    let mut daemon = Daemon::spawn(binary, home, arguments);
    while !daemon.line().starts_with("Worker is online: ") {}
    daemon
}

/// Random enough not to meet itself by chance.
fn unique() -> String {
    let mut bytes = [0; 16];
    fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .expect("random bytes");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn nothing_at_the_hub_holds_what_was_typed() {
    let found = sweep(LEAPMUX);
    assert!(found.is_empty(), "found in: {found:?}");
}

#[test]
fn without_encryption_the_same_search_finds_it() {
    let binary = Path::new(LEAPMUX).with_file_name("leapmux-plaintext");
    assert!(
        binary.exists(),
        "run 'cargo build -p leapmux --features plaintext --bin leapmux-plaintext' first"
    );
    let found = sweep(binary.to_str().expect("text"));
    assert!(
        found.iter().any(|place| place == "client's wire"),
        "{found:?}"
    );
    assert!(
        found.iter().any(|place| place == "worker's wire"),
        "{found:?}"
    );
}

#[test]
fn a_disguised_marker_is_known_again() {
    for prefix in ["", "a", "ab", "abc"] {
        let hidden = STANDARD_NO_PAD.encode(format!("{prefix}canaryMARKER0123456789 and more"));
        let needles = disguises("canaryMARKER0123456789");
        assert!(
            needles
                .iter()
                .any(|needle| contains(hidden.as_bytes(), needle)),
            "{hidden}"
        );
    }
}
