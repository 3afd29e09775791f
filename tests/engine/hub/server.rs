//! A hub on loopback with one model, which misbehaves when it is told to.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use factscope::hub::{Patience, Settings};
use factscope::task::TaskCtx;
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Files of this size and more are kept apart from the repository, as LFS does.
const LARGE: usize = 2_000;

pub struct Server {
    pub url: String,
    shared: Arc<Shared>,
}

struct Shared {
    model: Mutex<Model>,
    faults: Mutex<Vec<(String, usize, Fault)>>,
    seen: Mutex<Vec<Seen>>,
    is_gone: AtomicBool,
}

#[derive(Clone)]
pub struct Model {
    pub name: String,
    pub commit: String,
    pub files: BTreeMap<String, Vec<u8>>,

    /// Where large files come from, if not from this server.
    pub store: Option<String>,
}

/// What goes wrong in an answer.
#[derive(Clone)]
pub enum Fault {
    /// The connection ends after so many bytes of the content.
    CutAfter(usize),

    /// Another status, with headers.
    Status(u16, &'static [(&'static str, &'static str)]),

    /// The content is cut or filled up to so many bytes, and its length is said to be that.
    Length(usize),
    WebPage,

    /// The server sends no byte for a long time.
    Silence,

    /// The content comes in bits of so many bytes, one each five milliseconds.
    Slow(usize),

    /// The hub says that the content has another hash.
    OtherHash,

    /// One byte of the content is another.
    WrongByte,

    /// Parts are not known: the whole comes.
    NoParts,

    /// A part comes, but another than was asked for.
    OtherPart,
}

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
}

impl Model {
    /// A model with all that is looked for, and more that is not.
    pub fn new(name: &str) -> Self {
        let files = [
            ("config.json", text(r#"{"model_type":"gpt2"}"#)),
            ("tokenizer.json", bytes(5_000, 1)),
            ("tokenizer_config.json", text("{}")),
            ("vocab.json", text("{}")),
            ("merges.txt", text("#version: 0.2")),
            ("model.safetensors", bytes(300_000, 2)),
            ("pytorch_model.bin", bytes(300_000, 3)),
            ("flax_model.msgpack", bytes(3_000, 4)),
            ("README.md", text("# A model")),
            (".gitattributes", text("*.bin filter=lfs")),
        ];
        let files = files.map(|(path, content)| (path.to_owned(), content)).into();
        Self { name: name.to_owned(), commit: COMMIT.to_owned(), files, store: None }
    }

    pub fn with(mut self, path: &str, content: Vec<u8>) -> Self {
        self.files.insert(path.to_owned(), content);
        self
    }

    pub fn without(mut self, path: &str) -> Self {
        self.files.remove(path).unwrap();
        self
    }

    fn found(&self) -> Value {
        json!({
            "id": self.name, "downloads": 7, "gated": "manual", "tags": ["gpt2", "license:mit"],
            "config": { "model_type": "gpt2" }, "safetensors": { "total": 75_000 },
        })
    }

    fn listing(&self) -> Value {
        let siblings: Vec<Value> = self
            .files
            .iter()
            .map(|(path, content)| {
                let mut file = json!({
                    "rfilename": path,
                    "size": content.len(),
                    "blobId": git_blob(content),
                });
                if content.len() >= LARGE {
                    // Then `blobId` is that of the pointer.
                    file["blobId"] = json!(git_blob(b"pointer"));
                    file["lfs"] = json!({
                        "sha256": sha256(content), "size": content.len(), "pointerSize": 134
                    });
                }
                file
            })
            .collect();
        json!({ "id": self.name, "sha": self.commit, "gated": false, "siblings": siblings })
    }
}

impl Server {
    pub fn start(model: Model) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            model: Mutex::new(model),
            faults: Mutex::default(),
            seen: Mutex::default(),
            is_gone: AtomicBool::new(false),
        });
        let shared_there = shared.clone();
        let accept = move || {
            for stream in listener.incoming() {
                if shared_there.is_gone.load(Ordering::Relaxed) {
                    return;
                }
                let (stream, shared) = (stream.unwrap(), shared_there.clone());
                let answer = move || {
                    // The program that asked may have ended.
                    _ = shared.answer(stream);
                };
                thread::Builder::new().spawn(answer).unwrap();
            }
        };
        thread::Builder::new().spawn(accept).unwrap();
        Self { url, shared }
    }

    /// The next so many answers to requests of paths that contain `part` go wrong.
    pub fn spoil(&self, part: &str, times: usize, fault: Fault) {
        self.shared.faults.lock().unwrap().push((part.to_owned(), times, fault));
    }

    pub fn forgive(&self) {
        self.shared.faults.lock().unwrap().clear();
    }

    pub fn change(&self, change: impl FnOnce(&mut Model)) {
        change(&mut self.shared.model.lock().unwrap());
    }

    /// The requests since this was last asked.
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.shared.seen.lock().unwrap())
    }

    /// The settings of somebody who uses this server, and has little patience.
    pub fn settings(&self, cache: &std::path::Path) -> Settings {
        Settings {
            endpoint: self.url.clone(),
            cache: cache.to_owned(),
            token: None,
            is_offline: false,
            has_links: true,
            patience: Patience {
                silence: Duration::from_secs(20),
                first_wait: Duration::from_millis(1),
                longest_wait: Duration::from_secs(5),
                n_tries: 4,
            },
            free_bytes: |_| Ok(u64::MAX),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.is_gone.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        _ = TcpStream::connect(self.url.trim_start_matches("http://"));
    }
}

impl Shared {
    fn answer(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let mut words = line.split_whitespace().map(str::to_owned);
        let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(()) };
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.insert(name.to_lowercase(), value.to_owned());
        }
        let from = headers.get("range").map(|it| {
            let from = it.strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap();
            from.parse::<usize>().unwrap()
        });
        let seen = Seen { method: method.clone(), path: path.clone(), headers };
        self.seen.lock().unwrap().push(seen);
        let fault = self.fault(&path);
        let answer = self.answer_to(&path, from, fault.as_ref());
        send(stream, &answer, method == "HEAD", fault.as_ref())
    }

    fn fault(&self, path: &str) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        let found = faults.iter_mut().find(|(part, times, _)| path.contains(part) && *times > 0)?;
        found.1 -= 1;
        Some(found.2.clone())
    }

    fn answer_to(&self, path: &str, from: Option<usize>, fault: Option<&Fault>) -> Answer {
        let model = self.model.lock().unwrap().clone();
        match fault {
            Some(Fault::Status(status, headers)) => {
                let headers =
                    headers.iter().map(|(name, it)| ((*name).to_owned(), (*it).to_owned()));
                return Answer { status: *status, headers: headers.collect(), content: Vec::new() };
            }
            Some(Fault::Length(length)) if path.starts_with("/api/") => {
                return Answer::new(200, vec![b' '; *length]);
            }
            Some(Fault::WebPage) => {
                return Answer::new(200, b"<!DOCTYPE html><title>Log in</title>".to_vec())
                    .with("content-type", "text/html; charset=utf-8");
            }
            _ => {}
        }
        if let Some(text) = path.strip_prefix("/api/models?search=") {
            let is_found = model.name.contains(text.split('&').next().unwrap());
            let found: Vec<Value> = is_found.then(|| model.found()).into_iter().collect();
            return Answer::new(200, serde_json::to_vec(&found).unwrap());
        }
        let path = path.split('?').next().unwrap();
        if let Some(rest) = path.strip_prefix(&format!("/api/models/{}", model.name)) {
            let is_known = ["", "/revision/main", "/revision/refs%2Fpr%2F1"].contains(&rest)
                || rest == format!("/revision/{}", model.commit);
            if !is_known {
                return Answer::new(404, Vec::new()).with("x-error-code", "RevisionNotFound");
            }
            let content = serde_json::to_vec(&model.listing()).unwrap();
            return Answer::new(200, content).with("content-type", "application/json");
        }
        if let Some(sha) = path.strip_prefix("/store/") {
            let content = model.files.values().find(|it| sha256(it) == sha);
            let content = content.map_or_else(|| b"the old content".to_vec(), Clone::clone);
            return Answer::part(&content, from, fault);
        }
        if let Some((_, file)) = path
            .strip_prefix(&format!("/{}/resolve/", model.name))
            .and_then(|rest| rest.split_once('/'))
        {
            let Some(content) = model.files.get(file) else {
                return Answer::new(404, Vec::new()).with("x-error-code", "EntryNotFound");
            };
            let commit = &model.commit;
            if content.len() < LARGE {
                let etag = format!("\"{}\"", git_blob(content));
                let answer = Answer::part(content, from, fault).with("x-repo-commit", commit);
                return answer.with("etag", &etag);
            }
            let hash = match fault {
                Some(Fault::OtherHash) => sha256(b"other"),
                _ => sha256(content),
            };
            let store = model.store.as_deref().unwrap_or_default();
            let location = format!("{store}/store/{}?signature=secret", sha256(content));
            return Answer::new(302, Vec::new())
                .with("location", &location)
                .with("etag", "\"of the redirect\"")
                .with("x-linked-etag", &format!("\"{hash}\""))
                .with("x-linked-size", &content.len().to_string())
                .with("x-repo-commit", commit);
        }
        Answer::new(401, Vec::new()).with("x-error-code", "RepoNotFound")
    }
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    content: Vec<u8>,
}

impl Answer {
    fn new(status: u16, content: Vec<u8>) -> Self {
        Self { status, headers: Vec::new(), content }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn part(content: &[u8], from: Option<usize>, fault: Option<&Fault>) -> Self {
        let mut content = content.to_vec();
        let total = content.len();
        match fault {
            Some(Fault::Length(length)) => content.resize(*length, 0),
            Some(Fault::WrongByte) => content[total / 2] ^= 1,
            _ => {}
        }
        let mut from = from.filter(|_| !matches!(fault, Some(Fault::NoParts)));
        if matches!(fault, Some(Fault::OtherPart)) {
            from = from.map(|it| it - 1);
        }
        match from {
            None => Self::new(200, content),
            Some(from) if from >= total => Self::new(416, Vec::new()),
            Some(from) => {
                let range = format!("bytes {from}-{}/{}", content.len() - 1, content.len());
                Self::new(206, content[from..].to_vec()).with("content-range", &range)
            }
        }
    }
}

fn send(
    mut stream: TcpStream,
    answer: &Answer,
    is_head: bool,
    fault: Option<&Fault>,
) -> std::io::Result<()> {
    if matches!(fault, Some(Fault::Silence)) {
        thread::sleep(Duration::from_mins(1));
        return Ok(());
    }
    let mut head = Vec::new();
    write!(head, "HTTP/1.1 {} Whatever\r\nconnection: close\r\n", answer.status)?;
    for (name, value) in &answer.headers {
        write!(head, "{name}: {value}\r\n")?;
    }
    write!(head, "content-length: {}\r\n\r\n", answer.content.len())?;
    stream.write_all(&head)?;
    if is_head {
        return Ok(());
    }
    match fault {
        Some(Fault::CutAfter(n)) => {
            stream.write_all(&answer.content[..answer.content.len().min(*n)])
        }
        Some(Fault::Slow(n)) => answer.content.chunks(*n).try_for_each(|chunk| {
            thread::sleep(Duration::from_millis(5));
            stream.write_all(chunk)
        }),
        _ => stream.write_all(&answer.content),
    }
}

/// Downloads with nobody watching.
pub fn get(
    name: &str,
    settings: &Settings,
) -> Result<std::path::PathBuf, factscope::hub::HubError> {
    factscope::hub::get(&name.parse().unwrap(), settings, &TaskCtx::unwatched(), &|_| ())
}

pub fn sha256(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

pub fn git_blob(content: &[u8]) -> String {
    let head = format!("blob {}\0", content.len());
    hex(&Sha1::new().chain_update(head).chain_update(content).finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Bytes that look like no other file's.
pub fn bytes(n: usize, seed: u32) -> Vec<u8> {
    let next = |it: &u32| Some(it.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    std::iter::successors(Some(seed), next).take(n).map(|it| (it >> 24) as u8).collect()
}

fn text(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}
