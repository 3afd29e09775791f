//! Where a text is no JSON, in words for people who did not write a parser.

use std::fmt;

/// Where a text is no JSON, and why as far as that can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misread {
    /// Counted from 1, as is the character within it.
    pub line: u64,
    pub column: usize,

    /// What follows the place in a sentence.
    pub reason: String,
}

/// How much of the text is shown.
const N_SHOWN: usize = 24;

impl Misread {
    /// `first_line`: the line in the file of the text's first.
    pub fn new(text: &str, error: &serde_json::Error, first_line: u64) -> Self {
        let nth = error.line().saturating_sub(1);
        let line = text.split('\n').nth(nth).unwrap_or_default();
        // The parser counts bytes, and people characters.
        let mut at = error.column().saturating_sub(1).min(line.len());
        // Half a character is found behind it.
        let half = Some(error.to_string()).filter(|it| it.contains("hex escape"));
        let half = half.and_then(|_| line.as_bytes()[..at].windows(3).rposition(is_half));
        at = half.unwrap_or(at);
        while !line.is_char_boundary(at) {
            at -= 1;
        }
        let start: usize = text.split('\n').take(nth).map(|it| it.len() + 1).sum();
        let before = text.get(..start + at).unwrap_or_default();
        let column = line[..at].chars().count() + 1;
        let rest = &line[at..];
        let near: String = rest.chars().take(N_SHOWN).collect();
        let hint = match rest.chars().next() {
            _ if error.is_eof() => "; the file ends too early, as if it were cut off",
            _ if half.is_some() => {
                "; this is one half of a character that is written in two (a lone surrogate); take it out, \
                 or in Python write texts with `.encode(\"utf-8\", \"replace\").decode()`"
            }
            Some('\'') => "; this is how Python prints, write it with `json.dump`",
            Some('/' | '#') => "; JSON has no comments, take them out",
            Some(']' | '}') if before.trim_end().ends_with(',') => {
                "; take the comma before it away"
            }
            Some('\u{feff}') => {
                "; this is a mark that nobody sees (BOM), as files begin with that were put behind each other; \
                 take it out"
            }
            _ if error.to_string().starts_with("number out of range") => {
                "; this number is larger than any that can be computed with; write it as a text"
            }
            Some(c) if c.is_control() => {
                "; write a tab within quotation marks as `\\t`, a line end as `\\n`"
            }
            Some(c) if c.is_alphabetic() || c == '_' => "; names and texts need quotation marks",
            Some('“' | '”' | '„') => "; use straight quotation marks",
            _ if error.to_string().starts_with("recursion") => "; its lists are too deep",
            _ => "",
        };
        let shown =
            if near.trim().is_empty() { String::new() } else { format!(" at “{near}”") };
        let reason = if error.is_eof() { hint.to_owned() } else { shown + hint };
        Self { line: first_line + nth as u64, column, reason }
    }

    /// The fault, for a message that names the line.
    pub fn in_line(&self) -> String {
        format!("not valid JSON from character {} on{}", self.column, self.reason)
    }
}

/// Whether a text begins as the halves of characters are written, which are `\ud800` to `\udfff`.
fn is_half(text: &[u8]) -> bool {
    text.eq_ignore_ascii_case(br"\ud")
}

impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, character {}{}", self.line, self.column, self.reason)
    }
}
