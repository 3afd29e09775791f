//! The widgets that views share.

mod arrows;
mod caption;
mod choice;
mod color_bar;
mod command_button;
mod dialog;
pub mod head_atlas;
pub mod heatmap;
pub mod layer_plot;
mod made_once;
mod keep_together;
mod number_field;
mod pairing;
mod range_menu;
mod severing;
mod text;
pub mod token_strip;

pub use crate::figure::number;
pub use arrows::{arrow_steps, moved};
pub use caption::{Caption, Tone};
pub use choice::{Choice, is_choice_focused};
pub use color_bar::ColorBar;
pub use command_button::{command_button_ui, command_choice_ui, gives};
pub use dialog::dialog;
pub use head_atlas::HeadAtlas;
pub use heatmap::{Axis, Cell, Heatmap, HeatmapResponse, Label};
pub use keep_together::keep_together;
pub use made_once::{Shared, cached_texture, made_once};
pub use number_field::{NumberField, number_field};
pub use pairing::{PairingClick, pairing_ui};
pub use range_menu::{ColorRange, NewRange};
pub use severing::severing_ui;
pub use text::{elide_middle, fitted, legible, rotated_text};
pub use token_strip::{Chip, token_chip_ui, token_strip_ui};
