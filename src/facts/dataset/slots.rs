//! Templates: where the subject and the answer go in a prompt.

use super::super::Direction;
use super::super::Fact;
use super::super::alike::stands_in;
use super::error::short;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Subject,
    Answer,

    /// A place for something that no column fills.
    Other,
}

struct Slot<'a> {
    start: usize,
    text: &'a str,
    kind: Kind,
}

/// The words that mark a place, in brackets of any kind, small letters.
const SUBJECT: &[&str] = &["x", "subject", "subj", "sub", "sub_label", "subject_label", "head"];
const ANSWER: &[&str] = &[
    "y",
    "object",
    "obj",
    "obj_label",
    "object_label",
    "answer",
    "target",
    "tail",
    "mask",
    "blank",
    "extra_id",
];

/// Words in brackets that can only be a place for something else.
const OTHERS: &[&str] = &[
    "z", "t", "ent", "entity", "rel", "relation", "name", "person", "date", "year", "place",
    "location", "city", "country",
];

/// Words in capitals in square brackets that are tokens and no places.
const TOKENS: &[&str] = &["bos", "eos", "cls", "sep", "pad", "unk", "inst", "sys"];

/// A fact from a template with slots, or from a prompt that contains the subject. `spaces`: whether the
/// subject has a space before it and behind it in its file, which then stands where the template has none
/// between its slot and a word.
pub(super) fn asked(
    template: &str,
    (subject, spaces): (&str, [bool; 2]),
    answer: &str,
    direction: Direction,
) -> Result<Fact, String> {
    let template = template.trim();
    let shown = short(template);
    let mut slots = slots(template, [subject, answer]);
    if let [only] = &*slots
        && (["{}", "{0}", "%s"].contains(&only.text)
            || only.kind == Kind::Subject && only.text.starts_with('_'))
        && is_last(template, only)
        && stands_in(subject, &template[..only.start])
    {
        return Err(format!(
            "“{shown}” names the subject, and `{}` behind it may be the subject's place or the answer's; take \
             one of the two away",
            only.text
        ));
    }
    if let Some(other) = slots.iter().find(|it| it.kind == Kind::Other) {
        return Err(format!(
            "`{}` in “{shown}” is a place that no column fills; write the words there",
            other.text
        ));
    }
    if direction == Direction::Inverse {
        // Some files call the places as in the fact itself, some by their part in the inverse; the
        // answer is what comes last.
        let is_told = slots.len() < 2 || slots[0].text != slots[1].text;
        for (nth, slot) in slots.iter_mut().enumerate().filter(|_| is_told) {
            slot.kind = if nth == 0 { Kind::Subject } else { Kind::Answer };
        }
    }
    let of = |kind| slots.iter().filter(move |it| it.kind == kind);
    for (kind, whose) in [(Kind::Subject, "the subject"), (Kind::Answer, "the answer")] {
        let n = of(kind).count();
        if n > 1 {
            return Err(format!(
                "“{shown}” has {n} places for {whose}; leave one, and write the words into the \
                 others"
            ));
        }
    }
    let place = of(Kind::Subject).next();
    let mut before = template;
    if let Some(slot) = of(Kind::Answer).next() {
        if !is_last(template, slot) || place.is_some_and(|it| it.start > slot.start) {
            return Err(format!(
                "the answer's slot must come last in “{shown}”: a prompt ends where the answer \
                 starts"
            ));
        }
        before = template[..slot.start].trim_end();
    }
    let fact = match place {
        Some(slot) => {
            let around = [&before[..slot.start], &before[slot.start + slot.text.len()..]];
            let is_glued = [around[0].chars().next_back(), around[1].chars().next()]
                .map(|it| it.is_some_and(char::is_alphanumeric));
            let space = |side: usize| if spaces[side] && is_glued[side] { " " } else { "" };
            let prompt = [around[0], space(0), subject, space(1), around[1]].concat();
            let start = slot.start + space(0).len();
            let subject = Some(start..start + subject.len());
            Fact { prompt, subject, answer: None, foil: None }
        }
        None => Fact::from_text(before, Some(subject)).map_err(|error| {
            format!("{error}; write the subject into the prompt, or `{{}}` in its place")
        })?,
    };
    if has_lone_bracket(&fact) {
        return Err(format!(
            "“{shown}” leaves a bracket that has no other, as a list does that was cut; write the text alone"
        ));
    }
    Ok(Fact { answer: Some(answer.to_owned()), ..fact })
}

/// Whether a prompt begins with a square or curly bracket that nothing closes, or closes one that nothing opened.
/// Brackets within the subject are not looked at: a title may have them.
fn has_lone_bracket(fact: &Fact) -> bool {
    let subject = fact.subject.clone().unwrap_or_default();
    let around = [&fact.prompt[..subject.start], &fact.prompt[subject.end..]].concat();
    [('[', ']'), ('{', '}')].into_iter().any(|(open, close)| {
        let (n_opened, n_closed) = (around.matches(open).count(), around.matches(close).count());
        n_closed > n_opened || around.starts_with(open) && n_opened > n_closed
    })
}

/// The longest name that is looked for in brackets, in bytes.
const LONGEST_FILL: usize = 256;

/// Whether no word follows a slot.
fn is_last(template: &str, slot: &Slot<'_>) -> bool {
    !template[slot.start + slot.text.len()..].chars().any(char::is_alphanumeric)
}

/// The slots of a template, in order: `{…}` with any word, `[…]` and `<…>` with a word of the lists or with what
/// goes there itself, each of them in single or double brackets, `${…}`, `$YEAR`, `%s`, `%(…)s`, `%YEAR%`, and
/// `_X_` and underscores for the answer. `fills`: the subject and the answer.
fn slots<'a>(template: &'a str, fills: [&str; 2]) -> Vec<Slot<'a>> {
    let mut found = Vec::new();
    let (mut at, mut before) = (0, None);
    // A name may have brackets of its own.
    let has_marks =
        fills[0].len() < LONGEST_FILL && fills[0].contains(['{', '[', '<', '$', '%', '_']);
    while let Some(rest) = template.get(at..).filter(|it| !it.is_empty()) {
        let [subject, _] = fills;
        let named = Some(subject.len()).filter(|_| has_marks && rest.starts_with(subject));
        let slot = || {
            bracketed(rest, fills)
                .or_else(|| signed(rest))
                .or_else(|| percent(rest, before))
                .or_else(|| within_underscores(rest, before))
                .or_else(|| underscores(rest, before))
        };
        let n_bytes = named.unwrap_or_else(|| match slot() {
            Some((text, kind)) => {
                found.push(Slot { start: at, text, kind });
                text.len()
            }
            None => rest.chars().next().map_or(1, char::len_utf8),
        });
        before = rest[..n_bytes].chars().next_back();
        at += n_bytes;
    }
    found
}

/// The slot in brackets that a text begins with.
fn bracketed<'a>(text: &'a str, fills: [&str; 2]) -> Option<(&'a str, Kind)> {
    let sign = usize::from(text.starts_with("${") || text.starts_with("#{"));
    let marks = [('{', '}'), ('[', ']'), ('<', '>')];
    let (open, close) = *marks.iter().find(|it| text[sign..].starts_with(it.0))?;
    let n = text[sign..].chars().take(2).take_while(|it| *it == open).count();
    let start = sign + n;
    let end = start + word_end(&text[start..], close)?;
    if !text[end..].starts_with(&close.to_string().repeat(n)) {
        return None;
    }
    // Tokens of chats are written so: `<|mask|>`.
    let word = text[start..end].trim_matches(|c: char| c == '|' || c.is_whitespace());
    let word = word.to_lowercase();
    for (fill, kind) in fills.into_iter().zip([Kind::Subject, Kind::Answer]) {
        let is_short = !fill.is_empty() && fill.len() < LONGEST_FILL;
        if open != '<' && is_short && word == fill.to_lowercase() {
            return Some((&text[..end + n], kind));
        }
    }
    // Python may write how to print it: `{subject!r}`, `{subject:>8}`.
    let word = if open == '{' { word.split([':', '!']).next().unwrap_or_default() } else { &word };
    let is_brace = open == '{';
    let bare = word.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('_');
    let is_numbered = bare.len() < word.len() && !bare.is_empty();
    let kind = match word {
        "" | "0" if is_brace => Kind::Subject,
        "1" if is_brace => Kind::Answer,
        // `<s>` is a token that begins a text.
        "s" if open != '<' => Kind::Subject,
        "o" if open != '<' => Kind::Answer,
        it if SUBJECT.contains(&it) => Kind::Subject,
        it if ANSWER.contains(&it) => Kind::Answer,
        _ if is_brace => Kind::Other,
        // T5's `<extra_id_0>`.
        _ if is_numbered && ANSWER.contains(&bare) => Kind::Answer,
        _ if is_numbered && SUBJECT.contains(&bare) => Kind::Other,
        it if open != '{' && (OTHERS.contains(&it) || OTHERS.contains(&bare)) => Kind::Other,
        it if open == '[' && is_in_capitals(&text[start..end]) && !TOKENS.contains(&it) => {
            Kind::Other
        }
        _ => return None,
    };
    Some((&text[..end + n], kind))
}

/// Such as `YEAR` or `PERSON_1`.
fn is_in_capitals(word: &str) -> bool {
    let is_of_it = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    word.starts_with(|c: char| c.is_ascii_uppercase()) && word.chars().all(is_of_it)
}

/// Where the word of a slot ends. Longer ones are text, which is not searched to its end for each bracket.
fn word_end(text: &str, close: char) -> Option<usize> {
    const LONGEST: usize = 64;
    text.char_indices().take(LONGEST).find(|(_, it)| *it == close).map(|(at, _)| at)
}

/// What a shell fills: `$YEAR`, with a word that is a place in brackets too.
fn signed(text: &str) -> Option<(&str, Kind)> {
    let word = text.strip_prefix('$')?;
    let end = word.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(word.len());
    kind_of(&word[..end]).map(|kind| (&text[..=end], kind))
}

/// What a word of the lists stands for.
fn kind_of(word: &str) -> Option<Kind> {
    match word.to_lowercase().as_str() {
        it if SUBJECT.contains(&it) => Some(Kind::Subject),
        it if ANSWER.contains(&it) => Some(Kind::Answer),
        it if OTHERS.contains(&it) => Some(Kind::Other),
        _ => None,
    }
}

/// Python's older slots, and those of Windows.
fn percent(text: &str, before: Option<char>) -> Option<(&str, Kind)> {
    if text.starts_with("%s") {
        return Some((&text[..2], Kind::Subject));
    }
    let ends = |n: usize| !text[n..].starts_with(char::is_alphanumeric);
    if (text.starts_with("%d") || text.starts_with("%i"))
        && ends(2)
        && !before.is_some_and(char::is_alphanumeric)
    {
        return Some((&text[..2], Kind::Other));
    }
    if let Some((word, _)) = text.strip_prefix('%').and_then(|it| it.split_once('%'))
        && let Some(kind) = kind_of(word)
    {
        return Some((&text[..word.len() + 2], kind));
    }
    let word = text.strip_prefix("%(")?;
    let end = word_end(word, ')').filter(|it| word[*it..].starts_with(")s"))?;
    Some((&text[..end + 4], kind_of(&word[..end]).unwrap_or(Kind::Other)))
}

/// A word of the lists between underscores, as `TempLAMA` writes `_X_`.
fn within_underscores(text: &str, before: Option<char>) -> Option<(&str, Kind)> {
    let word = text.trim_start_matches('_');
    let n = text.len() - word.len();
    if n == 0 || before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let end = word_end(word, '_').filter(|it| *it > 0)?;
    let n_behind = word[end..].bytes().take_while(|it| *it == b'_').count();
    let all = n + end + n_behind;
    let is_apart = !text[all..].starts_with(char::is_alphanumeric);
    kind_of(&word[..end]).filter(|_| is_apart && n == n_behind).map(|kind| (&text[..all], kind))
}

/// A line for the answer. One or two underscores are one where they stand alone.
fn underscores(text: &str, before: Option<char>) -> Option<(&str, Kind)> {
    let n = text.bytes().take_while(|it| *it == b'_').count();
    let is_apart = |it: Option<char>| it.is_none_or(|c| !c.is_alphanumeric() && c != '_');
    let stands_alone = n > 0 && is_apart(before) && is_apart(text[n..].chars().next());
    (n >= 3 || stands_alone).then(|| (&text[..n], Kind::Answer))
}
