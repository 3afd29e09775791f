//! What is computed again, or in smaller parts, so that it takes less memory gives the same numbers.

use factscope::analysis::{AnalysisCtx, Needs};
use factscope::intervention::SiteSet;
use factscope::model::Transformer;
use factscope::tokens::Tokenizer;
use serde_json::Value;

use crate::every_analysis::specs;
use crate::support::{fixture, lab, load, prompt};

/// Computes everything again that a run could keep.
fn keeping_nothing(model: &Transformer) -> Transformer {
    let mut little = model.clone();
    little.kept_bytes = 0;
    little
}

#[test]
fn a_layer_that_is_computed_again_is_the_layer() {
    for name in ["tiny", "families/llama", "families/pythia", "families/gemma2"] {
        let model = load(&fixture(name));
        let ids = [3, 5, 7, 9, 11];
        for sites in [model.config.sites(), model.config.past_sites()] {
            let entering = (0..model.config.n_layers).map(factscope::intervention::Site::ResidPre);
            let capture: SiteSet = entering.chain(sites.iter().copied()).collect();
            let run = model.run_clean(&ids, &capture);
            for layer in 0..model.config.n_layers {
                let here: SiteSet =
                    capture.iter().copied().filter(|it| it.layer() == Some(layer)).collect();
                let again = model.layer_again(&run.cache, &run.lengths, layer, &here);
                for site in again.sites() {
                    assert_eq!(
                        again.activation(site),
                        run.cache.activation(site),
                        "{name}, {site}"
                    );
                }
                assert!(again.sites().count() > 2, "{name}");
            }
        }
    }
}

/// Two results that differ by no more than rounding: rows that go through the model with fewer others are
/// summed in another order.
fn assert_alike(a: &Value, b: &Value, what: &str) {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            assert!((a - b).abs() <= 2e-5 * a.abs().max(1.0), "{what}: {a} and {b}");
        }
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len(), "{what}");
            a.iter().zip(b).for_each(|(a, b)| assert_alike(a, b, what));
        }
        (Value::Object(a), Value::Object(b)) => {
            assert!(a.keys().eq(b.keys()), "{what}");
            a.iter().for_each(|(key, a)| assert_alike(a, &b[key], &format!("{what}, {key}")));
        }
        _ => assert_eq!(a, b, "{what}"),
    }
}

#[test]
fn every_method_says_the_same_however_little_it_keeps() {
    let model = load(&fixture("tiny"));
    let prompt = prompt("In Paris it is", "Paris", Some("it"));
    let tokenizer = Tokenizer::from_dir(&fixture("tiny")).unwrap();
    let ctx = AnalysisCtx { tokenizer: Some(&tokenizer), ..AnalysisCtx::unwatched() };
    let little = keeping_nothing(&model);
    let mut n = 0;
    for spec in specs(&prompt) {
        if spec.needs() == Needs::Weights {
            continue;
        }
        let of =
            |model| serde_json::to_value(spec.run(&lab(model, &prompt, &ctx)).unwrap()).unwrap();
        assert_alike(&of(&model), &of(&little), spec.name());
        n += 1;
    }
    assert!(n > 30, "{n}");
}
