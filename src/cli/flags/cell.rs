//! A cell of a trace, as it is typed.

use std::str::FromStr;

/// A cell of a trace as it is typed: `3,5` is token 3 in layer 5.
#[derive(Clone, Copy, Debug)]
pub struct CellArg {
    pub pos: usize,
    pub layer: usize,
}

impl FromStr for CellArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let asked = || "a token and a layer, each counted from 0, such as 3,5".to_owned();
        let (pos, layer) = text.split_once(',').ok_or_else(asked)?;
        let number = |text: &str| text.trim().parse().map_err(|_error| asked());
        Ok(Self { pos: number(pos)?, layer: number(layer)? })
    }
}
