//! Writes HTML that is XML as well: each element is closed, and all text is escaped.

use std::fmt::Write as _;

use crate::figure::escaped;

/// A page, or a part of one.
#[derive(Debug, Default)]
pub(super) struct Html {
    text: String,
}

/// The attributes of an element, by name and value.
pub(super) type Attributes<'a> = &'a [(&'a str, &'a str)];

impl Html {
    pub fn open(&mut self, tag: &str, attributes: Attributes<'_>) {
        self.start(tag, attributes);
        self.text.push('>');
    }

    pub fn close(&mut self, tag: &str) {
        _ = writeln!(self.text, "</{tag}>");
    }

    /// An element that holds nothing.
    pub fn void(&mut self, tag: &str, attributes: Attributes<'_>) {
        self.start(tag, attributes);
        self.text.push_str("/>\n");
    }

    /// An element that holds text.
    pub fn element(&mut self, tag: &str, attributes: Attributes<'_>, text: &str) {
        self.open(tag, attributes);
        self.say(text);
        self.close(tag);
    }

    /// An element that holds what `inside` writes.
    pub fn within(
        &mut self,
        tag: &str,
        attributes: Attributes<'_>,
        inside: impl FnOnce(&mut Self),
    ) {
        self.open(tag, attributes);
        inside(self);
        self.close(tag);
    }

    /// Text, which may be anybody's.
    pub fn say(&mut self, text: &str) {
        self.text.push_str(&in_html(text));
    }

    /// HTML that was written before, or that is part of the program.
    pub fn put(&mut self, html: &str) {
        self.text.push_str(html);
    }

    pub fn finish(self) -> String {
        self.text
    }

    fn start(&mut self, tag: &str, attributes: Attributes<'_>) {
        _ = write!(self.text, "<{tag}");
        for (name, value) in attributes {
            _ = write!(self.text, " {name}=\"{}\"", in_html(value));
        }
    }
}

/// Text as HTML holds it. Lines and tabs stay, which prompts and experiments have.
fn in_html(text: &str) -> String {
    text.split_inclusive(['\n', '\t'])
        .map(|piece| match piece.char_indices().next_back() {
            Some((end, mark @ ('\n' | '\t'))) => format!("{}{mark}", escaped(&piece[..end])),
            _ => escaped(piece),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        let mut html = Html::default();
        html.element("p", &[("title", "\"><script>")], "</p><script>alert(1)</script>&\n\tb\u{1}");
        let expected = "<p title=\"&quot;&gt;&lt;script&gt;\">&lt;/p&gt;&lt;script&gt;alert(1)\
                        &lt;/script&gt;&amp;\n\tb\u{fffd}</p>\n";
        assert_eq!(html.finish(), expected);
    }
}
