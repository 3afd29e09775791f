//! What the environment says of the hub, as `huggingface_hub` reads it.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fmt, fs, io};

use super::{HubError, cache, given, home};

/// Where the hub and the cache are, and as whom the hub is asked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `HF_ENDPOINT`, without a slash at its end.
    pub endpoint: String,

    /// The folder that [`cache`] names.
    pub cache: PathBuf,
    pub token: Option<Token>,

    /// No network may be asked: `HF_HUB_OFFLINE`.
    pub is_offline: bool,

    /// Snapshots hold links to blobs. Otherwise they hold the files: `HF_HUB_DISABLE_SYMLINKS`.
    pub has_links: bool,
    pub patience: Patience,

    /// The bytes that are free where a folder is.
    pub free_bytes: fn(&Path) -> io::Result<u64>,
}

/// Who asks. It is sent to the hub alone, and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    pub(super) secret: String,

    /// Where it stands: a variable or a file.
    pub place: String,
}

/// How long a server is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// A server that sends nothing for so long has gone.
    pub silence: Duration,

    /// The wait before the second try; it doubles with each.
    pub first_wait: Duration,

    /// The longest wait that a server may ask for.
    pub longest_wait: Duration,

    /// The tries in a row that bring nothing before a download is given up.
    pub n_tries: u32,
}

impl Settings {
    /// What the environment says.
    pub fn from_env() -> Result<Self, HubError> {
        let endpoint = text("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        if !["http://", "https://"].iter().any(|scheme| endpoint.starts_with(scheme)) {
            return Err(HubError::Endpoint(endpoint));
        }
        Ok(Self {
            endpoint,
            cache: cache().ok_or(HubError::NoCache)?,
            token: Token::from_env(),
            is_offline: is_on("HF_HUB_OFFLINE"),
            has_links: !is_on("HF_HUB_DISABLE_SYMLINKS"),
            patience: Patience::default(),
            free_bytes: |dir| fs4::available_space(dir),
        })
    }

    /// The page of a model that a person opens in a browser.
    pub(super) fn page(&self, repo: &str) -> String {
        format!("{}/{repo}", self.endpoint)
    }
}

impl Token {
    pub fn new(secret: &str, place: &str) -> Self {
        Self { secret: secret.to_owned(), place: place.to_owned() }
    }

    /// `HF_TOKEN`, else the file that `hf auth login` leaves.
    fn from_env() -> Option<Self> {
        if is_on("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
            return None;
        }
        let named = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]
            .into_iter()
            .find_map(|name| Some(Self::new(text(name)?.trim(), name)));
        named.or_else(|| {
            let path = given("HF_TOKEN_PATH").map(PathBuf::from);
            let path = path.or_else(|| Some(home()?.join("token")))?;
            let secret = fs::read_to_string(&path).ok()?;
            Some(Self::new(secret.trim(), &path.display().to_string()))
                .filter(|it| !it.secret.is_empty())
        })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token from {}", self.place)
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(30),
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_mins(5),
            n_tries: 6,
        }
    }
}

fn text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|it| !it.trim().is_empty())
}

fn is_on(name: &str) -> bool {
    text(name).is_some_and(|it| ["1", "ON", "YES", "TRUE"].contains(&it.to_uppercase().as_str()))
}
