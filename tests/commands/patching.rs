//! Activations of another prompt, and paths between parts.

use crate::support::{complaint, factscope, json, numbers, stdout};

#[test]
fn a_prompt_is_given_the_activations_of_its_inverse() {
    let args = ["patch", "--facts", "builtin", "--case", "2", "--from-inverse", "--device", "cpu"];
    let hidden = json(&[&args[..], &["--kind", "hidden", "--json"]].concat());
    let pairs = hidden["pairs"].as_array().unwrap();
    let role = |nth: usize| pairs[nth]["to"]["role"].as_str().unwrap();
    assert_eq!((role(0), role(pairs.len() - 1)), ("subject-last", "last"));
    let cells = hidden["logit_diff"][0].as_array().unwrap();
    // The last state of the last token is all that the answer is read from.
    let end = numbers(&cells[5])[pairs.len() - 1];
    assert!((end - hidden["donor"]["logit_diff"].as_f64().unwrap()).abs() < 1e-4);
    let heads = [&args[..], &["--kind", "heads", "--pair", "5:4", "--pair", "0:0"]].concat();
    let text = stdout(&heads);
    assert!(text.contains("paired by hand") && text.contains("Head"), "{text}");

    let far = complaint(&[&heads[..], &["--pair", "3:90"]].concat());
    assert!(far.contains("no token 90"), "{far}");
    let twice = complaint(&[&heads[..], &["--pair", "3:4"]].concat());
    assert!(twice.contains("two activations"), "{twice}");
    let nothing = complaint(&[&args[..5], &["--kind", "mlp"]].concat());
    assert!(nothing.contains("--from-inverse"), "{nothing}");
}

#[test]
fn paths_and_parts_hold_what_makes_them_again() {
    let fact = ["--facts", "builtin", "--case", "2", "--device", "cpu"];
    let path = [&["path-patch"], &fact[..], &["--from-inverse", "--to", "L3H1.q"]].concat();
    let found = json(&[&path[..], &["--to", "MLP5", "--positions", "last", "--json"]].concat());
    assert_eq!(found["spec"]["receivers"], serde_json::json!(["L3H1.q", "MLP5"]));
    assert_eq!(found["spec"]["between"], "recomputed");
    assert!(found["mlps"][4]["logit"].is_number() && found["mlps"][5].is_null());
    assert!(found["change"]["logit_diff"]["heads"][0][0].is_number());
    let text = stdout(&[&path[..], &["--mlps", "frozen"]].concat());
    assert!(
        text.contains("Paths to L3H1.q") && text.contains("everything between keeps"),
        "{text}"
    );
    let wrong = complaint(&[&path[..], &["--to", "L9H9.q"]].concat());
    assert!(wrong.contains("no layer 9"), "{wrong}");
    assert_eq!(factscope(&[&path[..], &["--to", "H9"]].concat()).status.code(), Some(2));

    let star = [&["atp-star"], &fact[..], &["--samples", "2"]].concat();
    let found = json(&[&star[..], &["--verify", "3", "--json"]].concat());
    assert_eq!((&found["base"], &found["metric"]), (&"clean".into(), &"log_prob".into()));
    for key in ["atp", "atp_fixed", "atp_star"] {
        assert_eq!(numbers(&found[key]["k"][4][2]).len(), 6, "{key}");
        assert_eq!(numbers(&found[key]["mlp_out"][5]).len(), 5, "{key}");
    }
    assert_eq!(found["verified"].as_array().unwrap().len(), 3);
    assert_eq!(found["agreement"]["atp_fixed"]["n"], 3);
    let text = stdout(&[&star[..], &["--verify", "3"]].concat());
    assert!(text.contains("Spearman"), "{text}");

    let eap = [&["eap"], &fact[..], &["--other", "The capital of Iraq is"]].concat();
    let found = json(&[&eap[..], &["--steps", "4", "--edges", "7", "--json"]].concat());
    assert_eq!(found["edges"].as_array().unwrap().len(), 7);
    assert_eq!(found["estimated_by"], "EAP-IG");
    assert_eq!(found["spec"]["base"]["between"]["n_steps"], 4);
    assert!(found["n_edges"].as_u64().unwrap() > 2000);
    let plain = json(&[&eap[..], &["--method", "eap", "--verify", "2", "--json"]].concat());
    assert_eq!((&plain["base"], &plain["estimated_by"]), (&"clean".into(), &"EAP".into()));
    assert!(plain["edges"][1]["patched"].is_number() && plain["edges"][2]["patched"].is_null());
    let other = complaint(&[&["eap"], &fact[..], &["--other", "Cairo"]].concat());
    assert!(other.contains("of the same length"), "{other}");
}
