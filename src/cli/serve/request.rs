//! A request that is being carried out: how its command hears that it is to stop, tells how far it is, and
//! gives back what it found.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::Deserialize;
use serde_json::{Value, json};

use super::kept::Kept;
use super::{Kind, Line, Replies};
use crate::figure::FileFormat;
use crate::task::{CancelToken, Progress};

/// A form in which a result comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::cli) enum Want {
    /// What `--json` prints, as `result`.
    Json,

    /// What the command prints for a person, as `text`.
    Text,

    /// What `--save-spec` writes, as `spec`.
    Spec,

    /// The figure as SVG, as `svg`.
    Svg,

    /// Files of the figure in base64.
    Pdf,
    Png,
    Npz,
}

impl Want {
    /// The figure's file that is wanted.
    fn file(self) -> Option<(&'static str, FileFormat)> {
        match self {
            Self::Json | Self::Text | Self::Spec => None,
            Self::Svg => Some(("svg", FileFormat::Svg)),
            Self::Pdf => Some(("pdf", FileFormat::Pdf)),
            Self::Png => Some(("png", FileFormat::Png)),
            Self::Npz => Some(("npz", FileFormat::Npz)),
        }
    }
}

#[derive(Debug)]
pub(in crate::cli) struct Request {
    id: Value,
    want: Vec<Want>,

    /// What the command reads in place of standard input.
    pub input: Option<String>,

    /// The earlier request whose results may be given again.
    pub of: Option<Value>,
    pub cancel: CancelToken,
    pub kept: Rc<Kept>,
    replies: Replies,

    /// What was printed so far.
    printed: RefCell<Option<String>>,

    /// What was found so far: keys of the reply with their JSON, which goes out as it is. Were it read
    /// and written again, the last digits of numbers could change.
    found: RefCell<Vec<(&'static str, String)>>,
}

impl Request {
    pub(super) fn new(line: Line, cancel: CancelToken, replies: Replies, kept: Rc<Kept>) -> Self {
        let Line { id, want, input, of, .. } = line;
        let want = want.unwrap_or_else(|| vec![Want::Json]);
        let (printed, found) = (RefCell::default(), RefCell::default());
        Self { id, want, input, of, cancel, kept, replies, printed, found }
    }

    pub fn id(&self) -> &Value {
        &self.id
    }

    pub fn wants(&self, want: Want) -> bool {
        self.want.contains(&want)
    }

    /// The files of a figure that are wanted.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, FileFormat)> {
        self.want.iter().filter_map(|it| it.file())
    }

    /// Adds to the text of the reply.
    pub fn print(&self, text: &str) {
        self.printed.borrow_mut().get_or_insert_default().push_str(text);
    }

    /// Adds to the reply. `json`: one value.
    pub fn give(&self, key: &'static str, json: String) {
        self.found.borrow_mut().push((key, json));
    }

    /// Gives a figure's file: SVG as it is, all others in base64.
    pub fn give_file(&self, key: &'static str, format: FileFormat, bytes: &[u8]) {
        let text = match format {
            FileFormat::Svg => String::from_utf8_lossy(bytes).into_owned(),
            _ => BASE64_STANDARD.encode(bytes),
        };
        self.give(key, Value::from(text).to_string());
    }

    /// The whole reply, with what was found before a failure.
    pub(super) fn reply(&self, failure: Option<(Kind, String)>) -> String {
        let text = self.printed.take().map(|it| ("text", Value::from(it).to_string()));
        let failure = failure.map(|(kind, error)| {
            [
                ("error", Value::from(error).to_string()),
                ("kind", Value::from(kind.text()).to_string()),
            ]
        });
        let id = [("id", self.id.to_string())];
        let all = id.into_iter().chain(self.found.take()).chain(text);
        let all = all.chain(failure.into_iter().flatten());
        let all: Vec<String> = all.map(|(key, json)| format!("\"{key}\":{json}")).collect();
        format!("{{{}}}", all.join(","))
    }

    /// Says something beside the result, such as what the columns of a dataset were taken for.
    pub fn note(&self, text: &str) {
        self.send(&json!({ "id": self.id, "note": text }));
    }

    /// Tells how far the work is. `left`: the time that it will still take, if that is known.
    pub fn progress(&self, Progress { done, total }: Progress, what: &str, left: Option<Duration>) {
        let left = left.map(|it| it.as_secs_f64());
        let progress = json!({ "done": done, "total": total, "what": what, "seconds_left": left });
        self.send(&json!({ "id": self.id, "progress": progress }));
    }

    /// Where nobody reads any more, nobody waits for the result either.
    fn send(&self, line: &Value) {
        if self.replies.send(&line.to_string()).is_err() {
            self.cancel.cancel();
        }
    }
}
