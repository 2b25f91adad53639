use super::*;

fn desk() -> Desk {
    Desk::new(Opening {
        id: TerminalId::parse("t").expect("an id"),
        workspace: None,
        size: Size::DEFAULT,
        program: "sh".into(),
        title: String::new(),
        created_ms: 1,
        scrollback_lines: 10,
    })
}

fn keys(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

const QUERY: &str = "\x1b[c";
const ANSWER: &str = "\x1b[?1;2c";

/// Draws what there is, so that the client is not behind.
fn drawn(desk: &mut Desk, view: ViewId) -> ViewId {
    while desk.next_event(view, 1 << 20).is_some() {}
    view
}

#[test]
fn who_may_not_type_is_not_asked_for_answers() {
    let mut desk = desk();
    let viewer = desk.attach(0, false);
    drawn(&mut desk, viewer);
    assert!(!desk.output(keys(QUERY)).is_empty(), "the model answers");
    assert_eq!(desk.input(viewer, keys(ANSWER)), Typed::default());
    assert_eq!(desk.input(viewer, keys("ls")), Typed::default());
    assert_eq!(desk.resize(viewer, Size::LARGEST), None);

    let editor = desk.attach(0, true);
    drawn(&mut desk, editor);
    assert!(desk.output(keys(QUERY)).is_empty(), "the editor answers");
    assert_eq!(desk.input(editor, keys(ANSWER)).data, Some(keys(ANSWER)));
    desk.detach(editor);
    assert!(!desk.output(keys(QUERY)).is_empty(), "the model again");
}

#[test]
fn typing_brings_the_typists_size_back() {
    let mut desk = desk();
    let (one, two) = (desk.attach(0, true), desk.attach(0, true));
    let [small, large] = [(40, 10), (90, 30)].map(|(columns, rows)| Size { columns, rows });
    assert_eq!(desk.resize(one, small), Some(small));
    assert_eq!(desk.resize(two, large), Some(large));
    assert_eq!(desk.input(one, keys("a")).size, Some(small));
    assert_eq!(desk.input(one, keys("b")).size, None);
    assert_eq!(
        desk.input(two, keys(ANSWER)).size,
        None,
        "nobody typed that"
    );
    assert_eq!(desk.screen().size(), small);
    assert_eq!(desk.input(two, keys("c")).size, Some(large));
}
