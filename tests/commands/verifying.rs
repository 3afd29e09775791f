//! Pictures that carry what they were made of, and their numbers computed anew.

use std::fmt::Write as _;
use std::fs;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
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
    // Numbers that others have published are told, with what would check them.
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
    assert!(told(b"%PDF-1.7\nstartxref\n9\n%%EOF").contains("carries no record"));
    assert!(told(b"\x89PNG\r\n\x1a\n\0\0\0\0IEND\xaeB`\x82").contains("carries no record"));
    assert!(told(b"\x89PNG\r\n\x1a\n\0\0\xff\xff").contains("cut short"));
    assert!(told(b"<svg><metadata id=\"factscope\">{}</metadata>\n</svg>").contains("damaged"));
    assert!(complaint(&["verify", "/nowhere.svg"]).contains("/nowhere.svg"));

    // Cut anywhere, a picture is an error and no panic.
    for name in ["a.svg", "a.pdf", "a.png"] {
        let file = path(&dir, name);
        stdout(&[&TRACE[..], &["--figure", &file]].concat());
        let whole = fs::read(&file).unwrap();
        for share in 1..10 {
            fs::write(&file, &whole[..whole.len() * share / 10]).unwrap();
            let told = complaint(&["verify", &file]);
            assert!(told.contains("cut short"), "{share}: {told}");
        }
        for n_off in [1, 2, 3, 9] {
            fs::write(&file, &whole[..whole.len() - n_off]).unwrap();
            assert!(!verified(&[&file]).1, "{name}, {n_off}");
        }
        if name == "a.svg" {
            let text = String::from_utf8(whole).unwrap();
            fs::write(&file, text.replace('\n', "\r\n")).unwrap();
            assert!(complaint(&["verify", &file]).contains("CRLF"));
        }
    }
}

/// Whatever is put behind the end, between two parts or into what carries the record.
#[test]
fn bytes_that_are_put_into_a_file_are_told() {
    let dir = TempDir::new().unwrap();
    let changed = |picture: &str, file: &[u8]| {
        fs::write(picture, file).unwrap();
        let (text, is_confirmed) = verified(&[picture]);
        assert!(!is_confirmed && text.contains("THE DRAWING WAS CHANGED"), "{picture}: {text}");
    };
    for name in ["a.svg", "a.pdf", "a.png"] {
        let picture = path(&dir, name);
        stdout(&[&TRACE[..], &["--figure", &picture]].concat());
        let whole = fs::read(&picture).unwrap();
        changed(&picture, &[&whole[..], b"\n% hello"].concat());
        changed(&picture, &[&whole[..], b"<!-- hello -->"].concat());
        let position = |of: &[u8]| whole.windows(of.len()).rposition(|it| it == of).unwrap();
        let with = |place: usize, bytes: &[u8]| [&whole[..place], bytes, &whole[place..]].concat();
        match name {
            "a.svg" => {
                changed(&picture, &with(position(b"</metadata>"), b" "));
                changed(&picture, &with(position(b"{\"program") + 1, b"\"x\":\"<rect/>\","));
            }
            "a.png" => {
                // A chunk of text, which its checksum need not fit.
                let chunk = b"\0\0\0\x03tEXta\0b\0\0\0\0";
                changed(&picture, &with(whole.len() - 12, chunk));
                changed(&picture, &with(position(b"iTXt") - 4, chunk));
            }
            _ => {
                changed(&picture, &with(position(b"\nendstream"), b" "));
                changed(&picture, &with(position(b"trailer"), b"% "));
                // Another page, in a part that readers take before the first.
                let start =
                    String::from_utf8_lossy(&whole[position(b"startxref") + 10..]).into_owned();
                let table = start.split('\n').next().unwrap();
                let update = format!(
                    "\n3 0 obj\n<</Type /Page /Parent 2 0 R>>\nendobj\nxref\n3 1\n{:010} 00000 n\r\n\
                     trailer\n<</Size 18 /Root 1 0 R /Prev {table}>>\nstartxref\n{}\n%%EOF",
                    whole.len() + 1,
                    whole.len() + 52
                );
                changed(&picture, &[&whole[..], update.as_bytes()].concat());
                // An object is looked for at another place.
                let mut moved = whole.clone();
                moved[position(b" 00000 n\r\ntrailer") - 1] ^= 1;
                changed(&picture, &moved);
            }
        }
    }
}

/// A picture of the first builds, whose hash is of the drawing alone, from which numbers are taken.
fn earlier(svg: &str, change: impl Fn(&mut Value)) -> String {
    let (start, mark, end) = ("<metadata id=\"factscope\">", "</metadata>\n", "</svg>");
    let (shapes, rest) = svg.split_once(start).unwrap();
    let json = rest.split_once(mark).unwrap().0;
    let json = json.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let mut record: Value = serde_json::from_str(&json).unwrap();
    let mut hash = String::new();
    for byte in Sha256::digest(format!("{shapes}{end}\n").as_bytes()) {
        write!(hash, "{byte:02x}").unwrap();
    }
    record["drawing_sha256"] = json!(hash);
    change(&mut record);
    let json = record.to_string();
    let json = json.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("{shapes}{start}{json}{mark}{end}\n")
}

#[test]
fn numbers_that_were_taken_out_are_told() {
    let dir = TempDir::new().unwrap();
    let picture = path(&dir, "a.svg");
    stdout(&[&TRACE[..], &["--figure", &picture, "--figure-effect", "recovery"]].concat());
    let svg = fs::read_to_string(&picture).unwrap();
    let told = |change: fn(&mut Value)| {
        fs::write(&picture, earlier(&svg, change)).unwrap();
        let output = factscope(&["verify", "--device", "cpu", &picture]);
        let text = [output.stdout, output.stderr].concat();
        (String::from_utf8(text).unwrap(), output.status.success())
    };
    let (text, is_confirmed) = told(|_| {});
    assert!(is_confirmed && text.contains("the drawing is as it was written"), "{text}");

    let (text, is_confirmed) = told(|it| it["charts"] = json!([]));
    assert!(!is_confirmed && text.contains("has no chart"), "{text}");
    let (text, is_confirmed) = told(|it| it["charts"][0]["values"] = json!([]));
    assert!(!is_confirmed && text.contains("RECORD LACKS 20 of 20 numbers"), "{text}");
    let (text, is_confirmed) = told(|it| {
        for columns in ["places", "values"] {
            for column in it["charts"][0][columns].as_array_mut().unwrap() {
                column[1].as_array_mut().unwrap().truncate(3);
            }
        }
    });
    assert!(!is_confirmed && text.contains("RECORD LACKS 17 of 20 numbers"), "{text}");
    let (text, is_confirmed) = told(|it| {
        it["charts"][0]["chart"] = json!("another");
        it["charts"][0]["values"] = json!([]);
    });
    assert!(!is_confirmed && text.contains("NO SUCH CHART"), "{text}");

    // Of a picture of this build, the record's own hash tells.
    fs::write(&picture, svg.replacen("\"charts\":[{", "\"charts\":[ {", 1)).unwrap();
    let (text, is_confirmed) = verified(&[&picture]);
    assert!(!is_confirmed && text.contains("THE DRAWING WAS CHANGED"), "{text}");
}

/// The first builds exported one chart of several with a hash of the drawing alone.
#[test]
fn a_chart_that_an_earlier_picture_lacks_is_named() {
    let dir = TempDir::new().unwrap();
    let picture = path(&dir, "a.svg");
    let asked = ["lens", "--model", TINY, "--device", "cpu", "--prompt", "a b"];
    stdout(&[&asked[..], &["--figure-position", "1", "--figure", &picture]].concat());
    let svg = fs::read_to_string(&picture).unwrap();
    for (n_charts, is_named) in [(2, false), (1, true)] {
        let cut = |it: &mut Value| it["charts"].as_array_mut().unwrap().truncate(n_charts);
        fs::write(&picture, earlier(&svg, cut)).unwrap();
        let (text, is_confirmed) = verified(&[&picture]);
        assert_ne!(is_confirmed, is_named, "{text}");
        assert_eq!(text.contains("LACKS the numbers of After token"), is_named, "{text}");
    }
}

/// What the colours of head scores stand for was called otherwise until 30 November 2026.
#[test]
fn numbers_under_an_earlier_name_are_confirmed_and_another_name_is_told() {
    let dir = TempDir::new().unwrap();
    let picture = path(&dir, "a.svg");
    let fact = ["--prompt", "Paris is in", "--subject", "Paris"];
    let asked = [&["heads", "--model", TINY, "--device", "cpu"][..], &fact].concat();
    stdout(&[&asked[..], &["--figure", &picture]].concat());
    let svg = fs::read_to_string(&picture).unwrap();
    let under = |name: &str, first: Option<f64>| {
        let change = |it: &mut Value| {
            let mut n_renamed = 0;
            for chart in it["charts"].as_array_mut().unwrap() {
                for column in chart["values"].as_array_mut().unwrap() {
                    if column[0] == "Mean attention weight" {
                        column[0] = json!(name);
                        n_renamed += 1;
                        if let Some(first) = first {
                            column[1][0] = json!(first);
                        }
                    }
                }
            }
            assert!(n_renamed > 1);
        };
        fs::write(&picture, earlier(&svg, change)).unwrap();
        verified(&[&picture])
    };
    let (text, is_confirmed) = under("Attention weight (0 to 1)", None);
    assert!(is_confirmed && !text.contains("DIFFER"), "{text}");
    let (text, is_confirmed) = under("Attention weight (0 to 1)", Some(0.75));
    assert!(!is_confirmed && text.contains("1 of 16 numbers DIFFER"), "{text}");

    let (text, is_confirmed) = under("Entropy", None);
    assert!(!is_confirmed && !text.contains("DIFFER"), "{text}");
    assert!(
        text.contains("THE PICTURE CALLS `Entropy` what is `Mean attention weight`, 16 numbers as computed now"),
        "{text}"
    );
}

#[test]
fn one_file_that_cannot_be_used_does_not_keep_the_others_from_being_verified() {
    let dir = TempDir::new().unwrap();
    let [bad, good] = ["bad.svg", "good.svg"].map(|name| path(&dir, name));
    fs::write(&bad, "no picture").unwrap();
    stdout(&["predict", "--model", TINY, "--device", "cpu", "--prompt", "a", "--figure", &good]);
    let (text, is_confirmed) = verified(&[&bad, "/nowhere.svg", &good]);
    assert!(!is_confirmed && text.matches("CANNOT BE VERIFIED").count() == 2, "{text}");
    assert!(text.contains("neither an SVG") && text.contains("as computed now"), "{text}");
    let (json, is_confirmed) = verified(&[&bad, &good, "--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert!(!is_confirmed && json[0]["error"].as_str().unwrap().contains("neither"), "{json}");
    assert_eq!(json[1]["is_drawing_as_written"], true);
}
