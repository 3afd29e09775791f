//! A value of a GGUF file's metadata.

use std::fmt;

use super::GgufError;
use super::reader::{Number as _, Reader};

/// A value of the metadata.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    Text(&'a str),
    Array(Array<'a>),
}

/// A list of values of one kind, which is read when it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Array<'a> {
    /// The number of the kind, as the format has it.
    kind: u32,
    len: usize,
    bytes: &'a [u8],
}

const BOOL: u32 = 7;
const TEXT: u32 = 8;
const ARRAY: u32 = 9;

/// How deep lists may lie in lists.
const MAX_DEPTH: usize = 4;

impl<'a> Value<'a> {
    /// Reads a value of a kind. `what` names it in messages.
    pub(super) fn read(reader: &mut Reader<'a>, what: &str, kind: u32) -> Result<Self, GgufError> {
        if kind != ARRAY {
            return Self::read_plain(reader, what, kind);
        }
        let (kind, len) = (reader.number(what)?, reader.size(what)?);
        let start = reader.at;
        skip(reader, what, (kind, len), MAX_DEPTH)?;
        let n_bytes = reader.at - start;
        reader.at = start;
        Ok(Self::Array(Array { kind, len, bytes: reader.take(what, n_bytes)? }))
    }

    fn read_plain(reader: &mut Reader<'a>, what: &str, kind: u32) -> Result<Self, GgufError> {
        Ok(match kind {
            0 => Self::Unsigned(reader.number::<u8>(what)?.into()),
            1 => Self::Signed(reader.number::<i8>(what)?.into()),
            2 => Self::Unsigned(reader.number::<u16>(what)?.into()),
            3 => Self::Signed(reader.number::<i16>(what)?.into()),
            4 => Self::Unsigned(reader.number::<u32>(what)?.into()),
            5 => Self::Signed(reader.number::<i32>(what)?.into()),
            6 => Self::Float(reader.number::<f32>(what)?.into()),
            BOOL => Self::Bool(reader.number::<u8>(what)? != 0),
            TEXT => Self::Text(reader.text(what)?),
            10 => Self::Unsigned(reader.number(what)?),
            11 => Self::Signed(reader.number(what)?),
            12 => Self::Float(reader.number(what)?),
            other => {
                return Err(reader.invalid(&format!("`{what}` is of the unknown kind {other}")));
            }
        })
    }

    /// The value as a number, if it is one.
    pub fn number(&self) -> Option<f64> {
        match *self {
            Self::Unsigned(it) => Some(it as f64),
            Self::Signed(it) => Some(it as f64),
            Self::Float(it) => Some(it),
            Self::Bool(_) | Self::Text(_) | Self::Array(_) => None,
        }
    }
}

/// Goes past the values of a list, so that its end is known.
fn skip(
    reader: &mut Reader<'_>,
    what: &str,
    (kind, len): (u32, usize),
    depth: usize,
) -> Result<(), GgufError> {
    let size = match kind {
        0 | 1 | BOOL => u8::SIZE,
        2 | 3 => u16::SIZE,
        4..=6 => u32::SIZE,
        10..=12 => u64::SIZE,
        TEXT => {
            for _ in 0..len {
                let len = reader.size(what)?;
                reader.take(what, len)?;
            }
            return Ok(());
        }
        ARRAY if depth > 0 => {
            for _ in 0..len {
                let inner = (reader.number(what)?, reader.size(what)?);
                skip(reader, what, inner, depth - 1)?;
            }
            return Ok(());
        }
        other => {
            return Err(reader.invalid(&format!("`{what}` is a list of the unknown kind {other}")));
        }
    };
    reader.take(what, len.saturating_mul(size)).map(|_| ())
}

impl<'a> Array<'a> {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The values in order. The error names a value that is no plain one.
    pub fn values(self) -> impl Iterator<Item = Result<Value<'a>, GgufError>> {
        let mut reader = Reader::new(self.bytes);
        (0..self.len).map(move |_| Value::read_plain(&mut reader, "a list's value", self.kind))
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned(it) => write!(f, "the number {it}"),
            Self::Signed(it) => write!(f, "the number {it}"),
            Self::Float(it) => write!(f, "the number {it}"),
            Self::Bool(it) => write!(f, "{it}"),
            Self::Text(_) => write!(f, "a text"),
            Self::Array(it) => write!(f, "a list of {}", it.len),
        }
    }
}
