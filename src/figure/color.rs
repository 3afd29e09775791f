//! Colours of values: perceptual, and told apart by people who do not see all of them (the schemes of Cynthia Brewer).

use serde::Serialize;

use crate::analysis::causal_trace::Component;

/// Red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rgb(pub [u8; 3]);

/// A scale of colours, from the low end of a range to the high one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum ColorMap {
    /// Hidden states.
    Purples,

    /// MLPs.
    Greens,

    /// Attention outputs.
    Reds,

    /// Attention patterns.
    Blues,

    /// Readings of the logit lens.
    Oranges,

    /// Negative to positive, for ranges centred at zero. Blue is positive.
    RedBlue,
}

impl ColorMap {
    /// The colours that Meng et al. 2022 give a component.
    pub fn of(component: Component) -> Self {
        match component {
            Component::Hidden => Self::Purples,
            Component::Mlp => Self::Greens,
            Component::Attn => Self::Reds,
        }
    }

    /// The colour at a share of the range, from 0 to 1, clipped. `None` for NaN, which stands for no value.
    pub fn rgb(self, share: f32) -> Option<Rgb> {
        if share.is_nan() {
            return None;
        }
        let gradient = match self {
            Self::Purples => colorous::PURPLES,
            Self::Greens => colorous::GREENS,
            Self::Reds => colorous::REDS,
            Self::Blues => colorous::BLUES,
            Self::Oranges => colorous::ORANGES,
            Self::RedBlue => colorous::RED_BLUE,
        };
        let color = gradient.eval_continuous(f64::from(share));
        Some(Rgb([color.r, color.g, color.b]))
    }
}

/// The colours of series, in the order of their use (Okabe & Ito 2008, black aside).
pub const SERIES: [Rgb; 7] = [
    Rgb([0, 114, 178]),
    Rgb([213, 94, 0]),
    Rgb([0, 158, 115]),
    Rgb([204, 121, 167]),
    Rgb([86, 180, 233]),
    Rgb([230, 159, 0]),
    Rgb([120, 120, 120]),
];
