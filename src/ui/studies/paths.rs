//! Path patching: settings, and what is asked with them.

use std::sync::Arc;

use eframe::egui::Ui;
use serde::{Deserialize, Serialize};

use super::other_prompt::OtherPrompt;
use super::{About, Asks, Study, values_ui};
use crate::analysis::path_patching::{Between, Spec};
use crate::analysis::{AnalysisSpec, Positions};
use crate::analysis::{HeadInput, Receiver};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    other: OtherPrompt,
    to: To,
    is_frozen: bool,
}

/// Where paths end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum To {
    #[default]
    Logits,

    /// An input of the head that is picked out.
    Query,
    Key,
    Value,

    /// The MLP of the layer that is picked out.
    Mlp,
}

const ENDS: [(To, &str); 5] = [
    (To::Logits, "the logits"),
    (To::Query, "a head's query"),
    (To::Key, "its key"),
    (To::Value, "its value"),
    (To::Mlp, "an MLP"),
];

impl Study for Settings {
    fn spec(&self, about: &About<'_>) -> Result<AnalysisSpec, String> {
        let donor = self.other.donor(about)?;
        let layer = about.selection.layer.filter(|it| *it < about.n_layers());
        let head = about.selection.head.filter(|it| *it < about.n_heads());
        // The head that is picked out reads a key and a value that it may share with its neighbours.
        let n_in_group = about.n_heads() / about.info.config.n_kv_heads();
        let of_head = |input: HeadInput| match (layer, head, input) {
            (Some(layer), Some(head), HeadInput::Query) => {
                Ok(Receiver::Head { layer, head, input })
            }
            (Some(layer), Some(head), HeadInput::Key | HeadInput::Value) => {
                Ok(Receiver::Head { layer, head: head / n_in_group, input })
            }
            _ => Err("Pick a head first, in the attention or in a map of heads".to_owned()),
        };
        let receiver = match self.to {
            To::Logits => Receiver::Logits,
            To::Query => of_head(HeadInput::Query)?,
            To::Key => of_head(HeadInput::Key)?,
            To::Value => of_head(HeadInput::Value)?,
            To::Mlp => Receiver::Mlp { layer: layer.ok_or("Pick a layer first")? },
        };
        Ok(AnalysisSpec::PathPatching(Spec {
            pairs: self.other.pairs(&donor, about.prompt)?,
            donor: Arc::new(donor),
            receivers: vec![receiver],
            receiver_positions: match self.to {
                // Keys and values are read wherever the last token looks.
                To::Key | To::Value => Positions::All,
                To::Logits | To::Query | To::Mlp => Positions::Last,
            },
            between: if self.is_frozen { Between::Frozen } else { Between::Recomputed },
        }))
    }

    fn shows(&self, spec: &AnalysisSpec) -> bool {
        matches!(spec, AnalysisSpec::PathPatching(_))
    }

    fn asks(&self) -> Asks {
        self.other.asks()
    }

    fn controls_ui(&mut self, ui: &mut Ui, about: &About<'_>) {
        ui.horizontal_wrapped(|ui| {
            ui.label("Paths to");
            values_ui(ui, &mut self.to, ENDS.map(|(to, name)| (to, name, "")));
        });
        ui.checkbox(&mut self.is_frozen, "MLPs between keep their clean outputs")
            .on_hover_text("Else they react, as in Wang et al. 2022; other heads never do");
        // Long prompts are wider than what stands above them.
        self.other.controls_ui(ui, about);
    }

    fn has_metric(&self) -> bool {
        true
    }
}
