//! The control that severs MLPs or attention in a trace, and in how many layers.

use eframe::egui::{Slider, SliderClamping, Ui};

use super::{Choice, keep_together};
use crate::analysis::causal_trace::Severed;

/// In points: the list of choices, and the slider with its number.
const CHOICE_WIDTH: f32 = 84.0;
const SLIDER_WIDTH: f32 = 160.0;

/// What of a trace is severed, and in how many layers: none at the slider's left end, all at its
/// right. `layers`: nothing stands for all.
pub fn severing_ui(
    ui: &mut Ui,
    sever: &mut Option<Severed>,
    layers: &mut Option<usize>,
    n_layers: usize,
) {
    what_ui(ui, sever, layers);
    // Where nothing is severed, the number of layers means nothing.
    if sever.is_none() {
        return;
    }
    let all = n_layers as f64;
    let shown = layers.unwrap_or(n_layers).min(n_layers);
    let mut n = shown;
    keep_together(ui, "in layers", SLIDER_WIDTH);
    let label = ui.label("in layers");
    let slider = Slider::new(&mut n, 0..=n_layers)
        .clamping(SliderClamping::Always)
        .custom_formatter(move |n, _| {
            if n <= 0.0 {
                "none".to_owned()
            } else if n >= all {
                "all".to_owned()
            } else {
                n.to_string()
            }
        })
        .custom_parser(move |text| match text.trim() {
            "none" => Some(0.0),
            "all" => Some(all),
            number => number.parse().ok(),
        });
    let about = "In how many layers they are held, counted up from the lowest that could react to \
                 the change. ROME: in all. Where fewer do the same, what is above them does not \
                 matter";
    ui.add(slider).labelled_by(label.id).on_hover_text(about);
    if n != shown {
        *layers = (n < n_layers).then_some(n);
    }
}

fn what_ui(ui: &mut Ui, sever: &mut Option<Severed>, layers: &mut Option<usize>) {
    let about = "Holds what MLPs or attention add at the changed token, in later layers, at the \
                 values it has without the change, so that only the path around them is left. If an \
                 early peak goes with the MLPs severed, it worked through them (Meng et al. 2022, \
                 fig. 3)";
    let name = |severed: Option<Severed>| match severed {
        None => "nothing",
        Some(Severed::Mlp) => "MLPs",
        Some(Severed::Attn) => "attention",
    };
    keep_together(ui, "Sever", CHOICE_WIDTH);
    let label = ui.label("Sever");
    let before = *sever;
    let choices: Vec<Option<Severed>> = [None].into_iter().chain(Severed::ALL.map(Some)).collect();
    let choice = Choice::new("sever", CHOICE_WIDTH);
    let combo = choice.show(ui, sever, &choices, |it| (name(*it).into(), ""));
    combo.labelled_by(label.id).on_hover_text(about);
    // Whoever asks for it wants it somewhere.
    if *sever != before && *layers == Some(0) {
        *layers = None;
    }
}
