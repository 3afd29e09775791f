//! Results as files: figures in every format, and what was there before.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{TINY, complaint, factscope, numbers, stdout};

/// They would all look alike as `�`.
#[test]
fn tokens_that_are_no_whole_characters_show_their_bytes_in_every_file() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let lost = "\u{fffd}";
    let in_npz: Vec<u8> = u32::from('\u{fffd}').to_le_bytes().into();
    let lens = ["lens", "--model", TINY, "--device", "cpu", "--prompt", "The 龍 is"];
    let attention = ["attention", "--model", TINY, "--device", "cpu", "--prompt", "The 龍 is"];
    let attention = [&attention[..], &["--layer", "1"]].concat();
    for method in [&lens[..], &attention] {
        for name in ["a.csv", "a.json", "a.npz", "a.svg"] {
            let file = path(name);
            let told = stdout(&[method, &["--figure", &file]].concat());
            assert!(told.contains("<E9>") && !told.contains(lost), "{told}");
            let bytes = fs::read(&file).unwrap();
            let holds = |part: &[u8]| bytes.windows(part.len()).any(|it| it == part);
            assert!(!holds(lost.as_bytes()) && !holds(&in_npz), "{name}");
            let shown: [&[u8]; 3] = [b"<E9>", b"&lt;E9&gt;", b"<\0\0\0E\0\0\09\0\0\0>\0\0\0"];
            assert!(shown.into_iter().any(holds), "{name}");
        }
        let told = stdout(&[method, &["--json"]].concat());
        let found: Value = serde_json::from_str(&told).unwrap();
        let tokens: Vec<&str> =
            found["tokens"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(tokens.contains(&"<E9>") && !told.contains(lost), "{tokens:?}");
    }
    let written = ["generate", "--model", TINY, "--device", "cpu", "--prompt", "The 龍"];
    let told = stdout(&[&written[..], &["--tokens", "8", "--json"]].concat());
    assert!(!told.contains(lost), "{told}");
}

#[test]
fn control_characters_are_shown_in_text_and_kept_in_json() {
    let odd = "The \u{1b}[31mcapital\r of";
    let predict = ["predict", "--model", TINY, "--device", "cpu", "--prompt", odd];
    let text = stdout(&predict);
    assert!(!text.contains(['\u{1b}', '\r']), "{text:?}");
    assert!(text.contains("\\u{1b}[31mcapital"), "{text}");
    let found: Value =
        serde_json::from_str(&stdout(&[&predict[..], &["--json"]].concat())).unwrap();
    let whole: String =
        found["tokens"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(whole, odd);
    for args in [
        ["predict", "--model", "no\u{1b}[2Jwhere", "--prompt", "Lyon is in"],
        ["predict", "--model", TINY, "--prompt", "Lyon is in \u{1b}]0;title\u{7}"],
        ["predict", "--top", "many\u{1b}[2J", "--prompt", "Lyon is in"],
        ["predict", "--model", TINY, "--answer", "\u{1b}[2J"],
    ] {
        let output = factscope(&args);
        for told in [output.stdout, output.stderr] {
            assert!(!told.contains(&0x1b), "{}", String::from_utf8_lossy(&told));
        }
    }
}

/// Of a trace, in every format, and of what a file asks.
#[test]
fn figures_go_to_files_of_every_format() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let trace = ["trace", "--model", TINY, "--prompt", "Paris is in", "--subject", "Paris"];
    let trace = [&trace[..], &["--kind", "mlp", "--samples", "2", "--device", "cpu"]].concat();
    let draw = |name: &str| {
        let file = path(name);
        stdout(&[&trace[..], &["--json", "--figure", &file]].concat());
        fs::read(file).unwrap()
    };
    let svg = String::from_utf8(draw("a.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("Restoring MLP output"), "{svg}");
    assert!(svg.contains("Model tiny"), "{svg}");
    assert!(draw("a.pdf").starts_with(b"%PDF-"));
    let found: Value = serde_json::from_slice(&draw("a.json")).unwrap();
    let values = numbers(&found["charts"][0]["Map"]["values"]);
    let csv = String::from_utf8(draw("a.CSV")).unwrap();
    assert_eq!(csv.lines().count(), 1 + values.len());

    let spec = path("trace.spec");
    stdout(&[&trace[..], &["--save-spec", &spec]].concat());
    let again = path("again.csv");
    stdout(&["run", &spec, "--device", "cpu", "--figure", &again]);
    assert_eq!(fs::read_to_string(&again).unwrap(), csv);
    let recovery = ["--figure-effect", "recovery", "--figure-metric", "logit"];
    stdout(&[&["run", &spec, "--device", "cpu", "--figure", &again], &recovery[..]].concat());
    assert!(fs::read_to_string(&again).unwrap().contains("Recovery of logit("));

    let lens = ["lens", "--model", TINY, "--device", "cpu", "--prompt", "Lyon is in"];
    let at = |pick: &[&str]| {
        stdout(&[&lens[..], &["--figure", &again], pick].concat());
        fs::read_to_string(&again).unwrap()
    };
    assert_ne!(at(&["--figure-position", "1"]), at(&[]));
    let far = complaint(&[&lens[..], &["--figure", &again, "--figure-position", "90"]].concat());
    assert!(far.contains("--figure-position is not among 0.."), "{far}");
    let attention = ["attention", "--model", TINY, "--device", "cpu", "--prompt", "Lyon is in"];
    let drawn = path("attention.svg");
    let attention = [&attention[..], &["--layer", "1", "--figure", &drawn]].concat();
    let of_head = |head| {
        stdout(&[&attention[..], &["--figure-head", head]].concat());
        fs::read_to_string(&drawn).unwrap()
    };
    assert!(of_head("2").contains("Attention pattern — L1 H2"));
    assert!(of_head("0").contains("Attention pattern — L1 H0"));
    let far = complaint(&[&attention[..], &["--figure-layer", "0"]].concat());
    assert!(far.contains("--figure-layer is not among 1..2"), "{far}");

    let error = complaint(&[&trace[..], &["--figure", &path("a.bmp")]].concat());
    assert!(error.contains(".bmp") && error.contains(".svg"), "{error}");
    let error = complaint(&[&trace[..], &["--figure", "/nowhere/a.svg"]].concat());
    assert!(error.contains("/nowhere"), "{error}");
}

#[test]
fn the_figure_of_an_attribution_adds_up_where_that_is_asked_for() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("figure.csv");
    let args = ["attribute", "--model", TINY, "--prompt", "Lyon is in", "--answer", "it"];
    let head = |form: &str| {
        let to_file = ["--figure", path.to_str().unwrap(), "--figure-attribution", form];
        stdout(&[&args[..], &["--device", "cpu", "--by", "layers"], &to_file].concat());
        fs::read_to_string(&path).unwrap().lines().next().unwrap().to_owned()
    };
    assert_eq!(head("running-sum"), "series,layer,Sum so far (logits)");
    assert!(head("waterfall").ends_with(",from,to"));
    assert!(!head("parts").contains("from"));
}

#[test]
fn a_result_that_was_there_survives_a_failure() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("old.json");
    fs::write(&out, "old").unwrap();
    let file = out.to_str().unwrap();
    let common = ["attribute", "--model", TINY, "--device", "cpu", "--out", file];
    complaint(&[&common[..], &["--prompt", ""]].concat());
    assert_eq!(fs::read_to_string(&out).unwrap(), "old");
    stdout(&[&common[..], &["--prompt", "Lyon is in"]].concat());
    assert!(fs::read_to_string(&out).unwrap().contains("labels"));
}

/// Before anything is computed, and without the name that the file has for a moment.
#[test]
fn a_folder_that_is_missing_is_named() {
    let predict = ["predict", "--model", TINY, "--device", "cpu", "--prompt", "Lyon is in"];
    for flag in ["--out", "--figure", "--save-spec"] {
        let said = complaint(&[&predict[..], &[flag, "/nosuch/x.svg"]].concat());
        let wanted = "cannot write /nosuch/x.svg: there is no folder /nosuch; make it first";
        assert_eq!(said.trim_end(), format!("factscope: {wanted}"));
    }
}

#[cfg(unix)]
#[test]
fn devices_are_written_to_as_they_are() {
    let predict = ["predict", "--model", TINY, "--device", "cpu", "--prompt", "Lyon is in"];
    assert_eq!(stdout(&[&predict[..], &["--out", "/dev/null"]].concat()), "");
    let printed = stdout(&[&predict[..], &["--out", "/dev/stdout"]].concat());
    assert!(printed.starts_with('{'), "{printed}");
}

/// XML has neither the noncharacters nor most control characters.
#[test]
fn an_svg_is_xml_whatever_the_prompt_holds() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a.svg");
    let text = "Ly\u{fffe}o\u{ffff}n\u{1}\u{b}\u{7f}\u{fdd0} is <in> & \"";
    let figure = ["--figure", path.to_str().unwrap()];
    let lens = ["lens", "--model", TINY, "--device", "cpu", "--prompt", text];
    stdout(&[&lens[..], &figure].concat());
    let svg = fs::read_to_string(&path).unwrap();
    let is_xml = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert!(svg.chars().all(is_xml));
    assert!(svg.contains("&lt;") && svg.contains("&amp;"), "{svg}");
}
