//! The room that text takes, and how text is fitted into a width.

use super::Style;
use crate::figure::font::Face;

/// How wide text is with the fonts of [`crate::figure::font`].
pub(super) fn text_width(text: &str, style: Style) -> f32 {
    let glyphs = Face::of(style.is_mono).glyphs(text);
    let bold = if style.is_bold { 1.12 } else { 1.0 };
    glyphs.iter().map(|it| it.face.advance(it.id)).sum::<f32>() * style.size * bold
}

/// As much of a text as fits into a width.
pub(super) fn shortened(text: &str, width: f32, style: Style) -> String {
    if text_width(text, style) <= width {
        return text.to_owned();
    }
    let mut start = text.to_owned();
    while start.pop().is_some() {
        let cut = format!("{}…", start.trim_end());
        if text_width(&cut, style) <= width {
            return cut;
        }
    }
    "…".to_owned()
}

/// Lines of at most a width; where one word is longer, it is broken.
pub(super) fn wrapped(text: &str, style: Style, width: f32) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
            if text_width(&longer, style) <= width {
                line = longer;
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            for c in word.chars() {
                line.push(c);
                if text_width(&line, style) > width && line.chars().count() > 1 {
                    line.pop();
                    lines.push(std::mem::replace(&mut line, c.to_string()));
                }
            }
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_at_words_and_within_them_only_where_it_must() {
        let style = Style::label(true);
        let lines = |text: &str, n_chars: usize| wrapped(text, style, n_chars as f32 * 4.83);
        assert_eq!(lines("ab cd efg", 5), ["ab cd", "efg"]);
        assert_eq!(lines("abcdefgh ij", 5), ["abcde", "fgh", "ij"]);
        assert_eq!(lines("a\nb", 5), ["a", "b"]);
        assert_eq!(shortened("abcdefgh", 5.0 * 4.83, style), "abcd…");
        assert_eq!(shortened("abc", 5.0 * 4.83, style), "abc");
    }
}
