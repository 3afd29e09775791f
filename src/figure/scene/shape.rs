//! What a scene is made of: boxes, lines, dots and text at places in points.

use super::Style;
use super::text::text_width;
use crate::figure::color::Rgb;

#[derive(Debug)]
pub(in crate::figure) enum Shape {
    Box {
        at: [f32; 2],
        size: [f32; 2],
        fill: Option<Rgb>,
        line: Option<Rgb>,
    },
    Line {
        from: [f32; 2],
        to: [f32; 2],
        color: Rgb,
        width: f32,
        dash: Option<f32>,
    },
    Path {
        points: Vec<[f32; 2]>,
        color: Rgb,
        dash: Option<f32>,
    },

    /// A filled shape through which what lies below is seen.
    Area {
        points: Vec<[f32; 2]>,
        color: Rgb,
    },
    Dot {
        at: [f32; 2],
        radius: f32,
        color: Rgb,
    },
    Text(Text),

    /// A place that says something when the pointer is on it. Nothing is drawn there.
    Spot {
        at: [f32; 2],
        size: [f32; 2],
        about: String,
    },
}

#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "a text has a text")]
pub(in crate::figure) struct Text {
    /// The anchor, on the middle of the text's height.
    pub at: [f32; 2],
    pub text: String,
    pub size: f32,
    pub anchor: Anchor,
    pub color: Rgb,
    pub is_mono: bool,
    pub is_bold: bool,

    /// In degrees, clockwise.
    pub turn: f32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::figure) enum Anchor {
    Start,
    Middle,
    End,
}

impl Shape {
    /// Top left and bottom right.
    pub fn bounds(&self) -> ([f32; 2], [f32; 2]) {
        let corners: Vec<[f32; 2]> = match self {
            Self::Box { at, size, .. } | Self::Spot { at, size, .. } => {
                vec![*at, [at[0] + size[0], at[1] + size[1]]]
            }
            Self::Line { from, to, .. } => vec![*from, *to],
            Self::Path { points, .. } | Self::Area { points, .. } => points.clone(),
            Self::Dot { at: [x, y], radius, .. } => {
                vec![[x - radius, y - radius], [x + radius, y + radius]]
            }
            Self::Text(text) => text.corners().into(),
        };
        let start = ([f32::INFINITY; 2], [f32::NEG_INFINITY; 2]);
        corners.into_iter().fold(start, |(low, high), [x, y]| {
            ([low[0].min(x), low[1].min(y)], [high[0].max(x), high[1].max(y)])
        })
    }

    pub fn scale_by(&mut self, times: f32) {
        let scaled = |at: &mut [f32; 2]| *at = at.map(|it| it * times);
        match self {
            Self::Box { at, size, .. } | Self::Spot { at, size, .. } => {
                scaled(at);
                scaled(size);
            }
            Self::Line { from, to, width, .. } => {
                scaled(from);
                scaled(to);
                *width *= times;
            }
            Self::Path { points, .. } | Self::Area { points, .. } => {
                points.iter_mut().for_each(scaled);
            }
            Self::Dot { at, radius, .. } => {
                scaled(at);
                *radius *= times;
            }
            Self::Text(text) => {
                scaled(&mut text.at);
                text.size *= times;
            }
        }
    }

    pub fn move_by(&mut self, by: [f32; 2]) {
        let moved = |at: &mut [f32; 2]| *at = [at[0] + by[0], at[1] + by[1]];
        match self {
            Self::Box { at, .. } | Self::Dot { at, .. } | Self::Spot { at, .. } => moved(at),
            Self::Line { from, to, .. } => {
                moved(from);
                moved(to);
            }
            Self::Path { points, .. } | Self::Area { points, .. } => {
                points.iter_mut().for_each(moved);
            }
            Self::Text(text) => moved(&mut text.at),
        }
    }
}

impl Text {
    fn style(&self) -> Style {
        let Self { size, color, is_mono, is_bold, turn, .. } = *self;
        Style { size, color, is_mono, is_bold, turn }
    }

    /// The corners of the box around the text, turned with it.
    pub fn corners(&self) -> [[f32; 2]; 4] {
        let width = text_width(&self.text, self.style());
        let left = match self.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => -width / 2.0,
            Anchor::End => -width,
        };
        let half = self.size * 0.55;
        let (sin, cos) = self.turn.to_radians().sin_cos();
        [[left, -half], [left + width, -half], [left + width, half], [left, half]]
            .map(|[x, y]| [self.at[0] + x * cos - y * sin, self.at[1] + x * sin + y * cos])
    }
}
