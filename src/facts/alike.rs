//! Texts that look the same but are not written with the same characters.

use unicode_normalization_alignments::UnicodeNormalization as _;

use super::dataset::is_unseen;

/// A way to write a text so that it no longer differs in something, and what that is.
type Form = (fn(&str) -> String, &'static str);

/// Each on top of those before it.
const FORMS: [Form; 6] = [
    (canonical, "in another Unicode form"),
    (seen, "with characters that take no room"),
    (plain, "with another apostrophe, quotation mark, dash or space"),
    (folded, "in other letters: capitals, ligatures or letters of full width"),
    (latin, "with letters of another alphabet that look the same"),
    (bare, "with other accents"),
];

/// The first forms have the same letters. By the others, many a name is a part of some word.
const N_EXACT: usize = 3;

/// How a text occurs within another though not letter by letter. `None` if it does not.
pub(super) fn occurs(text: &str, within: &str) -> Option<&'static str> {
    let (mut text, mut within) = (text.to_owned(), within.to_owned());
    FORMS.into_iter().enumerate().find_map(|(nth, (form, how))| {
        (text, within) = (form(&text), form(&within));
        let is_there = !text.is_empty() && within.contains(&text);
        (is_there && (nth < N_EXACT || stands_in(&text, &within))).then_some(how)
    })
}

/// Whether a text occurs where it is no part of a longer word.
pub(super) fn stands_in(text: &str, within: &str) -> bool {
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let mut places = within.match_indices(text).filter(|_| !text.is_empty());
    places.any(|(start, _)| {
        let before = within[..start].chars().next_back();
        let after = within[start + text.len()..].chars().next();
        let goes_on_before = is_word(before) && is_word(text.chars().next());
        let goes_on_after = is_word(after) && is_word(text.chars().next_back());
        !goes_on_before && !goes_on_after
    })
}

/// Letters apart from their accents.
fn canonical(text: &str) -> String {
    text.nfd().map(|(c, _)| c).collect()
}

fn seen(text: &str) -> String {
    let is_unseen = |c: char| {
        is_unseen(c)
            || matches!(c, '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{202a}'..='\u{202e}')
            || matches!(c, '\u{2061}'..='\u{2069}' | '\u{fe00}'..='\u{fe0f}')
            || matches!(c, '\u{e0000}'..='\u{e01ef}')
    };
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
    // Capitals first: only they are the same for `ß` and `ss`.
    let capitals = text.nfkd().flat_map(|(c, _)| c.to_uppercase());
    capitals.flat_map(char::to_lowercase).collect()
}

/// Small Cyrillic and Greek letters that look like Latin ones, and these.
const LOOK_ALIKE: &[(&str, &str)] = &[
    ("\u{430}\u{432}\u{435}\u{437}\u{43a}\u{43c}\u{43d}\u{43e}\u{440}\u{441}", "abe3kmhopc"),
    ("\u{442}\u{443}\u{445}\u{455}\u{456}\u{458}\u{4bb}\u{501}\u{51b}\u{51d}", "tyxsijhdqw"),
    ("\u{3b1}\u{3b2}\u{3b5}\u{3b6}\u{3b7}\u{3b9}\u{3ba}\u{3bc}\u{3bd}\u{3bf}", "abezhikmno"),
    ("\u{3c1}\u{3c4}\u{3c5}\u{3c7}", "ptyx"),
];

fn latin(text: &str) -> String {
    let alike = |c: char| {
        LOOK_ALIKE.iter().find_map(|(others, latin)| {
            others.chars().zip(latin.chars()).find(|it| it.0 == c).map(|it| it.1)
        })
    };
    text.chars().map(|c| alike(c).unwrap_or(c)).collect()
}

/// Letters without their accents.
fn bare(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '\u{300}'..='\u{36f}')).collect()
}
