//! Models that are edited or steered, and every analysis on them.

use std::cell::RefCell;
use std::path::Path;

use factscope::analysis::rank_one_edit::{
    Asked, Context, Covariance, Descent, PromptKind, RankOneEdit, Spec,
};
use factscope::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, Measurement, ModelEdit, Positions,
    Reuse, ablation, causal_trace, comparison, generation, logit_attribution, prediction, steering,
};
use factscope::intervention::{Site, SiteSet};
use factscope::model::{SecondMoment, SecondMomentError};
use factscope::task::{Cancelled, Progress, TaskCtx};
use factscope::tokens::TokenizedPrompt;
use factscope::worker::Engine;

use crate::support::{
    answer_of, assert_close, assert_far, engine, fixture, load, prompt, trace_spec,
};

const LAYER: usize = 1;

fn paris() -> TokenizedPrompt {
    prompt("I said that Paris is in", "Paris", Some("it"))
}

fn context(prompt: &TokenizedPrompt) -> Context {
    Context { ids: prompt.ids.clone(), subject_last: prompt.subject.as_ref().unwrap().end - 1 }
}

fn edit() -> Spec {
    let more = prompt("The Seine. I said that Paris is in", "Paris", None);
    let essence = prompt("Paris", "Paris", None);
    Spec {
        layer: LAYER,
        target: answer_of(&[11, 300]),
        contexts: vec![context(&paris()), context(&more)],
        essence: Some(context(&essence)),
        descent: Descent::default(),
        covariance: Covariance::Identity,
        asked: vec![Asked {
            kind: PromptKind::Prompt,
            prompt: TokenizedPrompt {
                answer: Some(answer_of(&[11, 300])),
                foil: Some(answer_of(&[12])),
                ..paris()
            },
        }],
    }
}

fn steer(positions: Positions, scale: f64) -> steering::Spec {
    let direction = steering::Direction::Tokens { plus: 40, minus: Some(50) };
    steering::Spec { direction, layer: LAYER, positions, scale, n_top: 3, asked: Vec::new() }
}

fn run(engine: &Engine, prompt: &TokenizedPrompt, spec: &AnalysisSpec) -> AnalysisResult {
    engine.run(prompt, spec, &AnalysisCtx::unwatched()).unwrap()
}

fn try_out(engine: &Engine, spec: Spec) -> RankOneEdit {
    match run(engine, &paris(), &AnalysisSpec::RankOneEdit(spec)) {
        AnalysisResult::RankOneEdit(it) => it,
        other => panic!("no edit: {other:?}"),
    }
}

fn edited(engine: &Engine, edits: &[ModelEdit]) -> Engine {
    engine.edited(edits, &AnalysisCtx::unwatched()).unwrap()
}

/// Logits of all tokens.
fn logits(engine: &Engine, prompt: &TokenizedPrompt) -> Vec<f32> {
    let n_top = engine.info.config.d_vocab;
    let spec = AnalysisSpec::Prediction(prediction::Spec { n_top });
    let AnalysisResult::Prediction(it) = run(engine, prompt, &spec) else {
        panic!("no prediction")
    };
    let mut logits = vec![0.0; n_top];
    for it in it.top {
        logits[it.id as usize] = it.logit;
    }
    logits
}

#[test]
fn an_edit_writes_the_value_at_the_key_and_raises_the_answer() {
    let engine = engine("tiny");
    let found = try_out(&engine, edit());
    let (first, last) = (found.steps[0], found.steps[found.steps.len() - 1]);
    assert!(found.steps.len() > 1 && last.loss < first.loss && last.prob > first.prob);
    assert_eq!((first.delta_norm, first.kl, first.weight_decay), (0.0, 0.0, 0.0));
    for step in &found.steps {
        assert!((step.nll + step.kl + step.weight_decay - step.loss).abs() < 1e-9);
        assert!(step.kl >= -1e-6);
    }
    let [told] = &found.told[..] else { panic!("one prompt is asked") };
    let belief = |it: &factscope::analysis::reach::Answers| it.new.unwrap().mean_log_prob;
    assert!(belief(&told.after) > belief(&told.before));
    assert!(told.before.old.is_some());

    let update = found.update.unwrap();
    let model = load(&fixture("tiny"));
    let changed = update.apply(&model);
    let sites = SiteSet::from([Site::MlpPost(LAYER), Site::MlpOut(LAYER)]);
    let at = |model: &factscope::model::Transformer, site: Site| {
        let Context { ids, subject_last } = context(&paris());
        let values = model.run_clean(&ids, &sites).cache.activation(site).values;
        let width = values.len() / ids.len();
        values[subject_last * width..][..width].to_vec()
    };
    let (key, value) = (at(&model, Site::MlpPost(LAYER)), at(&model, Site::MlpOut(LAYER)));
    let along: f32 = key.iter().zip(&update.left).map(|(a, b)| a * b).sum();
    let expected: Vec<f32> = value.iter().zip(&update.right).map(|(v, r)| v + along * r).collect();
    assert_close(&at(&changed, Site::MlpOut(LAYER)), &expected, 1e-4, "the new value");
    let norm = |values: &[f32]| values.iter().map(|it| f64::from(*it).powi(2)).sum::<f64>().sqrt();
    assert!((norm(&expected) - update.new_value_norm).abs() < 1e-3);
    assert!((norm(&update.left) - 1.0).abs() < 1e-5);
    assert!((norm(&update.right) - update.change_norm).abs() < 1e-3);
    assert!(norm(&key) > 0.0 && (norm(&value) - update.value_norm).abs() < 1e-3);
}

#[test]
fn an_edited_model_leaves_the_original_as_it_was() {
    let engine = engine("tiny");
    let before = logits(&engine, &paris());
    let changed = edited(&engine, &[ModelEdit::RankOne(edit())]);
    assert_far(&logits(&changed, &paris()), &before, "an edit changes something");
    assert_eq!(logits(&engine, &paris()), before);
    assert!(engine.edits.is_empty() && changed.edits.len() == 1);
    // The same edit again, from the same model.
    let again = edited(&engine, &[ModelEdit::RankOne(edit())]);
    assert_eq!(logits(&again, &paris()), logits(&changed, &paris()));
    // A second one goes on from the first.
    let spec = Spec { target: answer_of(&[77]), ..edit() };
    let twice = edited(&changed, &[ModelEdit::RankOne(spec.clone())]);
    let at_once = edited(&engine, &[ModelEdit::RankOne(edit()), ModelEdit::RankOne(spec)]);
    assert_eq!(logits(&twice, &paris()), logits(&at_once, &paris()));
    assert_eq!(twice.edits, at_once.edits);
    // One look takes no step, so nothing is written.
    let none = Spec { descent: Descent { n_steps: 1, ..Descent::default() }, ..edit() };
    let same = edited(&engine, &[ModelEdit::RankOne(none)]);
    assert_close(&logits(&same, &paris()), &before, 1e-5, "no step");
}

fn changed_models(engine: &Engine) -> Vec<Engine> {
    let somewhere = Positions::Only(3..5);
    [
        vec![ModelEdit::RankOne(edit())],
        vec![ModelEdit::Steering(steer(Positions::All, 3.0))],
        vec![ModelEdit::Steering(steer(somewhere, 3.0))],
        vec![
            ModelEdit::RankOne(edit()),
            ModelEdit::Steering(steer(Positions::Last, -2.0)),
            ModelEdit::Steering(steer(Positions::Subject, 2.0)),
        ],
    ]
    .iter()
    .map(|edits| edited(engine, edits))
    .collect()
}

#[test]
fn sweeps_on_a_changed_model_are_the_same_with_and_without_reuse() {
    use causal_trace::{Component, Direction};

    let trace = |component, direction| {
        let noise = causal_trace::NoiseLevel::Std(0.5);
        let usual = trace_spec(component, 2, 2);
        AnalysisSpec::CausalTrace(causal_trace::Spec { noise, direction, ..usual })
    };
    let ablation = |part| {
        AnalysisSpec::Ablation(ablation::Spec {
            part,
            positions: Positions::All,
            replacement: ablation::Replacement::Zero,
            together: None,
        })
    };
    let specs = [
        trace(Component::Hidden, Direction::Denoise),
        trace(Component::Mlp, Direction::Denoise),
        trace(Component::Mlp, Direction::Noise),
        trace(Component::Attn, Direction::Noise),
        ablation(ablation::Part::Heads),
        ablation(ablation::Part::Mlp),
        ablation(ablation::Part::Layers),
    ];
    let probs = |result: AnalysisResult| -> Vec<f32> {
        let log = |it: &Measurement| it.log_prob;
        match result {
            AnalysisResult::CausalTrace(it) => {
                it.restored.values().iter().flatten().map(log).collect()
            }
            AnalysisResult::Ablation(it) => it.ablated.values().iter().flatten().map(log).collect(),
            other => panic!("no sweep: {other:?}"),
        }
    };
    let original = engine("tiny");
    // An answer of three tokens: positions after the prompt are computed as well.
    let asked = TokenizedPrompt { answer: Some(answer_of(&[11, 300, 2])), ..paris() };
    for changed in changed_models(&original) {
        for spec in &specs {
            let of = |engine: &Engine, reuse| {
                let ctx = AnalysisCtx { reuse, ..AnalysisCtx::unwatched() };
                probs(engine.run(&asked, spec, &ctx).unwrap())
            };
            let exact = of(&changed, Reuse::Exact);
            assert_close(&exact, &of(&changed, Reuse::Off), 2e-4, &format!("{spec:?}"));
            assert_far(&exact, &of(&original, Reuse::Exact), "the change can be seen");
        }
    }
}

#[test]
fn attributions_of_a_changed_model_add_up() {
    for changed in changed_models(&engine("tiny")) {
        for by in [logit_attribution::Parts::Layers, logit_attribution::Parts::Heads] {
            let spec = AnalysisSpec::LogitAttribution(logit_attribution::Spec { by });
            let AnalysisResult::LogitAttribution(it) = run(&changed, &paris(), &spec) else {
                panic!("no attribution")
            };
            assert!((it.sum() - it.logit).abs() < 1e-3);
            assert_close(
                &[it.raw_logit],
                &[logits(&changed, &paris())[paris().answer.unwrap().first() as usize]],
                1e-4,
                "the logit",
            );
        }
    }
}

#[test]
fn what_is_added_and_taken_away_again_changes_nothing() {
    let original = engine("tiny");
    let before = logits(&original, &paris());
    for positions in [Positions::All, Positions::Subject, Positions::Last] {
        let of = |scale| ModelEdit::Steering(steer(positions.clone(), scale));
        let there = edited(&original, &[of(2.0)]);
        assert_far(&logits(&there, &paris()), &before, "steering changes something");
        let back = edited(&there, &[of(-2.0)]);
        assert_close(&logits(&back, &paris()), &before, 1e-4, "there and back");
        let none = edited(&original, &[of(0.0)]);
        assert_close(&logits(&none, &paris()), &before, 1e-4, "nothing is added");
        let spec = AnalysisSpec::Steering(steer(positions.clone(), 2.0));
        let AnalysisResult::Steering(it) = run(&original, &paris(), &spec) else { panic!() };
        assert!(it.added_norm > 0.0 && it.resid_norm > 0.0);
        for (side, engine) in [(&it.before, &original), (&it.after, &there)] {
            let logits = logits(engine, &paris());
            for it in &side.top {
                assert!((it.logit - logits[it.id as usize]).abs() < 1e-4);
            }
        }
    }
    // A prompt less itself.
    let ids = paris().ids;
    let direction = steering::Direction::Prompts { plus: ids.clone(), minus: ids };
    let nothing = steering::Spec { direction, ..steer(Positions::All, 5.0) };
    let same = edited(&original, &[ModelEdit::Steering(nothing)]);
    assert_close(&logits(&same, &paris()), &before, 1e-4, "a prompt less itself");
}

/// At positions before the one that is steered nothing can be seen of it.
#[test]
fn steering_reaches_later_tokens_only_and_what_is_written_next() {
    let original = engine("tiny");
    let text = |engine: &Engine| {
        let choice = generation::Choice::Greedy;
        let spec = generation::Spec { n_tokens: 8, choice, end: None };
        let AnalysisResult::Generation(it) = run(engine, &paris(), &AnalysisSpec::Generation(spec))
        else {
            panic!("no text")
        };
        it.tokens.iter().map(|it| it.id).collect::<Vec<_>>()
    };
    for positions in [Positions::All, Positions::Last] {
        let is_all = positions == Positions::All;
        let steered = edited(&original, &[ModelEdit::Steering(steer(positions, 4.0))]);
        let written = text(&steered);
        // One pass over the whole text, and one for each token.
        let mut so_far = paris();
        for (nth, id) in written.iter().enumerate() {
            if is_all || nth == 0 {
                let logits = logits(&steered, &so_far);
                let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                assert!(max - logits[*id as usize] < 1e-4);
            }
            so_far.ids.push(*id);
            so_far.pieces.push(String::new());
        }
    }
}

#[test]
fn an_edit_that_makes_no_sense_is_an_error() {
    let engine = engine("tiny");
    let error =
        |spec: AnalysisSpec| engine.run(&paris(), &spec, &AnalysisCtx::unwatched()).unwrap_err();
    let edit_error = |change: &dyn Fn(&mut Spec)| {
        let mut spec = edit();
        change(&mut spec);
        error(AnalysisSpec::RankOneEdit(spec))
    };
    let out_of_range = AnalysisError::OutOfRange { what: "layer", index: 4, n: 4 };
    assert_eq!(edit_error(&|it| it.layer = 4), out_of_range);
    let last = AnalysisError::NotRead { layer: 3 };
    assert_eq!(edit_error(&|it| it.layer = 3), last);
    assert!(matches!(edit_error(&|it| it.contexts.clear()), AnalysisError::Zero { .. }));
    assert!(matches!(edit_error(&|it| it.descent.n_steps = 0), AnalysisError::Zero { .. }));
    assert_eq!(edit_error(&|it| it.target.ids.clear()), AnalysisError::NoAnswer);
    let far = edit_error(&|it| it.contexts[1].subject_last = 99);
    assert!(matches!(far, AnalysisError::NoPosition { pos: 99, .. }));
    let unknown = AnalysisError::UnknownToken { id: 999, d_vocab: 657 };
    assert_eq!(edit_error(&|it| it.target.ids[1] = 999), unknown);
    assert_eq!(edit_error(&|it| it.contexts[0].ids[0] = 999), unknown);
    let long = edit_error(&|it| it.contexts[0].ids = vec![1; 64]);
    assert_eq!(long, AnalysisError::TooLong { n_pos: 65, n_ctx: 64 });
    let torn = edit_error(&|it| it.asked[0].prompt.ids.clear());
    assert!(matches!(torn, AnalysisError::Torn { .. }));
    for value in [f64::NAN, -1.0, f64::INFINITY] {
        let change: [fn(&mut Descent) -> &mut f64; 5] = [
            |it| &mut it.learning_rate,
            |it| &mut it.weight_decay,
            |it| &mut it.clamp,
            |it| &mut it.kl_factor,
            |it| &mut it.enough,
        ];
        for part in change {
            let found = edit_error(&|it| *part(&mut it.descent) = value);
            assert!(matches!(found, AnalysisError::OutOfBounds { .. }), "{found:?}");
        }
    }

    let steer_error = |spec| error(AnalysisSpec::Steering(spec));
    let good = || steer(Positions::All, 1.0);
    let layer = steering::Spec { layer: 4, ..good() };
    assert_eq!(steer_error(layer), out_of_range);
    let endless = steering::Spec { scale: f64::INFINITY, ..good() };
    assert!(matches!(steer_error(endless), AnalysisError::OutOfBounds { .. }));
    let direction = steering::Direction::Tokens { plus: 999, minus: None };
    assert_eq!(steer_error(steering::Spec { direction, ..good() }), unknown);
    let direction = steering::Direction::Prompts { plus: vec![1], minus: vec![] };
    let empty = steer_error(steering::Spec { direction, ..good() });
    assert!(matches!(empty, AnalysisError::Zero { .. }));
    let nowhere = steering::Spec { positions: Positions::Only(3..99), ..good() };
    assert!(matches!(steer_error(nowhere), AnalysisError::NoPosition { .. }));

    // Tokens of one prompt are not those of another.
    let here = edited(&engine, &[ModelEdit::Steering(steer(Positions::Only(1..2), 1.0))]);
    let comparison = AnalysisSpec::Comparison(comparison::Spec {
        second: comparison::Second::Inverse,
        mapped: comparison::Mapped::Prompts,
        inverse: paris(),
        right: [vec![], vec![]],
        map: comparison::MapSpec::Attribution,
        n_top: 1,
        n_permutations: 1,
        seed: 1,
    });
    let result = here.run(&paris(), &comparison, &AnalysisCtx::unwatched());
    assert_eq!(result, Err(AnalysisError::SteeredElsewhere));
    let everywhere = edited(&engine, &[ModelEdit::Steering(good())]);
    assert!(everywhere.run(&paris(), &comparison, &AnalysisCtx::unwatched()).is_ok());
}

/// Writes a safetensors file with one square matrix.
fn write_matrix(path: &Path, name: &str, dtype: &str, size: usize, numbers: &[u8]) {
    let end = numbers.len();
    let header = format!(
        r#"{{"{name}":{{"dtype":"{dtype}","shape":[{size},{size}],"data_offsets":[0,{end}]}}}}"#
    );
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.extend(numbers);
    std::fs::write(path, bytes).unwrap();
}

/// A second moment as its file gives it, in double precision.
fn moment(values: &[f64], size: usize) -> SecondMoment {
    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().join("c.safetensors");
    let bytes: Vec<u8> = values.iter().flat_map(|it| it.to_le_bytes()).collect();
    write_matrix(&path, "mom2", "F64", size, &bytes);
    SecondMoment::load(&path, size).unwrap()
}

#[test]
fn what_is_solved_gives_the_key_back() {
    // A symmetric matrix whose diagonal outweighs the rest of each row has an inverse.
    let n = 130;
    let entry = |i: usize, j: usize| {
        if i == j { n as f64 } else { ((i * j) as f64).sin() / 2.0 }
    };
    let c: Vec<f64> = (0..n * n).map(|at| entry(at / n, at % n)).collect();
    let k: Vec<f64> = (0..n).map(|i| (i as f64).cos()).collect();
    let x = moment(&c, n).solve(&k, &TaskCtx::unwatched()).unwrap();
    for (row, k) in c.chunks(n).zip(&k) {
        let product: f64 = row.iter().zip(&x).map(|(a, b)| a * b).sum();
        assert!((product - k).abs() < 1e-12);
    }
}

#[test]
fn a_second_moment_without_an_inverse_is_an_error() {
    let solve = |it: &[f64]| moment(it, 2).solve(&[1.0, 1.0], &TaskCtx::unwatched());
    let error = solve(&[1.0, 2.0, 2.0, 4.0]).unwrap_err().to_string();
    assert!(error.contains("row 1") && error.contains("c.safetensors"), "{error}");
    assert!(solve(&[-1.0, 0.0, 0.0, 1.0]).is_err());
    let ctx = TaskCtx::unwatched();
    ctx.cancel.cancel();
    let cancelled = moment(&[1.0], 1).solve(&[1.0], &ctx);
    assert!(matches!(cancelled, Err(SecondMomentError::Cancelled(_))));
}

#[test]
fn a_second_moment_file_that_does_not_fit_is_named() {
    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().join("mom2.safetensors");
    let engine = engine("tiny");
    let said = || {
        let spec = Spec { covariance: Covariance::File(path.clone()), ..edit() };
        let spec = AnalysisSpec::RankOneEdit(spec);
        match engine.run(&paris(), &spec, &AnalysisCtx::unwatched()) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    };
    assert!(said().contains("cannot read") && said().contains("mom2.safetensors"));
    std::fs::write(&path, "no tensors").unwrap();
    assert!(said().contains("one tensor `mom2`"), "{}", said());
    let d_mlp = engine.info.config.d_mlp;
    let write = |name: &str, size: usize, values: &[f32]| {
        let bytes: Vec<u8> = values.iter().flat_map(|it| it.to_le_bytes()).collect();
        write_matrix(&path, name, "F32", size, &bytes);
    };
    write("mom2", 2, &[1.0, 0.0, 0.0, 1.0]);
    assert!(said().contains(&format!("[{d_mlp}, {d_mlp}]")), "{}", said());
    let identity = |scale: f32| -> Vec<f32> {
        (0..d_mlp * d_mlp).map(|at| if at % (d_mlp + 1) == 0 { scale } else { 0.0 }).collect()
    };
    write("other", d_mlp, &identity(1.0));
    assert!(said().contains("mom2"), "{}", said());
    write("mom2", d_mlp, &identity(f32::NAN));
    assert!(said().contains("not finite"), "{}", said());
    write("mom2", d_mlp, &identity(-1.0));
    assert!(said().contains("positive definite"), "{}", said());
    // C = 7 I is C = I: only its direction matters.
    write("mom2", d_mlp, &identity(7.0));
    let spec = Spec { covariance: Covariance::File(path.clone()), ..edit() };
    let (with, without) = (try_out(&engine, spec), try_out(&engine, edit()));
    let (with, without) = (with.update.unwrap(), without.update.unwrap());
    assert_close(&with.left, &without.left, 1e-6, "the direction of the key");
    assert_close(&with.right, &without.right, 1e-4, "what is written");
}

#[test]
fn an_edit_tells_its_steps_and_hears_a_cancel() {
    let engine = engine("tiny");
    let seen = RefCell::new(Vec::new());
    let cancel = factscope::task::CancelToken::default();
    let partial = |result: AnalysisResult| {
        let AnalysisResult::RankOneEdit(it) = result else { panic!("no edit") };
        assert!(it.update.is_none());
        seen.borrow_mut().push(it.steps.len());
        if it.steps.len() == 2 {
            cancel.cancel();
        }
    };
    let ctx = AnalysisCtx {
        task: TaskCtx { cancel: cancel.clone(), report: &|_: Progress| () },
        partial: &partial,
        ..AnalysisCtx::unwatched()
    };
    // Nothing is told before the weights were looked at.
    logits(&engine, &paris());
    let result = engine.run(&paris(), &AnalysisSpec::RankOneEdit(edit()), &ctx);
    assert_eq!(result, Err(AnalysisError::Cancelled(Cancelled)));
    assert_eq!(*seen.borrow(), [1, 2]);
}
