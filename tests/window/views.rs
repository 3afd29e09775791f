//! What each view looks like, over made-up results of the size of GPT-2 large's.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use eframe::egui::{self, Theme};
use egui_kittest::kittest::Queryable as _;
use egui_kittest::{Harness, SnapshotOptions};
use factscope::analysis::ablation::Part;
use factscope::analysis::attention::Attention;
use factscope::analysis::causal_trace;
use factscope::analysis::logit_attribution::Parts;
use factscope::analysis::{AnalysisResult, Metric};
use factscope::figure::{AttributionForm, Figure, Look, Ranges};
use factscope::tokens::Tokenizer;
use factscope::ui::state::AttentionSettings;
use factscope::ui::studies::cut;
use factscope::ui::theme;
use factscope::ui::view::{Selection, ViewAction, ViewCtx};
use factscope::ui::views::{AttentionView, CutView, attention_ui, figure_ui};
use factscope::ui::widgets::token_strip_ui;

use super::made_up::{
    N_LAYERS, ablation, attribution, estimate, knockout, lens, patterns, prediction, prompt,
    tokenizer, trace,
};

fn figure(result: &AnalysisResult, tokenizer: &Tokenizer) -> Arc<Figure> {
    figure_as(result, &Look::new(tokenizer))
}

fn figure_as(result: &AnalysisResult, look: &Look<'_>) -> Arc<Figure> {
    Arc::new(Figure::of(result, look))
}

/// As it is drawn where it takes all the height there is.
fn filling_ui(ui: &mut egui::Ui, figure: &Arc<Figure>, ctx: &ViewCtx<'_>) -> Option<ViewAction> {
    figure_ui(ui, figure, ctx, &mut Vec::new())
}

/// A window that shows nothing but one view.
fn window<'a>(
    size: [f32; 2],
    theme: Theme,
    mut view: impl FnMut(&mut egui::Ui) + 'a,
) -> Harness<'a> {
    Harness::builder()
        .with_size(size)
        .with_theme(theme)
        .with_render_cursor(false)
        .with_options(SnapshotOptions::new().max_failed_pixels(20))
        .with_context_setup(theme::install)
        .build_ui(move |ui| {
            let fill = ui.visuals().panel_fill;
            let behind = ui.ctx().layer_painter(egui::LayerId::background());
            behind.rect_filled(ui.ctx().content_rect(), 0.0, fill);
            view(ui);
        })
}

static NO_RANGES: LazyLock<Ranges> = LazyLock::new(Ranges::default);

fn ctx(tokenizer: &Tokenizer, selection: Selection) -> ViewCtx<'_> {
    ViewCtx {
        selection,
        tokenizer,
        ranges: &NO_RANGES,
        planted: None,
        picks_places: false,
        is_compared: false,
    }
}

const CELL: Selection = Selection { layer: Some(13), position: Some(4), head: Some(5) };

#[test]
fn a_causal_trace_looks_like_romes() {
    let tokenizer = tokenizer();
    let prompt = prompt(&tokenizer, "Paris", None);
    let trace = trace(prompt.clone(), usize::MAX);
    let figure = figure(&AnalysisResult::CausalTrace(trace), &tokenizer);
    let mut window = window([760.0, 440.0], Theme::Light, |ui| {
        token_strip_ui(ui, &prompt, &ctx(&tokenizer, CELL));
        filling_ui(ui, &figure, &ctx(&tokenizer, CELL));
    });
    window.run();
    window.snapshot("causal_trace");
}

#[test]
fn a_running_causal_trace_hatches_what_is_missing() {
    let tokenizer = tokenizer();
    let prompt = prompt(&tokenizer, "Ouagadougou", Some("Rome"));
    let mut trace = trace(prompt.clone(), 173);
    trace.clean.rank = 3;
    let figure = figure(&AnalysisResult::CausalTrace(trace), &tokenizer);
    let mut window = window([560.0, 460.0], Theme::Dark, |ui| {
        token_strip_ui(ui, &prompt, &ctx(&tokenizer, CELL));
        filling_ui(ui, &figure, &ctx(&tokenizer, CELL));
    });
    window.run();
    let map = window.get_by_label_contains("Causal trace: token 4 ·Tower, layer 13: ").rect();
    window.hover_at(map.left_top() + map.size() * egui::vec2(0.235, 0.4));
    window.run();
    window.snapshot("causal_trace_running");
}

#[test]
fn an_estimate_stands_in_until_a_cell_is_computed() {
    let tokenizer = tokenizer();
    let prompt = prompt(&tokenizer, "Paris", None);
    let estimate = estimate(&trace(prompt.clone(), usize::MAX));
    let trace = AnalysisResult::CausalTrace(trace(prompt.clone(), 173));
    let look = Look { estimate: Some(&estimate), ..Look::new(&tokenizer) };
    let figure = figure_as(&trace, &look);
    let mut window = window([760.0, 460.0], Theme::Light, |ui| {
        token_strip_ui(ui, &prompt, &ctx(&tokenizer, CELL));
        let ctx = ctx(&tokenizer, Selection { layer: Some(31), position: Some(10), head: None });
        filling_ui(ui, &figure, &ctx);
    });
    window.run();
    // What is drawn is said, too.
    window.get_by_label_contains("(estimate)");
    window.snapshot("causal_trace_estimated");
}

/// Logits are not what was estimated: their cells are as empty as without it.
#[test]
fn an_estimate_of_one_metric_is_not_shown_for_another() {
    let tokenizer = tokenizer();
    let prompt = prompt(&tokenizer, "Paris", None);
    let estimate = estimate(&trace(prompt.clone(), usize::MAX));
    let trace = AnalysisResult::CausalTrace(trace(prompt, 173));
    let look = Look { metric: Metric::Logit, estimate: Some(&estimate), ..Look::new(&tokenizer) };
    let figure = figure_as(&trace, &look);
    let mut window = window([760.0, 460.0], Theme::Light, |ui| {
        let ctx = ctx(&tokenizer, Selection { layer: Some(31), position: Some(10), head: None });
        filling_ui(ui, &figure, &ctx);
    });
    window.run();
    window.get_by_label_contains("not computed");
    window.get_by_label("173 of 396 cells computed; hatched are not");
}

#[test]
fn arrow_keys_and_clicks_move_the_selected_cell() {
    let tokenizer = tokenizer();
    let trace = trace(prompt(&tokenizer, "Paris", None), usize::MAX);
    let figure = figure(&AnalysisResult::CausalTrace(trace), &tokenizer);
    let selection = std::cell::Cell::new(Selection::default());
    let mut window = window([760.0, 440.0], Theme::Light, |ui| {
        let action = filling_ui(ui, &figure, &ctx(&tokenizer, selection.get()));
        if let Some(ViewAction::Select(new)) = action {
            selection.set(new);
        }
    });
    window.run();
    let map = window.get_by_label("Causal trace").rect();
    let at = map.left_top() + map.size() * egui::vec2(12.5 / 36.0, 4.5 / 11.0);
    window.hover_at(at);
    window.run();
    window.drag_at(at);
    window.drop_at(at);
    window.run();
    assert_eq!((selection.get().layer, selection.get().position), (Some(12), Some(4)));
    window.key_press(egui::Key::ArrowRight);
    window.run();
    window.key_press(egui::Key::ArrowUp);
    window.run();
    assert_eq!((selection.get().layer, selection.get().position), (Some(13), Some(3)));
    window.get_by_label_contains("Causal trace: token 3 el, layer 13: ");
}

fn shown(ui: &mut egui::Ui, attention: &Attention, ctx: &ViewCtx<'_>) {
    let cut = CutView {
        painted: &BTreeSet::new(),
        settings: &mut cut::Settings::default(),
        error: None,
        found: None,
        is_current: true,
    };
    let settings = &mut AttentionSettings::default();
    let mut view = AttentionView { attention, n_layers: N_LAYERS, n_sharing: 1, settings, cut };
    attention_ui(ui, &mut view, ctx, &mut Vec::new());
}

#[test]
fn one_head_is_large_and_all_are_small() {
    let tokenizer = tokenizer();
    let attention = patterns(prompt(&tokenizer, "Paris", None), 0..N_LAYERS);
    let mut window = window([560.0, 1100.0], Theme::Light, |ui| {
        let selection = Selection { position: Some(10), ..CELL };
        shown(ui, &attention, &ctx(&tokenizer, selection));
    });
    window.run();
    window.snapshot("attention");
}

#[test]
fn a_layer_that_is_missing_is_said_to_be() {
    let tokenizer = tokenizer();
    let attention = patterns(prompt(&tokenizer, "Paris", None), 12..14);
    let mut window = window([560.0, 600.0], Theme::Light, |ui| {
        let selection = Selection { layer: Some(30), ..CELL };
        shown(ui, &attention, &ctx(&tokenizer, selection));
    });
    window.run();
    window.get_by_label("Not computed for layer 30. Computed are layers 12 to 13");
    window.get_by_label(
        "With 11 tokens all 36 layers would be too much at once: only the selected layer is computed",
    );
}

#[test]
fn layers_add_up_to_the_logit() {
    let tokenizer = tokenizer();
    let prompt = prompt(&tokenizer, "Paris", Some("Rome"));
    let attribution = AnalysisResult::LogitAttribution(attribution(prompt, Parts::Layers));
    let figure = figure(&attribution, &tokenizer);
    let mut window = window([620.0, 720.0], Theme::Dark, |ui| {
        figure_ui(ui, &figure, &ctx(&tokenizer, CELL), &mut Vec::new());
    });
    window.run();
    window.snapshot("attribution_layers");
}

#[test]
fn a_waterfall_ends_at_the_logit() {
    let tokenizer = tokenizer();
    let prompt = prompt(&tokenizer, "Paris", Some("Rome"));
    let attribution = AnalysisResult::LogitAttribution(attribution(prompt, Parts::Layers));
    let look = Look { attribution: AttributionForm::Waterfall, ..Look::new(&tokenizer) };
    let figure = figure_as(&attribution, &look);
    let mut window = window([760.0, 400.0], Theme::Light, |ui| {
        filling_ui(ui, &figure, &ctx(&tokenizer, CELL));
    });
    window.run();
    window.snapshot("attribution_waterfall");
}

#[test]
fn heads_are_ranked_beside_their_map() {
    let tokenizer = tokenizer();
    let attribution = attribution(prompt(&tokenizer, "Paris", None), Parts::Heads);
    let figure = figure(&AnalysisResult::LogitAttribution(attribution), &tokenizer);
    let mut window = window([820.0, 900.0], Theme::Light, |ui| {
        figure_ui(ui, &figure, &ctx(&tokenizer, Selection::default()), &mut Vec::new());
    });
    window.run();
    window.snapshot("attribution_heads");
}

#[test]
fn the_answer_stands_out_among_the_predictions() {
    let tokenizer = tokenizer();
    let prediction = prediction(&tokenizer, prompt(&tokenizer, "Ouagadougou", None));
    let figure = figure(&AnalysisResult::Prediction(prediction), &tokenizer);
    let mut window = window([480.0, 420.0], Theme::Dark, |ui| {
        filling_ui(ui, &figure, &ctx(&tokenizer, CELL));
    });
    window.run();
    window.snapshot("prediction");
}

#[test]
fn the_lens_names_what_each_layer_would_say() {
    let tokenizer = tokenizer();
    let lens = lens(&tokenizer, prompt(&tokenizer, "Paris", None), 12);
    let figure = figure(&AnalysisResult::LogitLens(lens), &tokenizer);
    let mut window = window([820.0, 840.0], Theme::Light, |ui| {
        figure_ui(ui, &figure, &ctx(&tokenizer, CELL), &mut Vec::new());
    });
    window.run();
    window.snapshot("logit_lens");
}

#[test]
fn a_noising_trace_shows_what_is_lost() {
    let tokenizer = tokenizer();
    let mut trace = trace(prompt(&tokenizer, "Paris", None), usize::MAX);
    trace.spec.direction = causal_trace::Direction::Noise;
    trace.spec.sever = Some(causal_trace::Severed::Attn);
    let figure = figure(&AnalysisResult::CausalTrace(trace), &tokenizer);
    let mut window = window([760.0, 440.0], Theme::Light, |ui| {
        filling_ui(ui, &figure, &ctx(&tokenizer, Selection::default()));
    });
    window.run();
    window.get_by_label_contains("Corrupting MLP output, window 10, attention severed");
    // What is lost counts up, in the tooltip as in the figure.
    let map = window.get_by_label("Causal trace").rect();
    window.hover_at(map.left_top() + map.size() * egui::vec2(0.5, 0.05));
    window.run();
    window.get_by_label_contains("Indirect effect  +");
    window.get_by_label_contains("later layers' attention outputs are held at their clean values");
}

#[test]
fn heads_that_speak_for_the_answer_are_red_when_they_are_gone() {
    let tokenizer = tokenizer();
    let ablation = ablation(prompt(&tokenizer, "Paris", None), Part::Heads, usize::MAX);
    let figure = figure(&AnalysisResult::Ablation(ablation), &tokenizer);
    let mut window = window([560.0, 1020.0], Theme::Light, |ui| {
        figure_ui(ui, &figure, &ctx(&tokenizer, CELL), &mut Vec::new());
    });
    window.run();
    window.get_by_label_contains("Ablation of heads: head 5, layer 13: ");
    window.snapshot("ablation_heads");
}

#[test]
fn a_running_ablation_of_layers_shows_what_is_known_so_far() {
    let tokenizer = tokenizer();
    let mut ablation = ablation(prompt(&tokenizer, "Ouagadougou", Some("Rome")), Part::Mlp, 30);
    ablation.clean.rank = 3;
    let figure = figure(&AnalysisResult::Ablation(ablation), &tokenizer);
    let mut window = window([560.0, 460.0], Theme::Dark, |ui| {
        figure_ui(ui, &figure, &ctx(&tokenizer, CELL), &mut Vec::new());
    });
    window.run();
    window.get_by_label_contains("30 of 36 computed");
    window.snapshot("ablation_mlps");
}

#[test]
fn the_knockout_has_three_phases() {
    let tokenizer = tokenizer();
    let knockout = knockout(prompt(&tokenizer, "Paris", None), usize::MAX);
    let figure = figure(&AnalysisResult::AttentionKnockout(knockout), &tokenizer);
    let mut window = window([560.0, 400.0], Theme::Light, |ui| {
        figure_ui(ui, &figure, &ctx(&tokenizer, CELL), &mut Vec::new());
    });
    window.run();
    window.get_by_label_contains("Attention knockout: layer 13: subject → last ");
    window.snapshot("knockout");
}

#[test]
fn a_layer_of_the_knockout_is_picked_by_click_and_by_key() {
    let tokenizer = tokenizer();
    let knockout = knockout(prompt(&tokenizer, "Paris", None), 3 * N_LAYERS - 7);
    let figure = figure(&AnalysisResult::AttentionKnockout(knockout), &tokenizer);
    let selection = std::cell::Cell::new(Selection::default());
    let mut window = window([560.0, 400.0], Theme::Dark, |ui| {
        let ctx = ctx(&tokenizer, selection.get());
        let action = figure_ui(ui, &figure, &ctx, &mut Vec::new());
        if let Some(ViewAction::Select(new)) = action {
            selection.set(new);
        }
    });
    window.run();
    let plot = window.get_by_label("Attention knockout").rect();
    let at = plot.left_top() + plot.size() * egui::vec2(12.5 / 36.0, 0.5);
    window.hover_at(at);
    window.run();
    window.drag_at(at);
    window.drop_at(at);
    window.run();
    assert_eq!(selection.get().layer, Some(12));
    window.key_press(egui::Key::ArrowRight);
    window.run();
    assert_eq!(selection.get().layer, Some(13));
    window.get_by_label_contains("Attention knockout: layer 13: ");
}

/// The texts that are painted over a map.
fn texts_in(window: &Harness<'_>, map: egui::Rect) -> Vec<String> {
    let mut texts = Vec::new();
    for shape in &window.output().shapes {
        if let egui::Shape::Text(text) = &shape.shape
            && map.contains_rect(text.visual_bounding_rect())
        {
            texts.push(text.galley.text().to_owned());
        }
    }
    texts
}

#[test]
fn cells_that_are_too_narrow_for_most_tokens_show_none() {
    let tokenizer = tokenizer();
    let lens = AnalysisResult::LogitLens(lens(&tokenizer, prompt(&tokenizer, "Paris", None), 30));
    let figure = figure(&lens, &tokenizer);
    let texts = |width: f32| {
        let mut window = window([width, 440.0], Theme::Light, |ui| {
            filling_ui(ui, &figure, &ctx(&tokenizer, Selection::default()));
        });
        window.run();
        let map = window.get_by_role_and_label(egui::accesskit::Role::Canvas, "Logit lens").rect();
        texts_in(&window, map)
    };
    assert_eq!(texts(520.0), Vec::<String>::new(), "not even commas");
    assert!(texts(2400.0).len() > 200, "all where there is room");
}
