//! Questions that let choose among words, whose answer may be the letter or the number of one of them.

use super::cell::{Cell, printed, trimmed};

/// The fields of the words in an object that holds words and labels apart: ARC's
/// `{"text": ["Rome", "Oslo"], "label": ["A", "B"]}`, `TruthfulQA`'s `{"choices": […], "labels": [1, 0]}`.
const WORDS: &[&str] = &["text", "texts", "choices", "options", "value", "str", "name", "content"];

/// What the columns are called that hold one choice each, before its letter or number: `option_b`, `opb`,
/// `ending2`.
const BEFORE_LABEL: &[&str] = &["option", "choice", "candidate", "ending", "op"];

/// Whether a column, by its plain name, holds one of several choices.
pub(super) fn is_one(column: &str) -> bool {
    let label = BEFORE_LABEL.iter().find_map(|it| column.strip_prefix(it));
    let label = label.map(|it| it.strip_prefix('_').unwrap_or(it).as_bytes());
    matches!(label, Some([b'a'..=b'h' | b'0'..=b'9']))
}

/// Whether an answer stands for one of the choices in these named cells: a letter, a number of theirs, a label,
/// alone or before the word, or the name of a column. What is also the word of a choice is a word.
pub(super) fn is_label(answer: &str, choices: &[(&str, &Cell)]) -> bool {
    let words: Vec<String> = choices.iter().flat_map(|it| words(it.1)).collect();
    if choices.is_empty() {
        return false;
    }
    if words.iter().any(|it| it == answer) {
        return are_labelled(&words);
    }
    if label(answer).is_some() {
        return true;
    }
    let bare = answer.trim_matches(['(', ')', '[', ']', '.', ':', ' ']);
    let is_number = bare.parse::<usize>().is_ok_and(|it| it <= words.len().max(1));
    let is_name = |it: &&str| it.len() > 1 && it.eq_ignore_ascii_case(bare);
    bare.chars().count() == 1
        || is_number
        || choices.iter().any(|it| is_name(&it.0) || labels(it.1).iter().any(|it| it == bare))
}

/// The letter or digit before a word: `B` of `B. Rome` and of `(b) Rome`, in capitals.
fn label(text: &str) -> Option<u8> {
    let (label, word) = text.split_once(' ')?;
    let bare = label.strip_suffix(['.', ')', ':', ']'])?;
    let bare = bare.strip_prefix(['(', '[']).unwrap_or(bare).to_ascii_uppercase();
    let [label] = *bare.as_bytes() else { return None };
    let is_one = matches!(label, b'A'..=b'H' | b'0'..=b'9') && !word.trim().is_empty();
    is_one.then_some(label)
}

/// Whether all words of choices have labels before them that follow one another, which are no initials of names
/// then.
fn are_labelled(words: &[String]) -> bool {
    let labels: Option<Vec<u8>> = words.iter().map(|it| label(it)).collect();
    labels.is_some_and(|it| it.len() > 1 && it.windows(2).all(|two| two[1] == two[0] + 1))
}

/// The words in a cell of choices.
fn words(cell: &Cell) -> Vec<String> {
    match cell {
        Cell::Object(fields) => match WORDS.iter().find_map(|name| cell.get(name)) {
            Some(words) => self::words(words),
            // The labels are the names of its fields.
            None => fields.iter().flat_map(|it| words(&it.1)).collect(),
        },
        Cell::List(all) => all.iter().flat_map(words).collect(),
        Cell::Text(text) => match printed(text) {
            Some(Cell::Text(_)) | None => vec![trimmed(text).to_owned()],
            Some(cell) => words(&cell),
        },
        Cell::Missing | Cell::Unread => Vec::new(),
    }
}

/// The labels that a cell of choices gives to its words.
fn labels(cell: &Cell) -> Vec<String> {
    match cell {
        Cell::Object(fields) => {
            match ["label", "labels", "key"].into_iter().find_map(|it| cell.get(it)) {
                Some(labels) => labels.texts(),
                None => fields.iter().map(|it| it.0.clone()).collect(),
            }
        }
        Cell::List(all) => {
            all.iter().filter(|it| matches!(it, Cell::Object(_))).flat_map(labels).collect()
        }
        _ => Vec::new(),
    }
}
