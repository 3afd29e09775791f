//! A head, as it is typed.

use std::fmt;
use std::str::FromStr;

/// A head as it is typed: `9.1`, layer 9, head 1, both from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadArg {
    pub layer: usize,
    pub head: usize,
}

/// A text names no head.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no head; say layer and head, both from 0, as `9.1` or `L9H1`")]
pub struct UnknownHead(String);

impl FromStr for HeadArg {
    type Err = UnknownHead;

    fn from_str(text: &str) -> Result<Self, UnknownHead> {
        let parts = match text.strip_prefix('L') {
            Some(rest) => rest.split_once('H'),
            None => text.split_once('.'),
        };
        let numbers = parts.and_then(|(layer, head)| {
            Some(Self { layer: layer.parse().ok()?, head: head.parse().ok()? })
        });
        numbers.ok_or_else(|| UnknownHead(text.to_owned()))
    }
}

/// Written as TransformerLens labels heads.
impl fmt::Display for HeadArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "L{}H{}", self.layer, self.head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_named_by_layer_and_head() {
        let head = HeadArg { layer: 9, head: 11 };
        assert_eq!("9.11".parse(), Ok(head));
        assert_eq!(head.to_string().parse(), Ok(head));
        for wrong in ["9", "9.", "L9.1", "9H1", "", "a.b", "-1.2"] {
            assert!(wrong.parse::<HeadArg>().is_err(), "{wrong}");
        }
    }
}
