//! What is drawn over the colours of a map's cells, in the window and in files alike.

use super::Map;

/// What is drawn over the colour of a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks<'a> {
    /// A line from the lower left to the upper right corner.
    pub is_set_back: bool,

    /// A dot in the middle.
    pub is_estimated: bool,

    /// The text in the middle, where there is room.
    pub text: Option<&'a str>,
}

impl Marks<'_> {
    /// How far the line across a cell stays from its edges, in points.
    pub const INSET: f32 = 1.0;
}

impl Map {
    /// What is drawn over the colour of a cell, in the window and in files alike.
    pub fn marks(&self, nth: usize) -> Marks<'_> {
        let is_known = self.values.get(nth).is_some_and(|value| !value.is_nan());
        let is = |flags: &[bool]| is_known && flags.get(nth) == Some(&true);
        let is_estimated = is(&self.estimated);
        let text = self.texts.get(nth).map(String::as_str).filter(|_| !is_estimated);
        Marks { is_set_back: is(&self.set_back), is_estimated, text }
    }
}
