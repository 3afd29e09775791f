//! The download of a model: what is listed, what is missing, whether there is room, and each file in
//! its turn.

use std::fmt;
use std::path::PathBuf;

use super::amount::size;
use super::client::Client;
use super::listing::{Listing, Needed, RemoteFile};
use super::part::Wanted;
use super::settings::Settings;
use super::store::Store;
use super::tries::Watch;
use super::{CONFIG, HubError, HubName, find, weight_parts};
use crate::task::{Progress, TaskCtx};

/// What a download does now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Asks the hub which files there are.
    Asking,

    /// Downloads files; the progress counts their bytes.
    Downloading {
        n_bytes: u64,
    },
    Waiting(Wait),
}

/// Why a download waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Another program downloads the same file.
    OtherWriter { file: String },

    /// The server wants to be asked later.
    Busy { host: String, seconds: u64 },

    /// The connection was lost.
    Lost { host: String, reason: String },
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asking => f.write_str("Asking the hub"),
            Self::Downloading { n_bytes } => write!(f, "Downloading {}", size(*n_bytes)),
            Self::Waiting(wait) => wait.fmt(f),
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherWriter { file } => {
                write!(f, "Waiting for another program that downloads {file}")
            }
            Self::Busy { host, seconds } => write!(f, "Waiting {seconds} s, as {host} asks"),
            Self::Lost { host, reason } => write!(f, "Trying again: {host}: {reason}"),
        }
    }
}

/// Downloads what the cache lacks of a model, and gives its folder, or the file that its name asks
/// for.
///
/// With the network forbidden, only the cache is looked at.
pub fn get(
    name: &HubName,
    settings: &Settings,
    ctx: &TaskCtx<'_>,
    say: &dyn Fn(Stage),
) -> Result<PathBuf, HubError> {
    if settings.is_offline {
        return find(&name.to_string(), &settings.cache).ok_or_else(|| HubError::Offline {
            name: name.to_string(),
            cache: settings.cache.clone(),
        });
    }
    let client = Client::new(settings)?;
    match get_once(&client, name, ctx, say) {
        // A branch may have moved between the list and the files.
        Err(HubError::Changed { .. }) => get_once(&client, name, ctx, say),
        done => done,
    }
}

fn get_once(
    client: &Client<'_>,
    name: &HubName,
    ctx: &TaskCtx<'_>,
    say: &dyn Fn(Stage),
) -> Result<PathBuf, HubError> {
    let mut watch = Watch { ctx, say, progress: Progress { done: 0, total: 0 } };
    watch.go_on();
    let listing = Listing::ask(client, name, &watch)?;
    let store = Store::new(client.settings, name);
    let commit = &listing.commit;
    let mut files = match listing.needed(name)? {
        Needed::All(files) => files,
        Needed::Indexed { mut others, index } => {
            fetch(client, &store, name, commit, std::slice::from_ref(&index), &mut watch)?;
            let path = store.snapshot(commit).join(&index.path);
            let text =
                std::fs::read_to_string(&path).map_err(|source| HubError::Read { path, source })?;
            let parts = weight_parts(&text).map_err(|reason| HubError::BrokenFile {
                name: name.to_string(),
                file: index.path,
                reason,
            })?;
            for part in parts {
                others.push(listing.file(name, &part)?);
            }
            others
        }
    };
    // A folder without its `config.json` is no model yet, for any program.
    files.sort_by_key(|it| it.path == CONFIG);
    fetch(client, &store, name, commit, &files, &mut watch)?;
    store.note(name, commit)?;
    Ok(name.in_snapshot(store.snapshot(commit)))
}

/// Downloads those files that a snapshot lacks, if there is room for all.
fn fetch(
    client: &Client<'_>,
    store: &Store,
    name: &HubName,
    commit: &str,
    files: &[RemoteFile],
    watch: &mut Watch<'_>,
) -> Result<(), HubError> {
    let missing: Vec<&RemoteFile> = files.iter().filter(|it| !store.has(commit, it)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    store.prepare()?;
    let total = missing.iter().map(|it| it.size).sum();
    let needed: u64 = missing.iter().map(|it| it.size - store.n_bytes(it)).sum();
    let settings = client.settings;
    let free = (settings.free_bytes)(&settings.cache)
        .map_err(|source| HubError::Read { path: settings.cache.clone(), source })?;
    if needed > free {
        let (needed, free) = (size(needed), size(free));
        return Err(HubError::DiskFull { needed, free, cache: settings.cache.clone() });
    }
    watch.progress = Progress { done: 0, total };
    watch.go_on();
    for file in missing {
        let is_new = Wanted { client, store, name, commit, file }.fetch(watch)?;
        store.place(commit, file, is_new)?;
    }
    watch.look()?;
    Ok(())
}
