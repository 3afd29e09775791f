//! Templates: where the subject and the answer go in a prompt.

use super::super::Direction;
use super::super::Fact;

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
const SUBJECT: &[&str] = &["x", "subject", "subj", "sub", "sub_label", "head"];
const ANSWER: &[&str] =
    &["y", "object", "obj", "obj_label", "answer", "target", "tail", "mask", "blank"];

/// A fact from a template with slots, or from a prompt that contains the subject.
pub(super) fn asked(
    template: &str,
    subject: &str,
    answer: &str,
    direction: Direction,
) -> Result<Fact, String> {
    let template = template.trim();
    let mut slots = slots(template);
    if let Some(other) = slots.iter().find(|it| it.kind == Kind::Other) {
        return Err(format!(
            "`{}` in “{template}” is a place that no column fills; write the words there",
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
                "“{template}” has {n} places for {whose}; leave one, and write the words into the \
                 others"
            ));
        }
    }
    let place = of(Kind::Subject).next();
    let mut before = template;
    if let Some(slot) = of(Kind::Answer).next() {
        let after = &template[slot.start + slot.text.len()..];
        if after.chars().any(char::is_alphanumeric) || place.is_some_and(|it| it.start > slot.start)
        {
            return Err(format!(
                "the answer's slot must come last in “{template}”: a prompt ends where the answer \
                 starts"
            ));
        }
        before = template[..slot.start].trim_end();
    }
    let fact = match place {
        Some(slot) => {
            let prompt = [&before[..slot.start], subject, &before[slot.start + slot.text.len()..]];
            let subject = slot.start..slot.start + subject.len();
            Fact { prompt: prompt.concat(), subject: Some(subject), answer: None, foil: None }
        }
        None => Fact::from_text(before, Some(subject)).map_err(|error| {
            format!("{error}; write the subject into the prompt, or `{{}}` in its place")
        })?,
    };
    Ok(Fact { answer: Some(answer.to_owned()), ..fact })
}

/// The slots of a template, in order: `{…}` with any word, `[…]` and `<…>` with a word of the lists,
/// `%s`, and a line of underscores for the answer.
fn slots(template: &str) -> Vec<Slot<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = template.get(at..).filter(|it| !it.is_empty()) {
        let slot = bracketed(rest).or_else(|| marked(rest));
        let n_bytes = slot.map_or_else(
            || rest.chars().next().map_or(1, char::len_utf8),
            |(text, kind)| {
                found.push(Slot { start: at, text, kind });
                text.len()
            },
        );
        at += n_bytes;
    }
    found
}

/// The slot in brackets that a text begins with.
fn bracketed(text: &str) -> Option<(&str, Kind)> {
    let (open, close) =
        *[('{', '}'), ('[', ']'), ('<', '>')].iter().find(|it| text.starts_with(it.0))?;
    let end = text.find(close)?;
    let word = text[1..end].trim().to_lowercase();
    let kind = match word.as_str() {
        "" | "0" if open == '{' => Kind::Subject,
        "1" if open == '{' => Kind::Answer,
        it if SUBJECT.contains(&it) => Kind::Subject,
        it if ANSWER.contains(&it) => Kind::Answer,
        it if open == '{' && it.chars().all(|c| c.is_alphanumeric() || c == '_') => Kind::Other,
        "z" if open == '[' => Kind::Other,
        _ => return None,
    };
    Some((&text[..=end], kind))
}

/// The slot without brackets that a text begins with.
fn marked(text: &str) -> Option<(&str, Kind)> {
    let n = text.bytes().take_while(|it| *it == b'_').count();
    match () {
        () if text.starts_with("%s") => Some((&text[..2], Kind::Subject)),
        () if n >= 3 => Some((&text[..n], Kind::Answer)),
        () => None,
    }
}
