//! What goes wrong with the hub, each told apart, with what to do.

use std::io;
use std::path::PathBuf;

use crate::task::Cancelled;

#[derive(Debug, thiserror::Error)]
pub enum HubError {
    #[error(transparent)]
    Cancelled(#[from] Cancelled),

    #[error("there is no home folder for Hugging Face's cache; set HF_HOME")]
    NoCache,

    #[error("HF_ENDPOINT is no address: it must begin with https:// or http://: {0}")]
    Endpoint(String),

    #[error("{variable} is no address of a proxy, such as http://proxy:3128: {value}")]
    Proxy { variable: &'static str, value: String },

    #[error("the certificates that {variable} names cannot be read ({reason}): {}", path.display())]
    Certificates { variable: &'static str, path: PathBuf, reason: String },

    #[error(
        "the model {name} is not in the cache, and HF_HUB_OFFLINE says to ask no network; unset it, or \
         copy the model to the cache: {}", cache.display()
    )]
    Offline { name: String, cache: PathBuf },

    #[error("HF_HUB_OFFLINE says to ask no network; unset it to search the hub")]
    SearchOffline,

    #[error("there is no model {name} on {endpoint}, or it is private; {remedy}")]
    NotFound { name: String, endpoint: String, remedy: String },

    #[error(
        "the model {name} is gated: its owners want their terms accepted first; accept them at {page}, \
         then {remedy}"
    )]
    Gated { name: String, page: String, remedy: String },

    #[error(
        "the hub does not know the token from {place}, or it has expired; log in again with `hf auth \
         login`, or set HF_TOKEN"
    )]
    BadToken { place: String },

    #[error("the hub does not let anybody have the model {name}: {reason}; see {page}")]
    Forbidden { name: String, page: String, reason: String },

    #[error("the model {name} has no branch, tag or commit `{revision}`; see {page}/tree/main")]
    NoRevision { name: String, revision: String, page: String },

    #[error("the model {name} has no file `{file}`; {there}")]
    NoFile { name: String, file: String, there: String },

    #[error("{name} is no model that can be opened: it has no {lacks}; {there}")]
    NoModel { name: String, lacks: &'static str, there: String },

    #[error("the file `{file}` of {name} is broken: {reason}")]
    BrokenFile { name: String, file: String, reason: String },

    #[error(
        "{host} does not want to be asked now (HTTP {status}); it says to come back after {wait}"
    )]
    Busy { host: String, status: u16, wait: String },

    #[error("HTTP {status} from {host}: {reason}")]
    Status { status: u16, host: String, reason: String },

    #[error("{host} cannot be reached: {reason}; {remedy}")]
    Unreachable { host: String, reason: String, remedy: &'static str },

    #[error(
        "{host} answers with a web page where {what} should be; a login page or a proxy may stand \
         between, or HF_ENDPOINT is no hub"
    )]
    WebPage { host: String, what: String },

    #[error("{host} answers what no hub answers ({reason}); is HF_ENDPOINT a hub?")]
    NoHub { host: String, reason: String },

    #[error("{host} sends {url} elsewhere without encryption, which is refused")]
    Downgrade { host: String, url: String },

    #[error(
        "the disk has {free} free and the download needs {needed}; free some, or put the cache elsewhere \
         with HF_HOME: {}", cache.display()
    )]
    DiskFull { needed: String, free: String, cache: PathBuf },

    #[error("the file `{file}` changed on the hub while it was downloaded; try again")]
    Changed { file: String },

    #[error(
        "the file `{file}` has {expected} bytes by the hub's list, but {host} sends {found}; a proxy may \
         stand between, or the list is wrong; nothing was kept"
    )]
    WrongSize { file: String, host: String, expected: u64, found: u64 },

    #[error(
        "what was downloaded as `{file}` is not what the hub lists (hash {expected}, found {found}); it \
         was thrown away; try again, and if it stays so, a proxy changes it"
    )]
    WrongHash { file: String, expected: String, found: String },

    #[error(
        "the download of `{file}` was cut off {n_tries} times without progress ({reason}); {kept} are \
         kept: the same command goes on from there"
    )]
    CutOff { file: String, n_tries: u32, reason: String, kept: String },

    #[error("cannot write ({source}): {}", path.display())]
    Write { path: PathBuf, source: io::Error },

    #[error("cannot read ({source}): {}", path.display())]
    Read { path: PathBuf, source: io::Error },

    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}
