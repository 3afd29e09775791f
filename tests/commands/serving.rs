//! `factscope serve`: requests of another program, as lines of JSON.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{TINY, complaint, counterfact, json, stdout};

/// A process that is asked.
struct Served {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,

    /// The last line.
    last: String,
}

impl Served {
    fn start() -> Self {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("factscope"));
        command.args(["serve", "--stdio"]).env("HF_HUB_OFFLINE", "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdin, stdout, last: String::new() }
    }

    fn write(&mut self, line: &str) {
        let mut stdin = self.stdin.as_ref().unwrap();
        writeln!(stdin, "{line}").unwrap();
    }

    fn ask(&mut self, request: &Value) {
        self.write(&request.to_string());
    }

    fn argv(&mut self, id: u64, argv: &[&str]) {
        self.ask(&json!({ "id": id, "argv": argv }));
    }

    /// The next line, which is JSON as every line is.
    fn line(&mut self) -> Value {
        self.last.clear();
        assert!(self.stdout.read_line(&mut self.last).unwrap() > 0, "the process has ended");
        serde_json::from_str(&self.last).unwrap()
    }

    /// The next line that is neither progress nor a note, and those before it.
    fn reply(&mut self) -> (Value, Vec<Value>) {
        let mut told = Vec::new();
        loop {
            let line = self.line();
            if line.get("progress").is_none() && line.get("note").is_none() {
                return (line, told);
            }
            told.push(line);
        }
    }

    /// What a request that must succeed gives back, and what was told before.
    fn found(&mut self, request: &Value) -> (Value, Vec<Value>) {
        self.ask(request);
        let (reply, told) = self.reply();
        assert_eq!(reply["id"], request["id"], "{reply}");
        assert!(reply.get("error").is_none(), "{reply}");
        (reply, told)
    }

    /// The complaint about a line.
    #[track_caller]
    fn refuses(&mut self, line: &str, kind: &str, says: &str) {
        self.write(line);
        let (reply, _) = self.reply();
        assert_eq!(reply["kind"], kind, "{reply}");
        assert!(reply["error"].as_str().unwrap().contains(says), "{reply}");
    }

    /// Closes its input. It must end by itself.
    fn end(mut self) {
        drop(self.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

const FACT: [&str; 6] = ["--model", TINY, "--device", "cpu", "--prompt", "Lyon is in"];

fn asked(command: &[&'static str]) -> Vec<&'static str> {
    [command, &FACT].concat()
}

#[test]
fn a_request_gives_what_its_command_prints_byte_for_byte() {
    let dir = TempDir::new().unwrap();
    let facts = counterfact(&dir);
    let of_dataset = ["--model", TINY, "--device", "cpu", "--facts", &facts, "--case", "4"];
    let trace = ["trace", "--kind", "mlp", "--samples", "2"];
    let average = ["average", "--model", TINY, "--device", "cpu", "--samples", "2"];
    let average = [&average[..], &["--facts", &facts, "--keep-unknown"]].concat();
    let all = [
        asked(&["predict"]),
        asked(&["attention", "--layer", "1"]),
        asked(&["attribute", "--by", "heads", "--process", "default"]),
        [&trace[..], &of_dataset].concat(),
        average,
        vec!["model", "info", TINY],
    ];
    let mut served = Served::start();
    for (id, argv) in all.iter().enumerate() {
        served.found(&json!({ "id": id, "argv": argv }));
        let printed = stdout(&[&argv[..], &["--json"]].concat());
        let expected = format!("{{\"id\":{id},\"result\":{}}}\n", printed.trim_end());
        assert_eq!(served.last, expected, "{argv:?}");
    }
    // What has no JSON comes back as text.
    let session = vec!["session", "tests/fixtures/first_format.factscope"];
    let (reply, _) = served.found(&json!({ "id": 9, "argv": session }));
    assert_eq!(reply["text"], stdout(&session));
    served.end();
}

#[test]
fn a_result_comes_back_in_the_forms_that_are_wanted() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (svg, spec) = (path("a.svg"), path("spec.json"));
    let argv = asked(&["attribute", "--by", "layers"]);
    stdout(&[&argv[..], &["--figure", &svg]].concat());
    stdout(&[&argv[..], &["--save-spec", &spec]].concat());

    let mut served = Served::start();
    let want = ["text", "spec", "svg", "pdf", "png", "npz"];
    let (reply, _) = served.found(&json!({ "id": 1, "argv": argv, "want": want }));
    assert!(reply.get("result").is_none(), "JSON was not wanted");
    assert_eq!(reply["text"], stdout(&argv));
    assert_eq!(reply["svg"], std::fs::read_to_string(svg).unwrap());
    let spec = std::fs::read_to_string(spec).unwrap();
    assert_eq!(reply["spec"], serde_json::from_str::<Value>(&spec).unwrap());
    // Files in base64 begin as files of their kind.
    for (key, begins) in [("pdf", "JVBERi0"), ("png", "iVBORw0KGgo"), ("npz", "UEsDB")] {
        let text = reply[key].as_str().unwrap();
        assert!(text.starts_with(begins) && text.len() % 4 == 0, "{key}");
    }
    // The spec asks the same, from what stands in place of standard input.
    let run = json!({ "id": 2, "argv": ["run", "-", "--device", "cpu"], "input": spec });
    let (again, _) = served.found(&run);
    assert_eq!(again["result"], json(&[&argv[..], &["--json"]].concat()));
    served.end();
}

#[test]
fn a_model_stays_open_until_two_others_were_asked() {
    let dir = TempDir::new().unwrap();
    let copy = dir.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    for file in std::fs::read_dir(TINY).unwrap().map(|it| it.unwrap()) {
        std::fs::copy(file.path(), copy.join(file.file_name())).unwrap();
    }
    let copy = copy.to_str().unwrap();
    let mut served = Served::start();
    let mut id = 0;
    let mut opens = |served: &mut Served, model: &str, more: &[&str]| {
        id += 1;
        let argv = ["predict", "--model", model, "--device", "cpu", "--prompt", "Lyon is in"];
        let argv = [&argv[..], more].concat();
        let (reply, told) = served.found(&json!({ "id": id, "argv": argv }));
        assert!(reply["result"]["device"].is_string());
        let is_opened = told.iter().any(|it| it["progress"]["what"] == "Reading weights");
        let note = told.iter().find_map(|it| Some(it.get("note")?.as_str()?.to_owned()));
        (is_opened, note)
    };
    assert_eq!(opens(&mut served, TINY, &[]), (true, None));
    assert_eq!(opens(&mut served, TINY, &[]), (false, None));
    // A model that is processed is another, which shares the one that is open.
    assert_eq!(opens(&mut served, TINY, &["--process", "default"]), (false, None));
    assert_eq!(opens(&mut served, TINY, &[]), (false, None));
    let (is_opened, note) = opens(&mut served, "builtin", &[]);
    assert!(is_opened && note.unwrap().contains("tiny is closed"));
    assert_eq!(opens(&mut served, TINY, &[]), (false, None));
    let (is_opened, note) = opens(&mut served, copy, &[]);
    assert!(is_opened && note.unwrap().contains("builtin is closed"));
    assert_eq!(opens(&mut served, copy, &[]), (false, None));
    // Files that were written since are read.
    let config = std::fs::read(format!("{copy}/config.json")).unwrap();
    std::fs::write(format!("{copy}/config.json"), [&config[..], b"\n"].concat()).unwrap();
    assert!(opens(&mut served, copy, &[]).0);
    served.end();
}

/// A trace that takes minutes.
fn long() -> Vec<&'static str> {
    let trace = ["trace", "--kind", "hidden", "--samples", "100000", "--facts", "builtin"];
    [&trace[..], &["--case", "2", "--device", "cpu", "--ignore-memory"]].concat()
}

#[test]
fn a_request_that_runs_or_waits_can_be_cancelled() {
    let mut served = Served::start();
    served.argv(1, &long());
    served.argv(2, &asked(&["predict"]));
    served.argv(3, &asked(&["predict"]));
    loop {
        let line = served.line();
        assert_eq!(line["id"], 1, "one after the other: {line}");
        let progress = &line["progress"];
        assert!(progress["total"].as_u64() >= progress["done"].as_u64(), "{line}");
        assert!(progress["what"].is_string(), "{line}");
        if progress["what"] == "Tracing" && progress["done"].as_u64() > Some(0) {
            assert!(progress["seconds_left"].is_number(), "{line}");
            break;
        }
    }
    served.ask(&json!({ "id": 4, "cancel": 2 }));
    served.ask(&json!({ "id": 5, "cancel": 1 }));
    served.ask(&json!({ "id": "six", "cancel": 99 }));
    let mut replies: Vec<Value> = (0..6).map(|_| served.reply().0).collect();
    let cancels: Vec<Value> = replies
        .extract_if(.., |it| it.get("result") == Some(&json!(true)) || it["id"] == "six")
        .collect();
    assert_eq!(cancels.len(), 3, "{cancels:?}");
    assert_eq!(cancels[2], json!({ "id": "six", "result": false }));
    assert_eq!(replies[0], json!({ "id": 1, "error": "cancelled", "kind": "cancelled" }));
    assert_eq!(replies[1], json!({ "id": 2, "error": "cancelled", "kind": "cancelled" }));
    assert_eq!(replies[2]["id"], 3);
    assert!(replies[2]["result"]["device"].is_string(), "the model is still there");
    served.end();
}

#[test]
fn what_cannot_be_answered_is_said_and_the_next_request_is_answered() {
    let mut served = Served::start();
    served.refuses("what?", "usage", "no request");
    served.refuses("[1]", "usage", "no request");
    served.refuses("\u{7f}{\"id\": 1}", "usage", "no request");
    served.refuses(r#"{"id": 1, "argv": ["predict"], "wish": 1}"#, "usage", "`wish`");
    served.refuses(r#"{"id": 1, "argv": ["predict"], "want": ["gif"]}"#, "usage", "`gif`");
    served.refuses(r#"{"id": null, "argv": ["predict"]}"#, "usage", "number or a text");
    served.refuses(r#"{"id": 1}"#, "usage", "one of `argv`");
    served.refuses(r#"{"id": 1, "argv": []}"#, "usage", "name a command");
    served.refuses(r#"{"id": 1, "argv": ["guess"]}"#, "usage", "neither a command");
    served.refuses(r#"{"id": 1, "argv": ["predict", "--guess"]}"#, "usage", "'--guess'");
    served.refuses(r#"{"id": 1, "argv": ["explore"]}"#, "usage", "no window");
    served.refuses(r#"{"id": 1, "argv": ["serve", "--stdio"]}"#, "usage", "no window");
    let threads = r#"{"id": 1, "argv": ["devices", "--threads", "1"]}"#;
    served.refuses(threads, "usage", "where `serve` is started");
    served.refuses(r#"{"id": 1, "argv": ["run", "-"]}"#, "failed", "no `input`");
    let nowhere = r#"{"id": 1, "argv": ["predict", "--prompt", "a", "--model", "nowhere"]}"#;
    served.refuses(nowhere, "failed", "nowhere");
    // The words are those of the command.
    let far = asked(&["attention", "--layer", "9"]);
    served.argv(2, &far);
    let (reply, _) = served.reply();
    assert_eq!(complaint(&far).trim(), format!("factscope: {}", reply["error"].as_str().unwrap()));
    // The line that was broken is told apart by its id where it has one.
    served.write(r#"{"id": 7, "argv": "predict"}"#);
    assert_eq!(served.reply().0["id"], 7);
    let (reply, _) = served.found(&json!({ "id": 3, "argv": ["predict", "--help"] }));
    assert!(reply["text"].as_str().unwrap().contains("Usage: factscope predict"));
    served.found(&json!({ "id": 4, "argv": asked(&["predict"]) }));
    served.end();
}

#[test]
fn what_an_earlier_request_found_is_not_computed_again() {
    let mut served = Served::start();
    let argv = asked(&["trace", "--subject", "Lyon", "--kind", "hidden", "--samples", "2"]);
    let (first, told) = served.found(&json!({ "id": 1, "argv": argv }));
    let is_traced = |told: &[Value]| told.iter().any(|it| it["progress"]["what"] == "Tracing");
    assert!(is_traced(&told));
    let again = json!({ "id": 2, "argv": argv, "of": 1, "want": ["json", "svg"] });
    let (again, told) = served.found(&again);
    assert!(!is_traced(&told), "{told:?}");
    assert_eq!(again["result"], first["result"]);
    // Of what asks something else nothing is taken.
    let other = [&argv[..], &["--seed", "7"]].concat();
    let (other, told) = served.found(&json!({ "id": 3, "argv": other, "of": 1 }));
    assert!(is_traced(&told) && other["result"] != first["result"]);
    served.end();
}

#[test]
fn what_was_asked_before_the_input_ended_is_answered() {
    let mut served = Served::start();
    served.argv(1, &asked(&["predict"]));
    served.argv(2, &asked(&["lens"]));
    drop(served.stdin.take());
    assert_eq!(served.reply().0["id"], 1);
    assert_eq!(served.reply().0["id"], 2);
    assert!(served.child.wait().unwrap().success());
}

#[test]
fn every_command_is_described_with_its_flags() {
    let all = json(&["serve", "--describe"]);
    let mut served = Served::start();
    served.ask(&json!({ "id": 1, "describe": true }));
    assert_eq!(served.reply().0["result"], all);
    served.end();

    let command = |name: &str| {
        let commands = all["commands"].as_array().unwrap();
        commands.iter().find(|it| it["name"] == name).unwrap_or_else(|| panic!("no {name}"))
    };
    let flag = |name: &str, flag: &str| {
        let flags = command(name)["flags"].as_array().unwrap();
        flags.iter().find(|it| it["name"] == flag).unwrap_or_else(|| panic!("no {flag}")).clone()
    };
    // Each flag of help is described.
    for it in all["commands"].as_array().unwrap() {
        let name = it["name"].as_str().unwrap();
        let words: Vec<&str> = name.split(' ').chain(["--help"]).collect();
        let help = stdout(&words);
        let listed = help.lines().filter_map(|line| {
            let rest = line.strip_prefix("      --")?;
            Some(format!("--{}", rest.split([' ', '=', '[']).next().unwrap()))
        });
        let globals = all["flags"].as_array().unwrap();
        let flags: Vec<&Value> = it["flags"].as_array().unwrap().iter().chain(globals).collect();
        for listed in listed {
            assert!(flags.iter().any(|it| it["flag"] == *listed), "{name} {listed}");
        }
    }
    assert_eq!(flag("trace", "kind")["kind"], "text");
    assert_eq!(flag("trace", "kind")["is_required"], true);
    assert_eq!(flag("trace", "samples")["kind"], "integer");
    assert_eq!(flag("steer", "scale")["kind"], "number");
    assert_eq!(flag("steer", "scale")["default"], json!(["1"]));
    assert_eq!(flag("predict", "facts")["kind"], "path");
    assert_eq!(flag("predict", "bos")["kind"], "switch");
    assert_eq!(flag("predict", "edit")["is_several"], true);
    assert_eq!(flag("trace", "widths")["delimiter"], ",");
    let kinds: Vec<Value> = flag("trace", "kind")["values"].as_array().unwrap().clone();
    let kinds: Vec<&str> = kinds.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["hidden", "mlp", "attn", "head"]);
    assert_eq!(flag("merge", "folders")["flag"], Value::Null);
    assert!(command("model info")["about"].as_str().unwrap().contains("hashes"));
}
