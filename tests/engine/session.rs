//! Session files: what they keep, and what they refuse.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use factscope::analysis::causal_trace::{self, CausalTrace, Component, NoiseLevel};
use factscope::analysis::{AnalysisCtx, AnalysisResult, AnalysisSpec, Grid, composition};
use factscope::experiment::{Experiment, FactSource};
use factscope::facts::{Direction, Fact, Record};
use factscope::intervention::NoiseRng;
use factscope::session::{Found, ModelIdentity, Origin, Session, SessionError, StoredFact, Typed};
use factscope::task::TaskCtx;
use factscope::tokens::{Bos, TokenizedPrompt};
use factscope::worker::{DeviceChoice, Engine, Which};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use sha2::{Digest as _, Sha256};

use super::memory::peak_of;

fn tiny() -> Engine {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny");
    Engine::load(&dir, DeviceChoice::Cpu, &TaskCtx::unwatched(), &|_| ()).unwrap()
}

fn trace_spec() -> causal_trace::Spec {
    causal_trace::Spec {
        component: Component::Hidden,
        window: 1,
        noise: NoiseLevel::Std(1.5),
        rng: NoiseRng::Numpy,
        seed: 1,
        n_samples: 2,
        direction: causal_trace::Direction::Denoise,
        sever: None,
        sever_layers: None,
        corruption: causal_trace::Corruption::default(),
        map: causal_trace::Map::default(),
    }
}

/// With the trace of one fact.
fn session() -> Session {
    let engine = tiny();
    let fact = Fact::from_text("The capital of France is", Some("France")).unwrap();
    let prompt = TokenizedPrompt::new(&engine.info.tokenizer, &fact, Bos::Off).unwrap();
    let spec = AnalysisSpec::CausalTrace(trace_spec());
    let result = engine.run(&prompt, &spec, &AnalysisCtx::unwatched()).unwrap();
    let mut session = Session::new(ModelIdentity::of(&engine.info, BTreeMap::new()));
    session.facts = vec![StoredFact { nth: None, record: Record::new("typed 1", None, fact) }];
    session.found = vec![Found {
        which: Which::Main,
        changed: None,
        fact: 0,
        direction: Direction::Forward,
        prompt,
        origin: Origin::Asked,
        spec,
        is_complete: true,
        result: Arc::new(result),
    }];
    session
}

fn trace(session: &mut Session) -> &mut CausalTrace {
    match Arc::get_mut(&mut session.found[0].result).unwrap() {
        AnalysisResult::CausalTrace(trace) => trace,
        _ => panic!("a trace was asked for"),
    }
}

/// Asks the weights alone, so of no prompt.
fn typed() -> Typed {
    let engine = tiny();
    let spec = AnalysisSpec::Composition(composition::Spec {
        modes: vec![composition::Mode::V],
        n_top: 3,
        processing: factscope::model::Processing::default(),
    });
    let prompt = TokenizedPrompt::empty();
    let result = engine.run(&prompt, &spec, &AnalysisCtx::unwatched()).unwrap();
    let model = engine.info.dir.clone();
    let fact = FactSource::NoFact;
    Typed {
        which: Which::Main,
        experiment: Experiment { model, bos: Bos::Off, fact, edits: Vec::new(), spec },
        prompt,
        is_complete: true,
        result: Arc::new(result),
    }
}

fn back(session: &Session) -> Result<Session, SessionError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.factscope");
    session.save(&path)?;
    Session::load(&path)
}

#[test]
fn numbers_come_back_bit_for_bit() {
    let mut session = session();
    let odd = [f32::NAN, f32::NEG_INFINITY, -0.0, f32::MIN_POSITIVE / 3.0, 0.1];
    trace(&mut session).clean.prob = odd[3];
    let then = session.found[0].result.clone();
    let now = back(&session).unwrap().found.remove(0).result;
    assert_eq!(now, then);
    for value in odd {
        session.set_window(&vec![value]);
        let window: Vec<f32> = back(&session).unwrap().window().unwrap();
        assert_eq!(window[0].to_bits(), value.to_bits());
    }
}

#[test]
fn what_was_typed_comes_back_though_it_is_of_no_fact() {
    let mut then = session();
    then.typed = Some(typed());
    let now = back(&then).unwrap();
    assert_eq!(now.kept().count(), 2);
    let [then, now] = [then, now].map(|it| it.typed.unwrap());
    assert_eq!(now.experiment, then.experiment);
    assert_eq!(now.result, then.result);
}

#[test]
fn what_was_left_out_of_a_model_is_known_without_it() {
    let mut then = session();
    let mut info = then.model.info().unwrap();
    info.left_out = vec!["score.weight".to_owned()];
    then.model = ModelIdentity::of(&info, BTreeMap::new());
    let now = back(&then).unwrap();
    assert_eq!(now.model.info().unwrap().left_out, info.left_out);
}

#[test]
fn a_window_of_another_version_does_not_cost_the_results() {
    let mut session = session();
    session.set_window(&"what comes later");
    let session = back(&session).unwrap();
    assert_eq!(session.window::<Vec<f32>>(), None);
    assert_eq!(session.found.len(), 1);
}

#[test]
fn shapes_that_do_not_belong_together_are_refused() {
    let check = |change: &dyn Fn(&mut Session), says: &str| {
        let mut session = session();
        change(&mut session);
        let error = back(&session).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(says) && error.contains("a.factscope"), "{error}");
    };
    check(&|it| it.found[0].fact = 7, "no such fact");
    check(&|it| it.found[0].which = Which::Beside, "no such model");
    check(&|it| it.found[0].direction = Direction::Inverse, "not asked that way");
    check(&|it| it.found[0].prompt.pieces.clear(), "tokens of the prompt");
    check(&|it| it.typed = Some(Typed { which: Which::Beside, ..typed() }), "no such model");
    check(
        &|it| {
            let mut torn = Typed { result: Arc::clone(&it.found[0].result), ..typed() };
            torn.experiment.spec = it.found[0].spec.clone();
            it.typed = Some(torn);
        },
        "result 2: the tokens of the prompt",
    );
    check(&|it| it.facts[0].record.fact.subject = Some(3..999), "no part of the prompt");
    check(
        &|it| {
            let spec = AnalysisSpec::LogitLens(factscope::analysis::logit_lens::Spec::default());
            it.found[0].spec = spec;
        },
        "not of the method",
    );
    check(
        &|it| {
            let trace = trace(it);
            let cell = trace.restored.values()[0].clone();
            trace.restored = Grid::new(1, vec![cell]);
        },
        "do not belong together",
    );
}

/// Data that unpack to far more than their size fill no memory; a session that is so uniform itself is
/// written as it is, and comes back.
#[test]
fn a_small_file_does_not_unpack_to_a_large_one() {
    const N_ZEROS: usize = 100 << 20;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.factscope");
    let mut session = session();
    session.set_window(&vec![0_u8; N_ZEROS]);
    session.save(&path).unwrap();
    let file = std::fs::read(&path).unwrap();
    assert!(file.len() > N_ZEROS);
    let window: Vec<u8> = Session::load(&path).unwrap().window().unwrap();
    assert_eq!(window.len(), N_ZEROS);

    let (head, data) = file.split_at(12 + 4 + 8 + 32);
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    std::io::copy(&mut ZlibDecoder::new(data), &mut encoder).unwrap();
    let data = encoder.finish().unwrap();
    let head = [&head[..16], &(data.len() as u64).to_le_bytes(), &Sha256::digest(&data)].concat();
    std::fs::write(&path, [head, data].concat()).unwrap();
    let (read, peak) = peak_of(|| Session::load(&path));
    let error = read.unwrap_err().to_string();
    assert!(error.contains("unpack to far more than a session has"), "{error}");
    assert!(peak < 4 * (64 << 20), "{} MiB", peak >> 20);
}

#[test]
fn what_lies_in_the_place_of_a_session_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("work.factscope");
    for (bytes, says) in [
        (&b"version https://git-lfs.github.com/spec/v1\n"[..], "a Git LFS pointer, not a session"),
        (b"<!DOCTYPE html>", "a web page, not a session"),
        (b"\x1f\x8b\x08\0", "a gzip archive, not a session"),
        (b"", "an empty file, not a session"),
        (b"hello", "no session of Factscope"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let error = Session::load(&path).unwrap_err().to_string();
        assert!(error.contains(says) && error.contains("work.factscope"), "{error}");
    }
}
