//! Errors about numbers that were typed, in other words than those of the standard library.

use std::error::Error as _;

use clap::Command;
use clap::error::{ContextKind, ErrorKind};

/// How the standard library says what is no number, and what is meant.
const MEANT: [(&str, &str); 7] = [
    ("invalid digit found in string", "a whole number of at least 0 is meant, such as 3"),
    ("cannot parse integer from empty string", "a whole number of at least 0 is meant, such as 3"),
    ("number would be zero for non-zero type", "a whole number of at least 1 is meant"),
    ("number too large to fit in target type", "the number is too large"),
    ("number too small to fit in target type", "the number is too small"),
    ("invalid float literal", "a number is meant, such as 0.5"),
    ("cannot parse float from empty string", "a number is meant, such as 0.5"),
];

/// An error of the flags, which says what number is meant where another was typed.
pub(super) fn in_plain_words(error: clap::Error, command: &Command) -> clap::Error {
    let said = error.source().map(ToString::to_string);
    let meant = MEANT.iter().find(|(words, _)| said.as_deref() == Some(*words));
    let typed = [ContextKind::InvalidValue, ContextKind::InvalidArg].map(|it| error.get(it));
    let (Some((_, meant)), [Some(value), Some(flag)]) = (meant, typed) else { return error };
    let message = format!("invalid value '{value}' for '{flag}': {meant}\n");
    clap::Error::raw(ErrorKind::ValueValidation, message).with_cmd(command)
}
