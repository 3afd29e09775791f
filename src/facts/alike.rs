//! Texts that look the same but are not written with the same characters.

use unicode_normalization_alignments::UnicodeNormalization as _;

use super::dataset::is_unseen;

/// A way to write a text so that it no longer differs in something, and what that is.
type Form = (fn(&str) -> String, &'static str);

/// Each on top of those before it.
const FORMS: [Form; 4] = [
    (canonical, "in another Unicode form"),
    (seen, "with characters that take no room"),
    (plain, "with another apostrophe, quotation mark, dash or space"),
    (folded, "in other letters: capitals, ligatures or letters of full width"),
];

/// How a text occurs within another though not letter by letter. `None` if it does not.
pub(super) fn occurs(text: &str, within: &str) -> Option<&'static str> {
    let (mut text, mut within) = (text.to_owned(), within.to_owned());
    FORMS.into_iter().find_map(|(form, how)| {
        (text, within) = (form(&text), form(&within));
        (!text.is_empty() && within.contains(&text)).then_some(how)
    })
}

/// Letters apart from their accents.
fn canonical(text: &str) -> String {
    text.nfd().map(|(c, _)| c).collect()
}

fn seen(text: &str) -> String {
    text.chars().filter(|c| !is_unseen(*c)).collect()
}

fn plain(text: &str) -> String {
    let marks = text.chars().map(|c| match c {
        '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2bc}' | '\u{2b9}' | '`' | '\u{b4}' => '\'',
        '\u{201c}'..='\u{201f}' | '\u{ab}' | '\u{bb}' => '"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        c => c,
    });
    let marks: String = marks.collect();
    marks.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn folded(text: &str) -> String {
    text.nfkd().flat_map(|(c, _)| c.to_lowercase()).collect()
}
