//! What each view looks like, over made-up results of the size of GPT-2 large's.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use eframe::egui::{self, Theme};
use egui_kittest::kittest::Queryable as _;
use egui_kittest::{Harness, SnapshotOptions};
use factscope::analysis::ablation::{self, Ablation, Part, Replacement};
use factscope::analysis::attention::{self, Attention};
use factscope::analysis::attention_knockout::{self, AttentionKnockout, Edges};
use factscope::analysis::attribution_patching::{self, AttributionPatching, BasePoint, Windows};
use factscope::analysis::causal_trace::{self, CausalTrace, NoiseLevel};
use factscope::analysis::logit_attribution::{
    self, Component, Contribution, LogitAttribution, Parts,
};
use factscope::analysis::logit_lens::{self, LensCell, LogitLens};
use factscope::analysis::prediction::{Candidate, Prediction};
use factscope::analysis::{AnalysisResult, Grid, Measurement, Metric, Positions};
use factscope::facts::Fact;
use factscope::figure::{AttributionForm, Figure, Look, Ranges};
use factscope::intervention::NoiseRng;
use factscope::tokens::{Bos, GPT2_MERGES, TokenizedPrompt, Tokenizer, gpt2_vocabulary};
use factscope::ui::state::AttentionSettings;
use factscope::ui::studies::cut;
use factscope::ui::theme;
use factscope::ui::view::{Selection, ViewAction, ViewCtx};
use factscope::ui::views::{AttentionView, CutView, attention_ui, figure_ui};
use factscope::ui::widgets::token_strip_ui;

const N_LAYERS: usize = 36;
const N_HEADS: usize = 20;

fn tokenizer() -> Tokenizer {
    Tokenizer::from_vocabulary(gpt2_vocabulary(&GPT2_MERGES).unwrap(), &GPT2_MERGES).unwrap()
}

fn prompt(tokenizer: &Tokenizer, answer: &str, foil: Option<&str>) -> TokenizedPrompt {
    let text = "The Eiffel Tower is located in the city of";
    let fact = Fact {
        prompt: text.to_owned(),
        subject: Some(4..16),
        answer: Some(answer.to_owned()),
        foil: foil.map(str::to_owned),
    };
    TokenizedPrompt::new(tokenizer, &fact, Bos::Off).unwrap()
}

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

/// The same on every machine, between 0 and 1.
fn noise(seed: usize) -> f32 {
    let mixed = (seed as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40) as f32
        / (1_u32 << 24) as f32
}

fn bump(x: f32, center: f32, width: f32) -> f32 {
    (-((x - center) / width).powi(2)).exp()
}

fn measured(prob: f32) -> Measurement {
    Measurement {
        prob,
        log_prob: prob.ln(),
        logit: 18.0 + prob.ln(),
        rank: u32::from(prob < 0.2) * 3,
        answer_log_prob: prob.ln() - 0.21,
        logit_diff: None,
        kl: None,
    }
}

/// An early site at the subject's last token, and a late one at the prompt's.
fn trace(prompt: TokenizedPrompt, n_done: usize) -> CausalTrace {
    let n_pos = prompt.n_pos();
    let last_of_subject = prompt.subject.clone().unwrap().end - 1;
    let cell = |layer: usize, pos: usize| {
        let depth = layer as f32;
        let early = if pos == last_of_subject { 0.62 * bump(depth, 13.0, 8.0) } else { 0.0 };
        let late = if pos == n_pos - 1 { 0.85 * bump(depth, 35.0, 9.0) } else { 0.0 };
        let mean = 0.0421 + early + late + 0.02 * noise(layer * n_pos + pos);
        (0..10).map(|nth| measured(mean * (0.9 + 0.02 * nth as f32))).collect::<Vec<_>>()
    };
    // As they come in: every eighth layer first, the last positions first.
    let turn = |nth: usize| {
        let (layer, pos) = (nth / n_pos, nth % n_pos);
        (3 - layer.trailing_zeros().min(3), n_pos - pos, layer)
    };
    let mut order: Vec<usize> = (0..N_LAYERS * n_pos).collect();
    order.sort_by_key(|nth| turn(*nth));
    let mut cells = vec![Vec::new(); order.len()];
    for nth in order.into_iter().take(n_done) {
        cells[nth] = cell(nth / n_pos, nth % n_pos);
    }
    CausalTrace {
        spec: causal_trace::Spec {
            component: causal_trace::Component::Mlp,
            window: 10,
            noise: NoiseLevel::Multiple { factor: 3.0, tokens: [464].into() },
            rng: NoiseRng::Numpy,
            seed: 1,
            n_samples: 10,
            direction: causal_trace::Direction::Denoise,
            sever: None,
            sever_layers: None,
            corruption: causal_trace::Corruption::default(),
            map: causal_trace::Map::default(),
        },
        prompt,
        noise_std: 0.1324,
        corruptions: Vec::new(),
        clean: measured(0.9573),
        corrupted: (0..10).map(|nth| measured(0.03 + 0.003 * nth as f32)).collect(),
        restored: Grid::new(n_pos, cells),
    }
}

/// As straight lines are: right about where, too sure of how much.
fn estimate(complete: &CausalTrace) -> AttributionPatching {
    let effects = complete.restored.map(|runs| {
        let pairs = runs.iter().zip(&complete.corrupted);
        pairs.map(|(run, corrupted)| 1.1 * (run.log_prob - corrupted.log_prob)).collect()
    });
    AttributionPatching {
        spec: attribution_patching::Spec {
            trace: complete.spec.clone(),
            base: BasePoint::Corrupted,
            metric: Metric::LogProb,
            windows: Windows::Held,
            n_verified: 0,
        },
        prompt: complete.prompt.clone(),
        noise_std: complete.noise_std,
        corruptions: Vec::new(),
        clean: complete.clean,
        corrupted: complete.corrupted.clone(),
        effects,
        heads: Vec::new(),
        verified: Vec::new(),
    }
}

fn patterns(prompt: TokenizedPrompt, layers: Range<usize>) -> Attention {
    let n_pos = prompt.n_pos();
    let mut weights = Vec::new();
    for nth in layers.start * N_HEADS..layers.end * N_HEADS {
        let reach = 1.0 + 8.0 * noise(nth);
        let rest = 3.0 * noise(nth + 1000);
        for query in 0..n_pos {
            let score = |key: usize| {
                let distance = (query - key) as f32;
                (-distance / reach).exp()
                    + if key == 0 { rest } else { 0.0 }
                    + 0.8 * noise(nth * 121 + query * 11 + key).powi(6)
            };
            let sum: f32 = (0..=query).map(score).sum();
            weights.extend((0..n_pos).map(|key| if key <= query { score(key) / sum } else { 0.0 }));
        }
    }
    Attention::from_weights(attention::Spec::all_heads(layers), prompt, N_HEADS, weights)
}

fn attribution(prompt: TokenizedPrompt, by: Parts) -> LogitAttribution {
    let part = |component: Component, logit: f32| Contribution { component, logit };
    let spread = |seed: usize, layer: usize| {
        let depth = layer as f32 / N_LAYERS as f32;
        (noise(seed) - 0.42) * 2.2 * depth.powi(2)
    };
    let mut contributions = vec![part(Component::Embed, 0.31), part(Component::PosEmbed, -0.12)];
    for layer in 0..N_LAYERS {
        match by {
            Parts::Layers => {
                let attn = spread(layer, layer);
                contributions.push(part(Component::AttnOut(layer), attn));
            }
            Parts::Heads => contributions.extend((0..N_HEADS).map(|head| {
                let logit = spread(77 + layer * N_HEADS + head, layer).powi(3);
                part(Component::Head { layer, head }, logit)
            })),
        }
        contributions.push(part(Component::MlpOut(layer), spread(500 + layer, layer)));
    }
    let mut attribution = LogitAttribution {
        spec: logit_attribution::Spec { by },
        prompt,
        contributions,
        unembed_bias: 0.214,
        logit: 0.0,
        raw_logit: -31.207,
        logit_cap: None,
    };
    attribution.logit = attribution.sum() + 0.00002;
    attribution
}

fn lens(tokenizer: &Tokenizer, prompt: TokenizedPrompt, n_layers: usize) -> LogitLens {
    let n_pos = prompt.n_pos();
    let id = |text: &str| tokenizer.encode(text).unwrap()[0].id;
    let words = [" the", ",", " tallest", " France", " Paris", " course"].map(id);
    let cells = (0..n_layers * n_pos)
        .map(|nth| {
            let (layer, pos) = (nth / n_pos, nth % n_pos);
            let depth = layer as f32 / n_layers as f32;
            let belief = if pos == n_pos - 1 { depth.powi(6) } else { 0.05 * noise(nth) * depth };
            let nth_word = if belief > 0.4 { 4 } else { (noise(nth) * 5.99) as usize };
            LensCell {
                top_token: words[nth_word],
                top_prob: belief.max(0.2 + 0.5 * noise(nth + 7)),
                answer_prob: belief,
                answer_rank: ((1.0 - belief) * 900.0) as u32,
            }
        })
        .collect();
    let top = Grid::new(n_pos, vec![Vec::new(); n_layers * n_pos]);
    let spec = logit_lens::Spec::default();
    LogitLens { spec, prompt, cells: Grid::new(n_pos, cells), top }
}

fn prediction(tokenizer: &Tokenizer, prompt: TokenizedPrompt) -> Prediction {
    let words = [" London", " Paris", " the", " Lyon", " Marseille", "\n", " Brussels", " Nice"];
    let probs = [0.4121, 0.2203, 0.0812, 0.0403, 0.0201, 0.0111, 0.0052, 0.00041];
    let top = words.iter().zip(probs).map(|(word, prob): (_, f32)| Candidate {
        id: tokenizer.encode(word).unwrap()[0].id,
        prob,
        logit: -29.0 + prob.ln(),
    });
    let measured = Measurement { rank: 12_345, logit: -39.8, ..measured(0.000_021) };
    Prediction { top: top.collect(), answer: Some(measured), prompt }
}

/// A few heads speak for the answer, one against it.
fn ablation(prompt: TokenizedPrompt, part: Part, n_done: usize) -> Ablation {
    let clean = measured(0.9573);
    let n_columns = if part == Part::Heads { N_HEADS } else { 1 };
    let lost = |layer: usize, column: usize| match (layer, column) {
        (24, 7) => 0.62,
        (27, 3) => 0.31,
        (21, 15) => -0.03,
        _ if part == Part::Heads => 0.04 * noise(layer * N_HEADS + column).powi(4),
        _ => 0.8 * bump(layer as f32, 17.0, 5.0) * noise(layer),
    };
    let cells = (0..N_LAYERS * n_columns).map(|nth| {
        let lost = lost(nth / n_columns, nth % n_columns);
        (nth < n_done).then(|| measured((clean.prob - lost).max(0.001)))
    });
    let replacement = match part {
        Part::Heads => Replacement::Mean { prompts: vec![vec![464]; 256].into() },
        Part::Attn | Part::Mlp | Part::Layers => Replacement::Zero,
    };
    Ablation {
        spec: ablation::Spec { part, positions: Positions::All, replacement, together: None },
        prompt,
        clean,
        ablated: Grid::new(n_columns, cells.collect()),
        together: None,
    }
}

/// The paper's three phases, and a fourth line.
fn knockout(prompt: TokenizedPrompt, n_done: usize) -> AttentionKnockout {
    let clean = measured(0.8512);
    let mut edges = Edges::to_last();
    edges.push(Edges { from: Positions::Only(4..5), to: Positions::Last });
    let lost = |nth: usize, layer: usize| {
        let depth = layer as f32;
        let at = [(24.0, 0.66), (5.0, 0.41), (34.0, 0.12), (25.0, 0.33)][nth];
        at.1 * bump(depth, at.0, 6.0) + 0.02 * (noise(nth * 100 + layer) - 0.5)
    };
    let cells = (0..edges.len() * N_LAYERS).map(|nth| {
        let lost = lost(nth / N_LAYERS, nth % N_LAYERS);
        (nth < n_done).then(|| measured(clean.prob * (1.0 - lost)))
    });
    AttentionKnockout {
        cut: Grid::new(N_LAYERS, cells.collect()),
        spec: attention_knockout::Spec { edges, window: 9 },
        prompt,
        clean,
    }
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
