//! The screen model's ears: everything is passed on to it, except what would let a program
//! fill the Worker's memory, and what it says back is written down.

use std::sync::mpsc;

use alacritty_terminal::{
    Term,
    event::{Event, EventListener},
    grid::Dimensions,
    index::Column,
    term::cell::Flags,
    vte::ansi::{
        Attr, CharsetIndex, ClearMode, CursorShape, CursorStyle, Handler, Hyperlink, LineClearMode,
        Mode, PrivateMode, Rgb, StandardCharset, TabulationClearMode,
    },
};
use unicode_width::UnicodeWidthChar;

/// What a program's output made the terminal do besides drawing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// OSC 0 or 2 set a title, or took it back.
    Title(Option<String>),
    /// BEL outside a string.
    Bell,
    /// The program asked the terminal something; this is what the model would answer.
    Answer(String),
}

/// Writes down what the model says.
pub(super) struct Scribe(mpsc::Sender<Event>);

impl Scribe {
    /// A scribe and the pad to read from. The pad is emptied after every piece of output, whose
    /// length bounds it.
    pub(super) fn new() -> (Self, mpsc::Receiver<Event>) {
        let (sender, receiver) = mpsc::channel();
        (Self(sender), receiver)
    }
}

impl EventListener for Scribe {
    fn send_event(&self, event: Event) {
        // The receiver lives in the same Screen; when it is gone nobody wants to know.
        let _ = self.0.send(event);
    }
}

/// The model, guarded.
pub(super) struct Guarded<'a> {
    pub(super) term: &'a mut Term<Scribe>,
    /// Which of G0…G3 is in use; the model does not tell.
    pub(super) charset: &'a mut CharsetIndex,
}

impl Guarded<'_> {
    /// Combining characters already standing on the cell that the next one would join.
    fn combined(&self) -> usize {
        let grid = self.term.grid();
        let cursor = &grid.cursor;
        let back = usize::from(!cursor.input_needs_wrap);
        let line = &grid[cursor.point.line];
        let mut column = cursor.point.column.0.saturating_sub(back);
        if line[Column(column)].flags.contains(Flags::WIDE_CHAR_SPACER) {
            column = column.saturating_sub(1);
        }
        line[Column(column)].zerowidth().map_or(0, <[char]>::len)
    }
}

/// Methods that pass everything on as it came.
macro_rules! pass {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => {
        $(fn $name(&mut self, $($argument: $kind),*) {
            self.term.$name($($argument),*);
        })*
    };
}

impl Handler for Guarded<'_> {
    fn input(&mut self, c: char) {
        if !c.is_ascii() && c.width() == Some(0) && self.combined() >= COMBINING_MAX {
            return;
        }
        self.term.input(c);
    }

    fn set_title(&mut self, title: Option<String>) {
        self.term
            .set_title(title.map(|title| title.chars().take(TITLE_MAX).collect()));
    }

    fn set_hyperlink(&mut self, link: Option<Hyperlink>) {
        let fits = |link: &Hyperlink| {
            link.uri.len() <= LINK_MAX && link.id.as_ref().is_none_or(|id| id.len() <= LINK_MAX)
        };
        self.term.set_hyperlink(link.filter(fits));
    }

    fn set_scrolling_region(&mut self, top: usize, bottom: Option<usize>) {
        // As in xterm, a region has at least two lines of the screen that is there.
        let lines = self.term.screen_lines();
        if top < bottom.map_or(lines, |bottom| bottom.min(lines)) {
            self.term.set_scrolling_region(top, bottom);
        }
    }

    fn set_active_charset(&mut self, index: CharsetIndex) {
        *self.charset = index;
        self.term.set_active_charset(index);
    }

    fn reset_state(&mut self) {
        *self.charset = CharsetIndex::default();
        self.term.reset_state();
    }

    // The clipboard belongs to the browser that shows the terminal.
    fn clipboard_store(&mut self, _clipboard: u8, _base64: &[u8]) {}
    fn clipboard_load(&mut self, _clipboard: u8, _terminator: &str) {}

    pass! {
        set_cursor_style(style: Option<CursorStyle>);
        set_cursor_shape(shape: CursorShape);
        goto(line: i32, column: usize);
        goto_line(line: i32);
        goto_col(column: usize);
        insert_blank(count: usize);
        move_up(count: usize);
        move_down(count: usize);
        identify_terminal(intermediate: Option<char>);
        device_status(what: usize);
        move_forward(count: usize);
        move_backward(count: usize);
        move_down_and_cr(count: usize);
        move_up_and_cr(count: usize);
        put_tab(count: u16);
        backspace();
        carriage_return();
        linefeed();
        bell();
        substitute();
        newline();
        set_horizontal_tabstop();
        scroll_up(count: usize);
        scroll_down(count: usize);
        insert_blank_lines(count: usize);
        delete_lines(count: usize);
        erase_chars(count: usize);
        delete_chars(count: usize);
        move_backward_tabs(count: u16);
        move_forward_tabs(count: u16);
        save_cursor_position();
        restore_cursor_position();
        clear_line(mode: LineClearMode);
        clear_screen(mode: ClearMode);
        clear_tabs(mode: TabulationClearMode);
        set_tabs(interval: u16);
        reverse_index();
        terminal_attribute(attribute: Attr);
        set_mode(mode: Mode);
        unset_mode(mode: Mode);
        report_mode(mode: Mode);
        set_private_mode(mode: PrivateMode);
        unset_private_mode(mode: PrivateMode);
        report_private_mode(mode: PrivateMode);
        set_keypad_application_mode();
        unset_keypad_application_mode();
        configure_charset(index: CharsetIndex, charset: StandardCharset);
        set_color(index: usize, colour: Rgb);
        dynamic_color_sequence(prefix: String, index: usize, terminator: &str);
        reset_color(index: usize);
        decaln();
        push_title();
        pop_title();
        text_area_size_pixels();
        text_area_size_chars();
    }
}

/// Combining characters on one cell: the longest that a script needs, twice over.
const COMBINING_MAX: usize = 16;
/// Characters of a title: the stack of titles holds 4,096.
const TITLE_MAX: usize = 256;
/// Bytes of a link's address.
const LINK_MAX: usize = 2048;
