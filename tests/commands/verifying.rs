//! Pictures that carry what they were made of, and their numbers computed anew.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{TINY, complaint, factscope, stdout};

const TRACE: [&str; 13] = [
    "trace",
    "--model",
    TINY,
    "--prompt",
    "Paris is in",
    "--subject",
    "Paris",
    "--kind",
    "mlp",
    "--samples",
    "2",
    "--device",
    "cpu",
];

/// What `verify` prints, and whether it confirms the pictures.
fn verified(args: &[&str]) -> (String, bool) {
    let output = factscope(&[&["verify", "--device", "cpu"], args].concat());
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"));
    (String::from_utf8(output.stdout).unwrap(), output.status.success())
}

fn path(dir: &TempDir, name: &str) -> String {
    dir.path().join(name).to_str().unwrap().to_owned()
}

#[test]
fn a_picture_of_every_format_is_confirmed() {
    let dir = TempDir::new().unwrap();
    let pictures = ["a.svg", "a.pdf", "a.png"].map(|name| path(&dir, name));
    for picture in &pictures {
        stdout(&[&TRACE[..], &["--figure", picture, "--figure-effect", "recovery"]].concat());
    }
    let names = pictures.each_ref().map(String::as_str);
    let (text, is_confirmed) = verified(&names);
    assert!(is_confirmed, "{text}");
    assert_eq!(text.matches("the drawing is as it was written").count(), 3, "{text}");
    assert_eq!(text.matches("largest difference 0\n").count(), 3, "{text}");

    let (json, _) = verified(&[&names[..], &["--json"]].concat());
    let json: Value = serde_json::from_str(&json).unwrap();
    // Ten tokens, two layers.
    assert_eq!(json[0]["charts"][0]["n_numbers"], 20, "{json}");
}

/// Of every chart and of one alone, without a caption, of text that XML has to spell out.
#[test]
fn a_picture_is_confirmed_in_every_form() {
    let dir = TempDir::new().unwrap();
    let picture = path(&dir, "a.svg");
    let prompt = ["--model", TINY, "--device", "cpu", "--prompt", "<é> & \u{fffe}東 is"];
    let forms: [&[&str]; 4] = [
        &["predict"],
        &["lens", "--figure-position", "1", "--no-caption", "--figure-tokens", "plain"],
        &["attribute", "--by", "heads", "--figure-width", "one-column"],
        &["attribute", "--by", "layers", "--figure-attribution", "waterfall"],
    ];
    for form in forms {
        stdout(&[&form[..1], &prompt, &["--figure", &picture], &form[1..]].concat());
        let (text, is_confirmed) = verified(&[&picture]);
        assert!(is_confirmed, "{form:?}: {text}");
    }
}

#[test]
fn what_is_not_as_it_was_is_told() {
    let dir = TempDir::new().unwrap();
    let picture = path(&dir, "a.svg");
    stdout(&[&TRACE[..], &["--figure", &picture]].concat());
    let svg = fs::read_to_string(&picture).unwrap();

    // A cell in another colour.
    let fill = svg.rfind("fill=\"#").unwrap() + 7;
    let painted = format!("{}00ff00{}", &svg[..fill], &svg[fill + 6..]);
    fs::write(&picture, painted).unwrap();
    let (text, is_confirmed) = verified(&[&picture]);
    assert!(!is_confirmed && text.contains("THE DRAWING WAS CHANGED"), "{text}");

    // Another number in the record.
    let start = svg.find("\"values\"").unwrap();
    let cell = start + svg[start..].find(",[").unwrap() + 2;
    let end = cell + svg[cell..].find(',').unwrap();
    fs::write(&picture, format!("{}0.75{}", &svg[..cell], &svg[end..])).unwrap();
    let (text, is_confirmed) = verified(&[&picture]);
    assert!(!is_confirmed && text.contains("1 of 20 numbers DIFFER"), "{text}");
    assert!(text.contains("0.75 was written") && text.contains("of token 0"), "{text}");

    // Another model.
    stdout(&[
        "predict",
        "--prompt",
        "The capital of France is",
        "--device",
        "cpu",
        "--figure",
        &picture,
    ]);
    let (text, is_confirmed) = verified(&[&picture, "--model", "builtin-planted"]);
    assert!(!is_confirmed && text.contains("THE MODEL IS ANOTHER"), "{text}");
    assert!(text.contains("DIFFER"), "{text}");
}

/// Another number of threads than that which they were written with.
#[test]
fn numbers_that_are_kept_in_the_program_are_computed() {
    let (text, is_confirmed) = verified(&["--quiet", "--threads", "2"]);
    assert!(is_confirmed, "{text}");
    let kept: Value = serde_json::from_str(include_str!("../../data/kept_numbers.json")).unwrap();
    let n_kept = kept.as_array().unwrap().len();
    assert!(n_kept > 25);
    assert_eq!(text.matches("agrees ").count(), n_kept, "{text}");
    assert!(text.contains("trace --facts builtin"), "{text}");
}

/// The small model stands in for one that numbers are published of.
#[test]
fn published_numbers_are_compared_and_found_different() {
    let dir = TempDir::new().unwrap();
    let file = path(&dir, "published.json");
    let asked = ["predict", "--model", TINY, "--prompt", "Paris is in", "--answer", "the", "--bos"];
    let found: Value = serde_json::from_str(&stdout(&[&asked[..], &["--json"]].concat())).unwrap();
    let number = |place: &str| found.pointer(place).unwrap().as_f64().unwrap();
    let (prob, logit) = (number("/answer/prob"), number("/top/0/logit"));
    let published = |prob: f64| {
        let fact = json!({ "text": { "prompt": "Paris is in", "answer": "the" } });
        let numbers =
            json!([["probability", "/answer/prob", prob], ["logit", "/top/0/logit", logit]]);
        let check = json!({ "what": "a test", "source": "a book", "licence": "none", "tolerance": 1e-5,
            "why": "the CPU is the same", "bos": "on", "spec": { "Prediction": { "n_top": 1 } },
            "asked": [{ "fact": fact, "numbers": numbers }],
            "means": [["the mean", "/answer/prob", prob]] });
        let left =
            json!({ "what": "an average", "source": "another book", "why": "it takes days" });
        let shape = json!({ "n_layers": 4, "n_heads": 4, "d_model": 32, "d_vocab": 657 });
        json!([{ "model": "Tiny", "name": "tiny", "shape": shape, "checks": [check],
            "not_checked": [left] }])
        .to_string()
    };
    let asked = ["--model", TINY, "--published", &file];
    fs::write(&file, published(prob)).unwrap();
    let (text, is_confirmed) = verified(&asked);
    assert!(is_confirmed && text.contains("agrees   a test: 3 numbers"), "{text}");
    assert!(text.contains("not checked: an average (another book): it takes days"), "{text}");

    fs::write(&file, published(prob + 0.01)).unwrap();
    let (text, is_confirmed) = verified(&asked);
    assert!(!is_confirmed && text.contains("DIFFERS  a test: 2 of 3 numbers"), "{text}");
    let (json, is_confirmed) = verified(&[&asked[..], &["--json"]].concat());
    let json: Value = serde_json::from_str(&json).unwrap();
    assert!(!is_confirmed);
    assert_eq!(json["checks"][0]["numbers"][1]["published"].as_f64().unwrap(), logit);

    // A model of which nothing is published, and the file that is part of the program.
    let told = complaint(&["verify", "--device", "cpu", "--model", TINY]);
    assert!(
        told.contains("GPT-2 XL (48 layers of 25 heads") && told.contains("657 tokens"),
        "{told}"
    );
}

#[test]
fn some_of_the_numbers_that_are_kept_can_be_computed_alone() {
    let (text, is_confirmed) = verified(&["--only", "lens,norms"]);
    assert!(is_confirmed && text.matches("agrees ").count() == 2, "{text}");
    // Those of others are told, with what would check them.
    assert!(text.contains("factscope verify --model gpt2\n"), "{text}");
    assert!(text.contains("GPT-2 XL: is not computed") && text.contains("18.6 %"), "{text}");
    assert!(complaint(&["verify", "--only", "heart"]).contains("no numbers of `heart` are kept"));
}

#[test]
fn a_file_that_cannot_be_verified_says_why() {
    let dir = TempDir::new().unwrap();
    let file = path(&dir, "a.svg");
    let told = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        let told = complaint(&["verify", &file]);
        assert!(told.contains(&file), "{told}");
        told
    };
    assert!(told(b"no picture").contains("neither an SVG"));
    assert!(told(b"<svg></svg>").contains("carries no record"));
    assert!(told(b"%PDF-1.7\n").contains("carries no record"));
    assert!(told(b"\x89PNG\r\n\x1a\n\0\0\xff\xff").contains("carries no record"));
    assert!(told(b"<svg><metadata id=\"factscope\">{}</metadata>\n</svg>").contains("damaged"));
    assert!(complaint(&["verify", "/nowhere.svg"]).contains("/nowhere.svg"));

    // Cut anywhere, a picture is an error and no panic.
    for name in ["a.svg", "a.pdf", "a.png"] {
        let file = path(&dir, name);
        stdout(&[&TRACE[..], &["--figure", &file]].concat());
        let whole = fs::read(&file).unwrap();
        for share in 1..10 {
            fs::write(&file, &whole[..whole.len() * share / 10]).unwrap();
            complaint(&["verify", &file]);
        }
    }
}
