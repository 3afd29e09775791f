//! What looks wrong in the words of facts though they can be asked, such as `Tom &amp; Jerry`: rests of how
//! another program writes.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::{Fact, alike};
use super::cell::is_unseen;

/// What is odd about a text, as it follows “2 texts”, and whether it is.
type Oddity = (&'static str, fn(&str) -> bool);

/// Of names, which are subjects and answers.
const OF_NAMES: [Oddity; 7] = [
    ("that may say that there is none, as “-” and “unknown” do", is_for_none),
    ("in angle brackets, as RDF writes names", is_in_angles),
    ("with a language at the end, as RDF writes it", has_language),
    ("with underscores for spaces", has_underscores),
    ("with “=” at the beginning, as formulas of spreadsheets have", |it| {
        it.starts_with('=') && it.len() > 1
    }),
    (
        "with a number that may be a date or a duration as pandas writes it in JSON (milliseconds)",
        is_date_in_millis,
    ),
    ("with “|” within, as between several names", |it| it.trim_matches('|').contains('|')),
];

/// Of prompts.
const OF_PROMPTS: [Oddity; 3] = [
    ("with a mark at the end that may be the answer's place", has_open_end),
    ("with “(blank)” within, which may be the answer's place", |it| {
        ["(blank)", "(mask)", "(answer)"].iter().any(|mark| it.contains(mark)) && !has_open_end(it)
    }),
    ("with a token that begins or ends a text of a model (`<|endoftext|>`)", has_end),
];

/// Tokens that end a text, and those that begin one and are written where the model's own tokenizer adds
/// them.
const ENDS: &[&str] = &[
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|im_end|>",
    "<|eot_id|>",
    "<eos>",
    "[eos]",
    "[sep]",
    "[pad]",
    "<pad>",
    "</s>",
];
const BEGINNINGS: &[&str] = &["[cls]", "[bos]", "<|endoftext|>", "<|begin_of_text|>"];

/// Of names and prompts.
const OF_ALL: [Oddity; 6] = [
    ("with characters as HTML writes them", has_markup),
    ("with letters that were read in another encoding than UTF-8", is_misread),
    ("with “\u{fffd}” in the place of a lost letter", |it| it.contains('\u{fffd}')),
    ("with characters within that nobody sees (a zero-width space or the like)", has_unseen),
    (
        "with spaces within other than single usual ones (two in a row, a no-break space or a tab)",
        |it| {
            it.contains("  ")
                || it.contains(|c: char| c.is_whitespace() && !matches!(c, ' ' | '\n'))
        },
    ),
    ("with a character as programs write it in quotation marks (`\\n` for a new line)", has_escape),
];

const GLUED: &str = "with letters right beside the subject, where a space may be missing";
const TWICE: &str =
    "with the subject twice, of which that in the place of `{}`, or else the first, is meant";

/// The odd texts of a file: how many there are of each kind, and the first of them.
#[derive(Default)]
pub(super) struct Oddities(BTreeMap<&'static str, (usize, String)>);

impl Oddities {
    pub fn add(&mut self, fact: &Fact) {
        let names = [fact.subject_text(), fact.answer.as_deref(), fact.foil.as_deref()];
        for name in names.into_iter().flatten() {
            self.look(name, &OF_NAMES);
        }
        // The prompt holds the subject.
        for text in [Some(&*fact.prompt), names[1], names[2]].into_iter().flatten() {
            self.look(text, &OF_ALL);
        }
        self.look(&fact.prompt, &OF_PROMPTS);
        if fact.subject.as_ref().is_some_and(|it| is_glued(&fact.prompt, it)) {
            self.count(GLUED, &fact.prompt);
        }
        if let (Some(place), Some(subject)) = (&fact.subject, names[0])
            && (alike::stands_in(subject, &fact.prompt[..place.start])
                || alike::stands_in(subject, &fact.prompt[place.end..]))
        {
            self.count(TWICE, &fact.prompt);
        }
    }

    fn look(&mut self, text: &str, oddities: &[Oddity]) {
        for (what, is_odd) in oddities {
            if is_odd(text) {
                self.count(what, text);
            }
        }
    }

    fn count(&mut self, what: &'static str, text: &str) {
        self.0.entry(what).or_insert_with(|| (0, text.to_owned())).0 += 1;
    }

    /// What is odd, each a phrase of its own.
    pub fn notes(self) -> impl Iterator<Item = String> {
        self.0.into_iter().map(|(what, (n, first))| {
            let first = super::error::short(&first);
            match n {
                1 => format!("1 text {what}: “{first}”"),
                n => format!("{n} texts {what}, such as “{first}”"),
            }
        })
    }
}

/// Whether a word goes on past the subject, in a script that parts words with spaces.
fn is_glued(prompt: &str, subject: &Range<usize>) -> bool {
    let is_letter = |it: Option<char>| it.is_some_and(|c| c.is_lowercase() || c.is_uppercase());
    let inside = prompt[subject.clone()].chars();
    is_letter(prompt[..subject.start].chars().next_back()) && is_letter(inside.clone().next())
        || is_letter(prompt[subject.end..].chars().next()) && is_letter(inside.last())
}

/// Such as `-`, `?`, `unknown` and `na`, which is no Namibia in small letters.
fn is_for_none(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "unknown",
        "missing",
        "undefined",
        "none",
        "n.a.",
        "no answer",
        "not available",
        "tbd",
        "unk",
    ];
    let is_mark =
        name.chars().all(|it| matches!(it, '-' | '–' | '—' | '.' | '?' | '_' | '…' | '*'));
    is_mark || name == "na" || WORDS.iter().any(|it| name.eq_ignore_ascii_case(it))
}

fn is_in_angles(name: &str) -> bool {
    name.len() > 2 && name.starts_with('<') && name.ends_with('>')
}

/// Such as `Norway@en` and `Brasil@pt-BR`.
fn has_language(name: &str) -> bool {
    let Some((before, language)) = name.rsplit_once('@') else { return false };
    let (code, region) = language.split_once('-').unwrap_or((language, "XX"));
    matches!(code.len(), 2 | 3)
        && code.bytes().all(|it| it.is_ascii_lowercase())
        && region.bytes().all(|it| it.is_ascii_alphanumeric())
        && !before.is_empty()
}

/// Such as `1589673600000`, which is 17 May 2020.
fn is_date_in_millis(name: &str) -> bool {
    const DAY: i64 = 86_400_000;
    const LEAST: u64 = 1_000_000_000;
    name.parse::<i64>().is_ok_and(|it| it % DAY == 0 && it.unsigned_abs() >= LEAST)
}

/// Such as `New_York`.
fn has_underscores(name: &str) -> bool {
    name.contains('_') && !name.contains(char::is_whitespace)
}

/// Such as `is ...`, `is ???`, `is ###.`, `is XXX` and `is (blank)`.
fn has_open_end(prompt: &str) -> bool {
    let bare = prompt.trim_end_matches(['.', ' ']);
    let in_brackets = bare.strip_suffix(')').and_then(|it| it.rsplit_once('('));
    let is_blank = |inside: &str| {
        matches!(inside.trim().to_lowercase().as_str(), "" | "blank" | "answer" | "mask" | "?")
    };
    let last = bare.rsplit(' ').next().unwrap_or_default();
    let is_of = |mark: char| last.len() > 2 && last.chars().all(|it| it == mark);
    ["...", "…", "??"].into_iter().any(|it| prompt.ends_with(it))
        || ['#', '*', 'X', 'x', '-'].into_iter().any(is_of)
        || in_brackets.is_some_and(|it| is_blank(it.1))
}

/// Such as `[CLS] Oslo is` and `Oslo is<|endoftext|>`.
fn has_end(prompt: &str) -> bool {
    let bytes = prompt.trim().as_bytes();
    let is = |it: Option<&[u8]>, token: &str| {
        it.is_some_and(|it| it.eq_ignore_ascii_case(token.as_bytes()))
    };
    let last = |n: usize| bytes.len().checked_sub(n).map(|at| &bytes[at..]);
    ENDS.iter().any(|it| is(last(it.len()), it))
        || BEGINNINGS.iter().any(|it| is(bytes.get(..it.len()), it))
}

/// Such as `&amp;`, `&#38;`, `&eacute;` and `</b>`.
fn has_markup(text: &str) -> bool {
    const LONGEST: usize = 8;
    let is_tag = |at: usize| text[at + 2..].starts_with(|it: char| it.is_ascii_alphabetic());
    if text.match_indices("</").any(|it| is_tag(it.0)) {
        return true;
    }
    text.match_indices('&').any(|(at, _)| {
        let rest = &text[at + 1..];
        let name = rest.strip_prefix('#').unwrap_or(rest);
        let n = name.bytes().take_while(u8::is_ascii_alphanumeric).count();
        let is_long = n > 1 || name.len() < rest.len() && n > 0;
        is_long && n <= LONGEST && name[n..].starts_with(';')
    })
}

/// Such as `MÃ¡laga` for `Málaga`, `â€™` for `’`, `ÐœÐ¾` for `Мо`, `ä¸œ` for `东`, and what Macs and DOS make of
/// them, `M√°laga` and `M├ílaga`.
fn is_misread(text: &str) -> bool {
    /// What Windows writes in the place of the second byte, but marks that may follow a letter.
    const SECOND: &str = "€‚ƒ„†‡ˆ‰Š‹ŒŽ‘“•˜™š›œžŸ";
    let is_second = |c: char| {
        matches!(c, '\u{80}'..='\u{bf}') && !matches!(c, '\u{a0}' | '»') || SECOND.contains(c)
    };
    // Marks of sentences, which make a letter only where one goes on behind them.
    let is_mark = |c: char| matches!(c, '…' | '–' | '—' | '’' | '”');
    let third = text.chars().skip(2).map(Some).chain([None]);
    let threes = text.chars().zip(text.chars().skip(1)).zip(third);
    let mut n_pairs = 0;
    threes.into_iter().any(|((first, second), third)| match first {
        'Ã' if is_mark(second) => third.is_some_and(char::is_lowercase),
        'Â' | 'Ã' | 'Ä' | 'Å' => is_second(second),
        'â' if second == '€' => true,
        'ã'..='í' => is_second(second) && third.is_some_and(is_second),
        // One alone may be a letter, a sign or a diameter.
        'Ð' | 'Ñ' | 'Ø' | 'Ù' | '×' | 'Î' | 'Ï' => {
            n_pairs += usize::from(is_second(second));
            n_pairs > 1
        }
        '√' => matches!(second, '©' | '°' | '±' | '∂' | '®' | '≥' | '¥' | '£'),
        '├' | '┬' => second.is_alphanumeric() || matches!(second, '®' | '¡' | '¿'),
        _ => false,
    })
}

/// Such as `\n`, `\"`, `\u00e9` and `\xe9`.
fn has_escape(text: &str) -> bool {
    text.match_indices('\\').any(|(at, _)| {
        let rest = &text[at + 1..];
        let is_of_hex = |n: usize| {
            rest.get(1..=n).is_some_and(|it| it.bytes().all(|it| it.is_ascii_hexdigit()))
        };
        match rest.chars().next() {
            Some('n' | 't' | 'r') => !rest[1..].starts_with(char::is_lowercase),
            Some('"' | '\'') => true,
            Some('u') => is_of_hex(4),
            Some('x') => is_of_hex(2),
            _ => false,
        }
    })
}

/// Joiners are no oddity: Persian, Hindi and pictures of families are written with them.
fn has_unseen(text: &str) -> bool {
    text.chars().any(|c| is_unseen(c) && !matches!(c, '\u{200c}' | '\u{200d}'))
}
