//! What the entries of a vocabulary stand for: the bytes of a token, and its text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;
use tokenizers::Tokenizer as HfTokenizer;

/// The sign for a space in vocabularies of SentencePiece's kind.
pub(super) const SPACE: char = '▁';

/// How a vocabulary spells bytes.
#[derive(Clone, Debug)]
pub(super) enum Spelling {
    /// Each character stands for one byte, as in GPT-2's vocabulary.
    Bytes(BTreeMap<char, u8>),

    /// As SentencePiece has it: `▁` is a space, and `<0xE6>` is a byte.
    Marked,

    /// A token is its own text.
    Plain,
}

impl Spelling {
    /// The spelling that a tokenizer's decoder undoes, or else that its pre-tokenizer makes.
    pub fn of(tokenizer: &HfTokenizer) -> Self {
        let json = |it: Option<serde_json::Result<Value>>| it.and_then(Result::ok);
        let decoder = json(tokenizer.get_decoder().map(serde_json::to_value));
        let pre_tokenizer = json(tokenizer.get_pre_tokenizer().map(serde_json::to_value));
        for steps in [decoder, pre_tokenizer].into_iter().flatten() {
            if any_step(&steps, &|it| it["type"] == "ByteLevel") {
                return Self::Bytes(byte_characters().map(|(byte, c)| (c, byte)).collect());
            }
            let is_marked = |it: &Value| {
                it["type"] == "Metaspace"
                    || it["type"] == "ByteFallback"
                    || it["type"] == "Replace" && it["pattern"]["String"] == SPACE.to_string()
            };
            if any_step(&steps, &is_marked) {
                return Self::Marked;
            }
        }
        Self::Plain
    }

    /// The bytes that a token of the vocabulary stands for.
    pub fn bytes(&self, token: &str) -> Vec<u8> {
        match self {
            // A character that stands for no byte is literal text, and so is its token.
            Self::Bytes(byte_of_char) => {
                let bytes: Option<Vec<u8>> =
                    token.chars().map(|c| byte_of_char.get(&c).copied()).collect();
                bytes.unwrap_or_else(|| token.as_bytes().to_vec())
            }
            Self::Marked => match byte_token(token) {
                Some(byte) => vec![byte],
                None => self.added(token),
            },
            Self::Plain => token.as_bytes().to_vec(),
        }
    }

    /// The bytes of a token that was added to the vocabulary, which is found in the text as it is
    /// written.
    pub fn added(&self, token: &str) -> Vec<u8> {
        match self {
            Self::Marked => token.replace(SPACE, " ").into_bytes(),
            Self::Bytes(_) | Self::Plain => token.as_bytes().to_vec(),
        }
    }
}

/// Whether a step of a pipeline, or one of the steps inside it, is as wanted.
pub(super) fn any_step(steps: &Value, is_wanted: &dyn Fn(&Value) -> bool) -> bool {
    match steps {
        Value::Object(step) => is_wanted(steps) || step.values().any(|it| any_step(it, is_wanted)),
        Value::Array(steps) => steps.iter().any(|it| any_step(it, is_wanted)),
        _ => false,
    }
}

/// The byte that a token such as `<0xE6>` stands for.
fn byte_token(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    let is_plain = digits.len() == 2 && digits.bytes().all(|it| it.is_ascii_hexdigit());
    is_plain.then(|| u8::from_str_radix(digits, 16).ok())?
}

/// Bytes as text; those that are no whole character are written `<E6 9D>`.
pub(super) fn text_of_bytes(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut rest: Vec<u8> = Vec::new();
    let flush = |rest: &mut Vec<u8>, text: &mut String| {
        if rest.is_empty() {
            return;
        }
        for (nth, byte) in rest.drain(..).enumerate() {
            let before = if nth == 0 { '<' } else { ' ' };
            _ = write!(text, "{before}{byte:02X}");
        }
        text.push('>');
    };
    for chunk in bytes.utf8_chunks() {
        if !chunk.valid().is_empty() {
            flush(&mut rest, &mut text);
            text.push_str(chunk.valid());
        }
        rest.extend(chunk.invalid());
    }
    flush(&mut rest, &mut text);
    text
}

/// Joins the bytes that pieces beside each other show, such as `<E6><9D B1>`, where they are characters.
pub(super) fn with_whole_characters(pieces: &str) -> String {
    let mut bytes: Vec<u8> = Vec::with_capacity(pieces.len());
    let mut rest = pieces;
    while let Some((before, behind)) = rest.split_once('<') {
        bytes.extend(before.as_bytes());
        let shown = behind.split_once('>').and_then(|(digits, behind)| {
            let byte = |digits: &str| byte_token(&format!("<0x{digits}>"));
            let shown: Option<Vec<u8>> = digits.split(' ').map(byte).collect();
            Some((shown?, behind))
        });
        let (shown, behind) = shown.unwrap_or_else(|| (vec![b'<'], behind));
        bytes.extend(shown);
        rest = behind;
    }
    bytes.extend(rest.as_bytes());
    text_of_bytes(&bytes)
}

/// A token's text for axes and chips, with signs for spaces, line ends, tabs and control
/// characters.
pub fn visible(piece: &str) -> String {
    let mut text = String::new();
    for c in piece.chars() {
        match c {
            ' ' => text.push('·'),
            '\n' => text.push('↩'),
            '\t' => text.push('→'),
            c if c.is_control() => text.extend(c.escape_unicode()),
            c => text.push(c),
        }
    }
    text
}

/// Each byte with the character that stands for it in GPT-2's vocabulary, in the order of ids.
///
/// A printable Latin-1 character stands for itself; the other bytes are numbered from U+0100 on.
pub(super) fn byte_characters() -> impl Iterator<Item = (u8, char)> {
    let is_printable = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let printable = (0..=255).filter(is_printable).map(|byte| (byte, char::from(byte)));
    let others = (0..=255).filter(move |byte| !is_printable(byte));
    printable.chain(others.zip('\u{100}'..))
}
