//! Pictures that carry what they were made of, and their numbers computed anew.

use std::fs;

use serde_json::Value;
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
