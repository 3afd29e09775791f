//! What the hub lists of a model: its commit, its files with sizes and hashes; and which of them are
//! needed.

use serde::Deserialize;

use super::client::Client;
use super::name::is_file_path;
use super::refusal::Asked;
use super::tries::Watch;
use super::{CONFIG, HubError, HubName, WEIGHTS};

/// The files beside the weights that the program reads, where the model has them.
const SMALL: [&str; 4] =
    [CONFIG, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"];

/// The vocabularies, the most wanted first.
const VOCABULARIES: [&[&str]; 3] =
    [&["tokenizer.json"], &["vocab.json", "merges.txt"], &["tokenizer.model"]];

/// A revision of a model.
pub(super) struct Listing {
    /// 40 hexadecimal digits.
    pub commit: String,
    pub files: Vec<RemoteFile>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RemoteFile {
    /// With `/` between folders.
    pub path: String,

    /// In bytes.
    pub size: u64,
    pub hash: Hash,
}

/// How a file's content is known; in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    /// Of large files: SHA-256.
    Sha256(String),

    /// Of small files: SHA-1 as git counts it, with the length before the content.
    GitBlob(String),
}

impl Hash {
    /// The name of the content in a cache.
    pub fn name(&self) -> &str {
        let (Self::Sha256(name) | Self::GitBlob(name)) = self;
        name
    }
}

/// Which files are needed, as far as it is known.
pub(super) enum Needed {
    All(Vec<RemoteFile>),

    /// The index names the weights; it must be read first.
    Indexed {
        others: Vec<RemoteFile>,
        index: RemoteFile,
    },
}

#[derive(Deserialize)]
struct ModelJson {
    sha: String,
    #[serde(default)]
    siblings: Vec<FileJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileJson {
    rfilename: String,
    size: Option<u64>,
    blob_id: Option<String>,
    lfs: Option<LfsJson>,
}

#[derive(Deserialize)]
struct LfsJson {
    sha256: String,
    size: u64,
}

impl Listing {
    /// Asks the hub.
    pub fn ask(client: &Client<'_>, name: &HubName, watch: &Watch<'_>) -> Result<Self, HubError> {
        let endpoint = &client.settings.endpoint;
        let revision = name.revision().replace('/', "%2F").replace('+', "%2B");
        let url = format!("{endpoint}/api/models/{}/revision/{revision}?blobs=true", name.repo);
        let text = client.text(&url, Some(Asked { name, file: None }), watch)?;
        Self::read(&text).map_err(|reason| HubError::NoHub { host: endpoint.clone(), reason })
    }

    fn read(text: &str) -> Result<Self, String> {
        let json: ModelJson =
            serde_json::from_str(text).map_err(|error| format!("its list of files: {error}"))?;
        let commit = json.sha;
        if !is_hex(&commit, 40) {
            return Err(format!("its list of files: no commit: {commit}"));
        }
        // Files of other names are none that the program reads.
        let files = json.siblings.into_iter().filter(|it| is_file_path(&it.rfilename));
        let files = files.map(|it| {
            let (hash, size) = match (it.lfs, it.blob_id) {
                (Some(lfs), _) if is_hex(&lfs.sha256, 64) => {
                    (Some(Hash::Sha256(lfs.sha256)), Some(lfs.size))
                }
                (None, Some(id)) if is_hex(&id, 40) => (Some(Hash::GitBlob(id)), it.size),
                _ => (None, None),
            };
            let path = it.rfilename;
            match (hash, size) {
                (Some(hash), Some(size)) => Ok(RemoteFile { path, size, hash }),
                _ => Err(format!("its list of files: neither size nor hash of `{path}`")),
            }
        });
        Ok(Self { commit, files: files.collect::<Result<_, _>>()? })
    }

    /// The files that opening the model needs.
    pub fn needed(&self, name: &HubName) -> Result<Needed, HubError> {
        if let Some(file) = &name.file {
            return Ok(Needed::All(vec![self.file(name, file)?]));
        }
        let find = |path: &str| self.files.iter().find(|it| it.path == path).cloned();
        let lacks = |lacks| {
            Err(HubError::NoModel {
                name: name.to_string(),
                lacks,
                there: self.what_is_there(name),
            })
        };
        if find(CONFIG).is_none() {
            return lacks("config.json");
        }
        let vocabulary = VOCABULARIES.iter().find(|it| it.iter().all(|it| find(it).is_some()));
        let small = SMALL.iter().chain(vocabulary.copied().unwrap_or_default());
        let mut others: Vec<RemoteFile> = small.filter_map(|it| find(it)).collect();
        for (single, index) in WEIGHTS {
            if let Some(weights) = find(single) {
                others.push(weights);
                return Ok(Needed::All(others));
            }
            if let Some(index) = find(index) {
                return Ok(Needed::Indexed { others, index });
            }
        }
        lacks("weights (model.safetensors or pytorch_model.bin, or an index of its parts)")
    }

    /// A file of the model.
    pub fn file(&self, name: &HubName, file: &str) -> Result<RemoteFile, HubError> {
        self.files.iter().find(|it| it.path == file).cloned().ok_or_else(|| HubError::NoFile {
            name: name.to_string(),
            file: file.to_owned(),
            there: self.what_is_there(name),
        })
    }

    /// The GGUF files, which one must be chosen of.
    fn what_is_there(&self, name: &HubName) -> String {
        let is_gguf = |it: &&RemoteFile| it.path.to_ascii_lowercase().ends_with(".gguf");
        let found: Vec<&str> =
            self.files.iter().filter(is_gguf).map(|it| it.path.as_str()).collect();
        match found.as_slice() {
            [] => "it has no GGUF file either".to_owned(),
            [first, ..] => format!(
                "its GGUF files are asked for by name, as {}:{first}; there are: {}",
                name.repo,
                found.join(", ")
            ),
        }
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.chars().all(|it| matches!(it, '0'..='9' | 'a'..='f'))
}
