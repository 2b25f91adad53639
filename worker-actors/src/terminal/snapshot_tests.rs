//! A screen, its snapshot, and the screen that the snapshot rebuilds look the same.

use alacritty_terminal::{
    grid::Grid,
    term::{TermMode, cell::Cell},
};
use proptest::prelude::*;

use super::{
    looks::{dress, picture, waits},
    screen::Screen,
    size::Size,
};

const SIZE: Size = Size {
    columns: 20,
    rows: 6,
};
const SCROLLBACK: usize = 12;
const ALL: usize = 1 << 20;

fn drawn(bytes: &[u8]) -> Screen {
    let mut screen = Screen::new(SIZE, SCROLLBACK);
    screen.write(bytes);
    screen
}

fn rebuilt(screen: &mut Screen) -> Screen {
    let mut copy = Screen::new(screen.size(), SCROLLBACK);
    copy.write(&screen.snapshot(ALL));
    copy
}

fn ink(grid: &Grid<Cell>) -> Vec<String> {
    picture(grid)
        .iter()
        .filter_map(|row| row.split_once(' '))
        .map(|row| row.1.to_owned())
        .collect()
}

fn same(first: &mut Screen, second: &mut Screen) -> Result<(), TestCaseError> {
    let hidden = (first.hidden_primary(), second.hidden_primary());
    prop_assert_eq!(
        hidden.0.as_ref().map(picture),
        hidden.1.as_ref().map(picture)
    );
    if let (Some(one), Some(two)) = hidden {
        prop_assert_eq!(one.cursor.point, two.cursor.point);
        prop_assert_eq!(dress(&one.cursor), dress(&two.cursor));
    }
    let (one, two) = (first.term().grid(), second.term().grid());
    prop_assert_eq!(picture(one), picture(two));
    prop_assert_eq!(dress(&one.cursor), dress(&two.cursor));
    prop_assert_eq!(dress(&one.saved_cursor), dress(&two.saved_cursor));
    prop_assert_eq!(one.saved_cursor.point, two.saved_cursor.point);
    prop_assert_eq!(first.mode(), second.mode());
    prop_assert_eq!(first.term().cursor_style(), second.term().cursor_style());
    prop_assert_eq!(first.charset(), second.charset());
    let region = first.region();
    prop_assert_eq!(region, second.region());
    prop_assert_eq!(first.tab_stops(), second.tab_stops());
    let (one, two) = (first.term().grid(), second.term().grid());
    // With origin mode on, no sequence reaches a row outside the region.
    let row = usize::try_from(one.cursor.point.line.0).unwrap_or(0);
    if !first.mode().contains(TermMode::ORIGIN) || (region.0..region.1).contains(&row) {
        prop_assert_eq!(one.cursor.point, two.cursor.point);
        prop_assert_eq!(waits(one), waits(two));
    }
    Ok(())
}

fn colour() -> impl Strategy<Value = String> {
    prop_oneof![
        (
            0_u8..8,
            prop_oneof![Just(30), Just(40), Just(90), Just(100)]
        )
            .prop_map(|(c, base)| format!("{}", base + u16::from(c))),
        (any::<u8>(), prop_oneof![Just(38), Just(48), Just(58)])
            .prop_map(|(c, base)| format!("{base};5;{c}")),
        (any::<[u8; 3]>(), prop_oneof![Just(38), Just(48), Just(58)])
            .prop_map(|([r, g, b], base)| format!("{base};2;{r};{g};{b}")),
    ]
}

/// One thing that a program might write.
fn piece() -> impl Strategy<Value = String> {
    let count = 0_u16..9;
    prop_oneof![
        6 => "[a-z ]{1,30}",
        2 => "[日本e\u{301}é😀]{1,12}",
        3 => Just("\r\n".to_owned()),
        1 => Just("\n".to_owned()),
        1 => Just("\t".to_owned()),
        1 => Just("\x08".to_owned()),
        2 => colour().prop_map(|colour| format!("\x1b[{colour}m")),
        2 => prop::sample::select(vec!["0", "1", "2", "3", "4", "4:3", "21", "7", "8", "9", "22", "27"])
            .prop_map(|code| format!("\x1b[{code}m")),
        3 => (1_u16..9, 1_u16..24).prop_map(|(row, column)| format!("\x1b[{row};{column}H")),
        2 => (count, prop::sample::select("ABCDEFGILMPSTXZ@dJK".chars().collect::<Vec<_>>()))
            .prop_map(|(n, end)| format!("\x1b[{n}{end}")),
        1 => (1_u16..5, 2_u16..8).prop_map(|(top, end)| format!("\x1b[{top};{end}r")),
        2 => (prop::sample::select(vec![1, 6, 7, 25, 1000, 1002, 1003, 1004, 1005, 1006, 1007, 1049, 2004]),
              prop::sample::select(vec!['h', 'l']))
            .prop_map(|(mode, end)| format!("\x1b[?{mode}{end}")),
        1 => prop::sample::select(vec!["\x1b[4h", "\x1b[4l", "\x1b[20h", "\x1b[20l", "\x1b=", "\x1b>"])
            .prop_map(str::to_owned),
        1 => prop::sample::select(vec!["\x1b7", "\x1b8", "\x1b(0", "\x1b(B", "\x1b)0", "\x0e", "\x0f", "\x1bM", "\x1bD"])
            .prop_map(str::to_owned),
        1 => prop::sample::select(vec!["\x1bH", "\x1b[g", "\x1b[3g", "\x1b[3 q", "\x1b[5 q", "\x1b#8"])
            .prop_map(str::to_owned),
        1 => Just("\x1b]8;;https://example.org/\x1b\\".to_owned()),
        1 => Just("\x1b]8;;\x1b\\".to_owned()),
    ]
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(piece(), 0..60).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_snapshot_rebuilds_the_screen(bytes in stream()) {
        let mut screen = drawn(&bytes);
        let mut copy = rebuilt(&mut screen);
        same(&mut screen, &mut copy)?;
    }

    #[test]
    fn a_snapshot_and_the_bytes_after_it_are_as_good_as_all_bytes(
        bytes in "[a-z日é]{0,40}(\x1b\\[3[0-7]m|\x1b\\]0;t\x07|\r\n|[a-zé😀]){1,20}", cut in any::<prop::sample::Index>()
    ) {
        let bytes = bytes.as_bytes();
        let (before, after) = bytes.split_at(cut.index(bytes.len()));
        let mut copy = rebuilt(&mut drawn(before));
        copy.write(after);
        same(&mut drawn(bytes), &mut copy)?;
    }

    #[test]
    fn no_bytes_make_the_model_fail(bytes in prop::collection::vec(any::<u8>(), 0..2000),
                                    columns in 1_u32..40, rows in 1_u32..12) {
        let mut screen = drawn(&bytes);
        screen.resize(Size::asked(columns, rows).expect("a size"));
        screen.write(&bytes);
        screen.snapshot(ALL);
    }

    #[test]
    fn no_sequence_makes_the_model_fail_on_any_size(bytes in stream(), columns in 1_u32..40, rows in 1_u32..12) {
        let mut screen = drawn(&bytes);
        screen.resize(Size::asked(columns, rows).expect("a size"));
        screen.write(&bytes);
        let mut copy = rebuilt(&mut screen);
        prop_assert_eq!(ink(screen.term().grid()), ink(copy.term().grid()));
        copy.write(&bytes);
    }
}

#[test]
fn an_editor_on_the_alternate_screen_is_rebuilt_with_the_shell_under_it() {
    let mut screen = drawn(
        b"$ ls\r\nfile\r\n$ vim file\r\n\x1b[?1049h\x1b[?1h\x1b=\x1b[2J\x1b[1;1H\x1b[7m-- INSERT --\x1b[m\
          \x1b[2;3H\x1b[38;2;10;20;30mtrue colour\x1b[m\x1b[?2004h\x1b[?25l\x1b[4;2H",
    );
    let mut copy = rebuilt(&mut screen);
    assert_eq!(copy.text()[0], "-- INSERT --");
    assert_eq!(copy.text()[1], "  true colour");
    assert!(same(&mut screen, &mut copy).is_ok());
    copy.write(b"\x1b[?1049l");
    assert_eq!(&copy.text()[..3], ["$ ls", "file", "$ vim file"]);
}

#[test]
fn a_small_budget_leaves_out_the_oldest_lines_and_never_the_screen() {
    let lines: String = (0..15).map(|line| format!("line {line}\r\n")).collect();
    let snapshot = drawn(lines.as_bytes()).snapshot(80);
    let text = String::from_utf8(snapshot.clone()).expect("text");
    assert!(!text.contains("line 4\r"));
    assert_eq!(drawn(&snapshot).text(), drawn(lines.as_bytes()).text());
}

#[test]
fn combining_characters_without_end_do_not_fill_the_memory() {
    let mut bytes = b"e".to_vec();
    bytes.extend("\u{301}".repeat(100_000).bytes());
    assert!(drawn(&bytes).snapshot(ALL).len() < 1000);
}

#[test]
fn a_tab_stop_and_a_line_drawing_set_survive() {
    let mut screen = drawn(b"\x1b[3g\x1b[5G\x1bH\r\x1b)0\x0e");
    let mut copy = rebuilt(&mut screen);
    copy.write(b"\tq");
    assert_eq!(copy.text()[0], "    \u{2500}");
}

#[test]
fn a_character_that_never_ends_is_shown_as_one_wherever_the_output_is_cut() {
    let output = b"\xd6\xd6\xe2\x82x\xf0\x9f\x98\x1b[1mbold\xd6";
    let whole = drawn(output).text();
    assert_eq!(whole[0], "\u{fffd}\u{fffd}\u{fffd}x\u{fffd}bold");
    for cut in 0..output.len() {
        let (before, after) = output.split_at(cut);
        let mut copy = rebuilt(&mut drawn(before));
        copy.write(after);
        assert_eq!(copy.text(), whole, "cut at {cut}");
    }
}
