//! Text for a terminal, which would carry control characters out: they move the cursor, hide text, or
//! change the window's title.

use std::borrow::Cow;

/// Text with its control characters as escapes, such as `\u{1b}`. Line ends stay.
pub(super) fn shown<'a>(text: impl Into<Cow<'a, str>>) -> Cow<'a, str> {
    let text = text.into();
    if !text.contains(is_carried_out) {
        return text;
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_carried_out(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown.into()
}

/// Whether a terminal would do something else with a character than show it.
pub(super) fn is_carried_out(c: char) -> bool {
    c.is_control() && c != '\n'
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn control_characters_are_shown_and_all_else_stays() {
        assert_eq!(shown("two\nlines, é, 東, ·"), "two\nlines, é, 東, ·");
        assert_eq!(shown("a\u{1b}[2Jb\r\u{7f}\u{9b}"), "a\\u{1b}[2Jb\\u{d}\\u{7f}\\u{9b}");
    }
}
