//! Layers that follow each other, as a flag.

use std::ops::Range;
use std::str::FromStr;

/// Layers as they are typed: `2..5`.
#[derive(Clone)]
pub struct LayersArg(pub Range<usize>);

impl FromStr for LayersArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| {
            text.trim().parse::<usize>().map_err(|_error| format!("`{text}` is no layer, from 0"))
        };
        if let Some((from, to)) = text.split_once("..") {
            return Ok(Self(number(from)?..number(to)?));
        }
        let layer = number(text)?;
        Ok(Self(layer..layer.saturating_add(1)))
    }
}
