//! The choices beside a figure's title.

use eframe::egui::Ui;

use crate::analysis::Metric;
use crate::analysis::logit_attribution::Parts;
use crate::figure::words::is_long;
use crate::figure::{AttributionForm, LensForm};
use crate::tokens::TokenizedPrompt;
use crate::ui::state::LensChoice;
use crate::ui::widgets::Choice;
use crate::ui::words::metric_name;

pub fn lens_choices_ui(ui: &mut Ui, lens: &mut LensChoice) {
    let answer = |metric| LensChoice { form: LensForm::Answer, metric };
    let likeliest = LensChoice { form: LensForm::Likeliest, metric: Metric::Prob };
    let choices = [
        (answer(Metric::Prob), "Answer", "The probability of the answer's first token"),
        (answer(Metric::Rank), "Rank", "The rank of the answer's first token, 1 for the likeliest"),
        (likeliest, "Likeliest token", "The probability of the likeliest token of each cell"),
    ];
    for (choice, text, about) in choices {
        ui.selectable_value(lens, choice, text).on_hover_text(about);
    }
}

/// The parts that a logit is split into, and the form in which these are drawn.
pub fn attribution_choices_ui(ui: &mut Ui, split: &mut Parts, form: &mut AttributionForm) {
    for (choice, text) in [(Parts::Layers, "Layers"), (Parts::Heads, "Heads")] {
        ui.selectable_value(split, choice, text);
    }
    ui.add_space(6.0);
    let forms = [
        (AttributionForm::Parts, "Parts", "What each part adds to the logit"),
        (
            AttributionForm::RunningSum,
            "Running sum",
            "The sum of all parts up to each depth, ending at the logit",
        ),
        (
            AttributionForm::Waterfall,
            "Waterfall",
            "Each bar starts where the one before ended; the last is the logit",
        ),
    ];
    for (choice, text, about) in forms {
        ui.selectable_value(form, choice, text).on_hover_text(about);
    }
}

/// The metrics that this prompt has and a map can show.
pub fn metrics_of(prompt: &TokenizedPrompt) -> impl Iterator<Item = Metric> {
    Metric::ALL.into_iter().filter(|metric| match metric {
        Metric::AnswerProb => is_long(prompt.answer.as_ref()),
        Metric::LogitDiff => prompt.foil.is_some(),
        Metric::Prob | Metric::LogProb | Metric::Logit => true,
        // Colours of maps are for metrics that fall when the answer is lost.
        Metric::Rank | Metric::Kl => false,
    })
}

pub fn metric_picker_ui(ui: &mut Ui, metric: &mut Metric, metrics: impl Iterator<Item = Metric>) {
    let metrics: Vec<Metric> = metrics.collect();
    let choice = Choice::new("metric", 190.0);
    let shown = choice.show(ui, metric, &metrics, |it| (metric_name(*it).into(), ""));
    shown.accessible_name("Metric");
}
