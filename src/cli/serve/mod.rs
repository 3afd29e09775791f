//! Requests of another program, a line of JSON each, carried out as the commands are: the models that they
//! ask stay open in between.
//!
//! A thread reads the requests, so that one can be cancelled while it runs; they are carried out one after
//! the other, in the order in which they came.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::commands::Command;
use super::machine::Machine;
use super::{Cli, parsed, told};
use crate::task::CancelToken;

mod describe;
mod kept;
mod request;

pub(super) use describe::described;
use kept::Kept;
pub(super) use kept::ModelKey;
pub(super) use request::{Request, Want};

/// What requests are told from each other by: the `id` as JSON.
type Id = String;

/// A line of the other program.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    /// What the replies are marked with: a number or a text.
    id: Value,

    /// The words of a command, as they follow the program's name.
    argv: Option<Vec<String>>,

    /// What the command reads where it would read its standard input.
    #[serde(default)]
    input: Option<String>,

    /// The folder in which relative paths are meant from now on.
    #[serde(default)]
    cwd: Option<PathBuf>,

    /// The forms in which the result comes back.
    #[serde(default)]
    want: Option<Vec<Want>>,

    /// An earlier request that asked the same: what it found is given again if it is still kept.
    #[serde(default)]
    of: Option<Value>,

    /// Asks which commands there are.
    #[serde(default)]
    describe: bool,

    /// The `id` of a request that is to stop.
    #[serde(default)]
    cancel: Option<Value>,
}

/// Why a request has no result.
#[derive(Clone, Copy)]
enum Kind {
    /// It is no request, or its flags are wrong: the command would exit with 2.
    Usage,

    /// The command failed.
    Failed,

    /// It was cancelled.
    Cancelled,
}

impl Kind {
    /// The reply to a request that has no result.
    fn reply(self, id: &Value, message: &str) -> String {
        json!({ "id": id, "error": message, "kind": self.text() }).to_string()
    }

    fn text(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A request that waits for its turn.
struct Asked {
    line: Line,
    argv: Vec<String>,
    cancel: CancelToken,
}

/// Standard output, which both threads write whole lines to.
#[derive(Clone, Debug, Default)]
pub(super) struct Replies(Arc<Mutex<()>>);

impl Replies {
    /// Writes a line.
    fn send(&self, line: &str) -> std::io::Result<()> {
        let _whole = locked(&self.0);
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(format!("{line}\n").as_bytes())?;
        stdout.flush()
    }

    fn error(&self, id: &Value, kind: Kind, message: &str) -> std::io::Result<()> {
        self.send(&kind.reply(id, message))
    }
}

/// The requests that wait or run, each with how it is stopped.
type Pending = Arc<Mutex<BTreeMap<Id, CancelToken>>>;

/// A panic of the other thread leaves what is locked here whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Carries out requests until there are no more.
pub(super) fn serve(machine: &Machine) -> anyhow::Result<()> {
    let (replies, pending) = (Replies::default(), Pending::default());
    let (send, asked) = channel();
    let (replies_then, pending_then) = (replies.clone(), Arc::clone(&pending));
    thread::Builder::new()
        .name("requests".to_owned())
        .spawn(move || read(&replies_then, &pending_then, &send))
        .context("no thread to read requests with")?;
    let kept = Rc::new(Kept::default());
    for Asked { line, argv, cancel } in asked {
        let id = line.id.to_string();
        let reply = answer(line, argv, &cancel, machine, &replies, &kept);
        // An answer that was given cannot be cancelled any more.
        locked(&pending).remove(&id);
        replies.send(&reply)?;
    }
    Ok(())
}

/// Reads requests to the end of standard input. Ends early where nobody reads the replies.
fn read(replies: &Replies, pending: &Pending, send: &Sender<Asked>) {
    let mut stdin = std::io::stdin().lock();
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        match stdin.read_until(b'\n', &mut bytes) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        if take(&bytes, replies, pending, send).is_err() {
            return;
        }
    }
}

/// Takes one line: answers it at once, or hands it on.
fn take(
    bytes: &[u8],
    replies: &Replies,
    pending: &Pending,
    send: &Sender<Asked>,
) -> std::io::Result<()> {
    let refuse = |id: &Value, why: &str| replies.error(id, Kind::Usage, why);
    let mut line: Line = match serde_json::from_slice(bytes) {
        Ok(line) => line,
        Err(error) => {
            let id = serde_json::from_slice::<Map<String, Value>>(bytes).ok();
            let id = id.and_then(|it| it.get("id").cloned()).unwrap_or_default();
            return refuse(&id, &format!("this line is no request: {error}"));
        }
    };
    if !(line.id.is_number() || line.id.is_string()) {
        return refuse(&line.id, "the `id` of a request is a number or a text");
    }
    let argv = line.argv.take();
    let is_one = [argv.is_some(), line.describe, line.cancel.is_some()];
    if is_one.iter().filter(|it| **it).count() != 1 {
        return refuse(&line.id, "a request has one of `argv`, `describe` and `cancel`");
    }
    if let Some(other) = &line.cancel {
        let found = locked(pending).get(&other.to_string()).map(CancelToken::cancel);
        let reply = json!({ "id": line.id, "result": found.is_some() });
        return replies.send(&reply.to_string());
    }
    let Some(argv) = argv else {
        let reply = json!({ "id": line.id, "result": described() });
        return replies.send(&reply.to_string());
    };
    let cancel = CancelToken::default();
    {
        let mut pending = locked(pending);
        let id = line.id.to_string();
        if pending.contains_key(&id) {
            drop(pending);
            return refuse(&line.id, "a request with this `id` has no answer yet");
        }
        pending.insert(id, cancel.clone());
    }
    send.send(Asked { line, argv, cancel }).map_err(|_gone| std::io::ErrorKind::BrokenPipe.into())
}

/// What is said of a panic.
const A_FAULT: &str =
    "this is a fault of the program; please report it with the lines on standard error";

/// Carries out a request.
fn answer(
    line: Line,
    argv: Vec<String>,
    cancel: &CancelToken,
    machine: &Machine,
    replies: &Replies,
    kept: &Rc<Kept>,
) -> String {
    let id = line.id.clone();
    let error = |kind: Kind, message: &str| kind.reply(&id, message);
    if cancel.is_cancelled() {
        return error(Kind::Cancelled, "cancelled");
    }
    if let Some(dir) = &line.cwd
        && let Err(why) = std::env::set_current_dir(dir)
    {
        return error(Kind::Usage, &format!("there is no such folder: {why}: {}", dir.display()));
    }
    let typed: Vec<OsString> =
        ["factscope".to_owned()].into_iter().chain(argv).map(OsString::from).collect();
    let cli = match parsed(&typed) {
        Ok(cli) => cli,
        Err(message) if !message.use_stderr() => {
            return json!({ "id": id, "text": message.to_string() }).to_string();
        }
        Err(message) => return error(Kind::Usage, in_words(&message.to_string())),
    };
    let (command, own) = match served(cli, machine) {
        Ok(served) => served,
        Err(why) => return error(Kind::Usage, &why),
    };
    let request = Rc::new(Request::new(line, cancel.clone(), replies.clone(), Rc::clone(kept)));
    let machine = own.working_for(Rc::clone(&request));
    // The message and place of a panic are printed when it happens.
    let outcome = catch_unwind(AssertUnwindSafe(|| command.run(&machine)));
    let failure = match outcome {
        Ok(Ok(())) => return request.reply(None),
        Ok(Err(_)) if cancel.is_cancelled() => (Kind::Cancelled, "cancelled".to_owned()),
        Ok(Err(why)) => (Kind::Failed, told(&why)),
        Err(_) => (Kind::Failed, A_FAULT.to_owned()),
    };
    request.reply(Some(failure))
}

/// The command of a request and its flags, if it is one for another program.
fn served(cli: Cli, machine: &Machine) -> Result<(Command, Machine), String> {
    let Some(command) = cli.command else {
        return Err("name a command; `{\"id\": 1, \"describe\": true}` lists them".to_owned());
    };
    if cli.machine.threads.is_some() {
        return Err("--threads is said once, where `serve` is started".to_owned());
    }
    if !command.is_served() {
        return Err("a request opens no window and serves nobody; start another process".to_owned());
    }
    let mut own = cli.machine;
    own.quiet |= machine.quiet;
    Ok((command, own))
}

/// What clap says, without the word that every of its messages begins with.
fn in_words(message: &str) -> &str {
    message.strip_prefix("error: ").unwrap_or(message).trim_end()
}
