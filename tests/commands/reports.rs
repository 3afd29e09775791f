//! `factscope report`: a session file as a page of HTML.

use std::fs;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use tempfile::TempDir;

use crate::support::{complaint, factscope, stdout};

const VIEWS: &str = "tests/fixtures/views.factscope";

#[test]
fn a_session_file_becomes_a_page() {
    let dir = TempDir::new().unwrap();
    let page = dir.path().join("report.html");
    let out = page.to_str().unwrap();
    assert_eq!(stdout(&["report", VIEWS, "--out", out, "--title", "Paris & <France>"]), "");
    let html = fs::read_to_string(&page).unwrap();
    assert!(html.contains("<h1>Paris &amp; &lt;France&gt;</h1>"));
    assert!(html.contains("Restoring a single hidden state"));
    stdout(&["report", VIEWS, "--out", out, "--only", "1,9"]);
    let html = fs::read_to_string(&page).unwrap();
    assert_eq!(html.matches("<article").count(), 2);
    stdout(&["report", VIEWS, VIEWS, "--out", out]);
    assert!(fs::read_to_string(&page).unwrap().matches("<article").count() > 60);
}

#[test]
fn a_picture_that_is_taken_from_a_page_can_be_verified() {
    let dir = TempDir::new().unwrap();
    let page = dir.path().join("report.html");
    stdout(&["report", VIEWS, "--out", page.to_str().unwrap(), "--only", "1,5,8"]);
    let html = fs::read_to_string(&page).unwrap();
    let links = html.split("<a download=\"").skip(1).map(|it| it.split('"').collect::<Vec<_>>());
    let mut files = Vec::new();
    for link in links {
        let file = dir.path().join(link[0]);
        let data = link[2].strip_prefix("data:image/svg+xml;base64,").unwrap();
        fs::write(&file, BASE64_STANDARD.decode(data).unwrap()).unwrap();
        files.push(file.to_str().unwrap().to_owned());
    }
    assert_eq!(files.len(), 3);
    for file in &files {
        let told = stdout(&["verify", file, "--device", "cpu"]);
        let says = ["the drawing is as it was written", "numbers as computed now"];
        assert!(says.into_iter().all(|it| told.contains(it)), "{told}");
    }
}

/// What a page shows and what it carries are told apart: a number that is changed in either is noticed.
#[test]
fn the_figures_of_a_page_are_computed_anew() {
    let dir = TempDir::new().unwrap();
    let page = dir.path().join("report.html");
    let path = page.to_str().unwrap();
    stdout(&["report", VIEWS, "--out", path, "--only", "1,5"]);
    let told = stdout(&["verify", path, "--device", "cpu"]);
    for says in ["the page is as it was written", "the drawing is as it was written"] {
        assert_eq!(told.matches(says).count(), 2, "{told}");
    }
    assert!(!told.contains("DIFFER"), "{told}");
    assert_eq!(told.matches("report.html, ").count(), 2, "{told}");

    let html = fs::read_to_string(&page).unwrap();
    let changed = html.replacen("<title>Token 0 The, layer 0", "<title>Token 0 She, layer 0", 1);
    assert_ne!(html, changed);
    fs::write(&page, changed).unwrap();
    let told = refused(&["verify", path, "--device", "cpu"]);
    assert_eq!(told.matches("THE PAGE WAS CHANGED").count(), 2, "{told}");
    assert!(told.contains("2 of 2 cannot be confirmed") && !told.contains("DIFFER"), "{told}");

    // The figure that the page carries, with another number in its record.
    let at = html.find("data:image/svg+xml;base64,").unwrap() + "data:image/svg+xml;base64,".len();
    let end = at + html[at..].find('"').unwrap();
    let svg = String::from_utf8(BASE64_STANDARD.decode(&html[at..end]).unwrap()).unwrap();
    let other = svg.replacen("\"Probability\",[0.8", "\"Probability\",[0.9", 1);
    assert_ne!(svg, other);
    fs::write(&page, format!("{}{}{}", &html[..at], BASE64_STANDARD.encode(other), &html[end..]))
        .unwrap();
    let told = refused(&["verify", path, "--device", "cpu"]);
    assert!(told.contains("DIFFER") && told.contains("was written"), "{told}");

    fs::write(&page, "<!DOCTYPE html>\n<p>nothing</p>\n").unwrap();
    assert!(complaint(&["verify", path]).contains("no figure of this page can be computed anew"));
}

/// All that a command that must fail said.
#[track_caller]
fn refused(args: &[&str]) -> String {
    let done = factscope(args);
    assert!(!done.status.success(), "{args:?}");
    [done.stdout, done.stderr].map(|it| String::from_utf8(it).unwrap()).concat()
}

#[cfg(feature = "parquet")]
#[test]
fn a_sweep_becomes_a_page_that_says_how_to_ask_it_again() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (spec, heads, page) = (path("spec.json"), path("heads"), path("report.html"));
    let fact = ["--facts", "builtin", "--case", "2"];
    stdout(&[&["attribute", "--by", "heads", "--save-spec", &spec][..], &fact].concat());
    stdout(&["sweep", &spec, "--n", "6", "--both-ways", "--out", &heads]);
    stdout(&["report", &heads, "--out", &page]);
    let html = fs::read_to_string(&page).unwrap();
    let found = stdout(&["population", &heads, "--json"]);
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    let title = found["figure"]["title"].as_str().unwrap();
    let hash = found["sweep"]["facts_sha256"].as_str().unwrap();
    for says in
        [title, hash, "95 % intervals over facts", "Over many facts: heads", "Elhage et al."]
    {
        assert!(html.contains(says), "{says}");
    }
    let (_, rest) = html.split_once("<pre class=\"command\"><code>").unwrap();
    let (commands, rest) = rest.split_once("</code>").unwrap();
    let commands = commands.replace("<span class=\"flag\">", "").replace("</span>", "");
    let command =
        "factscope sweep heads.json --facts builtin --n 6 --facts-seed 1 --both-ways --out heads";
    assert_eq!(commands, format!("{command}\nfactscope population heads"));
    // What is on the page asks the same.
    let (_, rest) = rest.split_once("<pre class=\"spec\"><code>").unwrap();
    let (written, _) = rest.split_once("</code>").unwrap();
    fs::write(path("heads.json"), written.replace("&quot;", "\"")).unwrap();
    let again = path("again");
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    let words = words.iter().map(|it| match *it {
        "heads.json" => path("heads.json"),
        "heads" => again.clone(),
        it => it.to_owned(),
    });
    let words: Vec<String> = words.collect();
    stdout(&words.iter().map(|it| &**it).collect::<Vec<_>>());
    let anew: serde_json::Value =
        serde_json::from_str(&stdout(&["population", &again, "--json"])).unwrap();
    assert_eq!(anew["figure"]["charts"], found["figure"]["charts"]);

    // Sessions and sweeps share a page.
    stdout(&["report", VIEWS, &heads, "--out", &page]);
    assert!(fs::read_to_string(&page).unwrap().contains("1 sweep over many facts"));
    assert!(complaint(&["report", &heads, "--out", &page, "--only", "1"]).contains("--only"));
    let empty = path("empty");
    fs::create_dir(&empty).unwrap();
    assert!(
        complaint(&["report", &empty, "--out", &page]).contains("this is no folder of a sweep")
    );
}

#[test]
fn what_was_asked_of_one_text_is_told_apart() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let [cairo, paris] = ["Cairo", "Paris"].map(|answer| {
        let file = path(&format!("{answer}.factscope"));
        let asked = ["predict", "--prompt", "The capital of Egypt is", "--answer", answer];
        stdout(&[&asked[..], &["--save-session", &file]].concat());
        file
    });
    let (both, page) = (path("both.factscope"), path("report.html"));
    stdout(&["session", &cairo, &paris, "--join", &both]);
    stdout(&["report", &both, "--out", &page]);
    let html = fs::read_to_string(&page).unwrap();
    assert!(html.contains("2 results about 1 prompt,"));
    for answer in ["Cairo", "Paris"] {
        let listed = format!(">“The capital of Egypt is”  ·  answer ·{answer}</a>");
        assert!(html.contains(&listed), "{listed}");
    }
}

#[test]
fn a_page_that_cannot_be_written_leaves_what_was_there() {
    let dir = TempDir::new().unwrap();
    let page = dir.path().join("report.html");
    fs::write(&page, "old").unwrap();
    let out = page.to_str().unwrap();
    let refused = |args: &[&str], says: &str| {
        let told = complaint(&[&["report"], args].concat());
        assert!(told.contains(says), "{told}");
        assert_eq!(fs::read_to_string(&page).unwrap(), "old");
    };
    refused(&["nowhere.factscope", "--out", out], "cannot read the session");
    refused(
        &[VIEWS, "--out", out, "--only", "99"],
        "there is no result 99; views.factscope holds 38",
    );
    refused(
        &[VIEWS, VIEWS, "--out", out, "--only", "1"],
        "--only is about the results of one session file",
    );
    let folder = dir.path().to_str().unwrap();
    refused(&[VIEWS, "--out", folder], "it is a folder");
    refused(&[VIEWS, "--out", "/nosuch/a.html"], "there is no folder /nosuch; make it first");
}
