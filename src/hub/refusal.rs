//! What a refusal of the hub means, and what to do about it.

use super::client::{Client, Stream};
use super::tries::Trouble;
use super::{HubError, HubName, address};

const LOG_IN: &str = "log in with `hf auth login`, or set HF_TOKEN";

/// What is asked for, to be named where it is refused.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub name: &'a HubName,

    /// `None` is the list of files.
    pub file: Option<&'a str>,
}

impl Client<'_> {
    /// The trouble that the status of a refusal stands for. A status that is no refusal passes.
    pub(super) fn refuse(&self, stream: &Stream, asked: Option<Asked<'_>>) -> Result<(), Trouble> {
        let (status, host) = (stream.status, stream.host.clone());
        // 416: there is nothing from that byte on.
        if matches!(status, 200 | 206 | 416) {
            return Ok(());
        }
        let code = stream.header("x-error-code").unwrap_or_default();
        let said = stream.header("x-error-message").unwrap_or_default();
        let is_home = address::host(&self.settings.endpoint) == host;
        let token = self.settings.token.as_ref();
        match (status, code) {
            (429 | 503, _) => {
                let wait = stream.retry_after();
                return Err(Trouble::Busy { host, status, wait });
            }
            (408 | 500 | 502 | 504, _) => {
                return Err(Trouble::Lost { host, reason: format!("HTTP {status}") });
            }
            // The address of a content is good for some time, and the hub gives a new one.
            (401 | 403, "") if !is_home => {
                return Err(Trouble::Lost { host, reason: format!("HTTP {status}") });
            }
            (401, _) if said.starts_with("Invalid credentials") => {
                if let Some(token) = token {
                    return Err(HubError::BadToken { place: token.place.clone() }.into());
                }
            }
            _ => {}
        }
        let or = |said: &str, otherwise: &str| {
            if said.is_empty() { otherwise.to_owned() } else { said.to_owned() }
        };
        let Some(Asked { name: asked, file }) = asked else {
            stream.refuse_web_page("an answer of the hub")?;
            let reason = or(said, "without a reason");
            return Err(HubError::Status { status, host, reason }.into());
        };
        let (name, page) = (asked.to_string(), self.settings.page(&asked.repo));
        let error = match (status, code) {
            (_, "GatedRepo") => HubError::Gated {
                name,
                page,
                remedy: token.map_or_else(
                    || LOG_IN.to_owned(),
                    |it| {
                        format!(
                            "wait for their consent, and see that the token from {} is of the \
                             account that asked and may read gated models",
                            it.place
                        )
                    },
                ),
            },
            (_, "RevisionNotFound") => {
                HubError::NoRevision { name, revision: asked.revision().to_owned(), page }
            }
            (_, "EntryNotFound") => HubError::NoFile {
                name,
                file: file.unwrap_or("list of files").to_owned(),
                there: format!("see {page}/tree/{}", asked.revision()),
            },
            (401 | 404, "") if file.is_none() && stream.is_web_page() => {
                stream.web_page("an answer of the hub")
            }
            (401, _) | (_, "RepoNotFound") | (404, "") => HubError::NotFound {
                name,
                endpoint: self.settings.endpoint.clone(),
                remedy: token.map_or_else(
                    || format!("if it is private, {LOG_IN}"),
                    |it| format!("the token from {} does not let you see it", it.place),
                ),
            },
            (403, _) => {
                HubError::Forbidden { name, page, reason: or(said, "HTTP 403, without a reason") }
            }
            _ => HubError::Status { status, host, reason: or(said, "without a reason") },
        };
        Err(error.into())
    }
}
