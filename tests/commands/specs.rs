//! Questions as files: what `--save-spec` writes and `run` does.

use std::fs;

use tempfile::TempDir;

use crate::support::{TINY, complaint, counterfact, stdout};

/// Every analysis, from its own command and from the file that the command saves.
#[test]
fn a_saved_spec_gives_what_its_command_gives() {
    let dir = TempDir::new().unwrap();
    let facts = counterfact(&dir);
    let spec = dir.path().join("spec.json");
    let spec = spec.to_str().unwrap();
    let case = ["--facts", &facts, "--case", "4"];
    let prompt = ["--prompt", "Lyon is in"];
    let trace = ["--kind", "mlp", "--samples", "2", "--window", "2"];
    let pair = ["--facts", "builtin", "--case", "2"];
    let edit = ["--layer", "1", "--steps", "3", "--target", "the"];
    let steer = ["--plus", "Lyon is", "--minus", "it", "--layer", "1", "--positions", "last"];
    let edited = dir.path().join("edit.json");
    let edited = edited.to_str().unwrap();
    let asked = [&["edit", "--model", TINY, "--device", "cpu"][..], &case, &edit].concat();
    stdout(&[&asked[..], &["--save-spec", edited]].concat());
    let inverse = ["--from-inverse"];
    let average = ["--samples", "2", "--keep-unknown"];
    let commands: [(&str, &[&str], &[&str]); 36] = [
        ("patch", &pair, &[&inverse[..], &["--kind", "heads", "--together"]].concat()),
        ("patch", &prompt, &["--from", "it is on", "--kind", "mlp", "--window", "3"]),
        ("path-patch", &pair, &[&inverse[..], &["--to", "L2H1.k", "--mlps", "frozen"]].concat()),
        ("atp-star", &case, &["--samples", "2", "--verify", "3"]),
        ("eap", &prompt, &["--other", "Lyon is on", "--steps", "3", "--verify", "2"]),
        ("atp-star", &case, &["--corruption", "tokens-cosine", "--samples", "2"]),
        ("eap", &case, &["--corruption", "zero", "--method", "eap", "--verify", "2"]),
        ("edit", &case, &[&edit[..], &["--sample-prefixes", "2"]].concat()),
        ("steer", &prompt, &steer),
        ("predict", &prompt, &["--edit", edited, "--answer", "it"]),
        ("trace", &case, &[&trace[..], &["--edit", edited]].concat()),
        ("predict", &prompt, &["--answer", "it", "--top", "3", "--bos"]),
        ("trace", &case, &trace),
        ("trace", &case, &[&trace[..], &["--cell", "1,2", "--top", "4"]].concat()),
        ("trace", &["--prompt", "Lyon is in", "--subject", "Lyon"], &trace),
        ("trace", &[&case[..], &["--inverse"]].concat(), &trace),
        ("atp", &case, &[&trace[..], &["--foil", "the", "--metric", "logit-diff"]].concat()),
        ("attribute", &prompt, &["--by", "heads", "--foil", "on"]),
        ("lens", &prompt, &[]),
        ("attention", &prompt, &["--layer", "1", "--head", "2"]),
        ("ablate", &case, &["--with", "mean", "--foil", "on"]),
        ("ablate", &prompt, &["--with", "resample", "--other", "Lyon is on", "--part", "mlp"]),
        ("ablate", &case, &["--part", "layers", "--positions", "subject"]),
        ("ablate", &case, &["--part", "neuron", "--top", "4", "--layers", "1,3"]),
        ("knockout", &case, &[]),
        ("generate", &prompt, &["--tokens", "5"]),
        ("generate", &prompt, &["--temperature", "0.7", "--top-k", "9", "--seed", "3"]),
        ("compare", &pair, &["--map", "attribution", "--permutations", "99"]),
        ("compare", &pair, &["--map", "hidden", "--samples", "2", "--bos"]),
        ("compare", &pair, &["--map", "ablation", "--other-case", "3"]),
        ("average", &["--facts", &facts], &[&average[..], &["--window", "2", "--bos"]].concat()),
        (
            "average",
            &["--relation", "capital", "--n", "2", "--inverse"],
            &[&average[..], &["--corruption", "random-subject", "--kind", "attn,hidden"]].concat(),
        ),
        ("bench", &case, &["--samples", "2", "--kind", "attn", "--window", "2,3"]),
        ("bench", &pair, &["--samples", "2", "--kind", "hidden", "--corruptions", "zero,str"]),
        ("knockout", &prompt, &["--edges", "0..1:last", "--answer", "it"]),
        ("cut", &prompt, &["--edge", "2:0", "--edge", "last:1", "--layers", "1..3", "--head", "0"]),
    ];
    for (command, fact, more) in commands {
        let asked = [&[command, "--model", TINY][..], fact, more].concat();
        assert_eq!(stdout(&[&asked[..], &["--device", "cpu", "--save-spec", spec]].concat()), "");
        for how in [&["--device", "cpu", "--json"][..], &["--device", "cpu"]] {
            let own = stdout(&[&asked[..], how].concat());
            assert_eq!(stdout(&[&["run", spec], how].concat()), own, "{asked:?}");
        }
    }

    fs::write(spec, "{\n  \"modle\": \"builtin\"\n}").unwrap();
    let said = complaint(&["run", spec]);
    assert!(said.contains("line 2, column 9: unknown field `modle`"), "{said}");
    assert!(said.contains("spec.json"), "{said}");
    // As Windows and Python write it.
    fs::write(spec, "\u{feff}{\r\n  \"modle\": \"builtin\"\r\n}").unwrap();
    assert!(complaint(&["run", spec]).contains("line 2, column 9: unknown field `modle`"));
    for (text, says) in [
        (
            &b"{\n  'model': 1}"[..],
            "line 2, character 3 at “'model': 1}”; this is how Python prints",
        ),
        (b"{\n  \"model\": \"a\",\n}", "line 3, character 1 at “}”; take the comma before it away"),
        (b"// a spec\n{}", "JSON has no comments"),
        (b"{\"model\": ", "the file ends too early"),
        (b"\xff\xfe{\0}\0", "this is UTF-16 text; save it as UTF-8"),
        (b"\x1f\x8b\x08", "this is a gzip archive; unpack it"),
        (b"", "this is an empty file"),
    ] {
        fs::write(spec, text).unwrap();
        let said = complaint(&["run", spec]);
        assert!(said.contains(says) && said.contains("spec.json"), "{said}");
    }
    let far = complaint(&["lens", "--prompt", "a", "--save-spec", "/nowhere/spec.json"]);
    assert!(far.contains("/nowhere"), "{far}");
}
