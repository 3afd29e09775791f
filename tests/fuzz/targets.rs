//! What is fuzzed: each reader of the program, with the form in which it is given an input.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use factscope::experiment::Written;
use factscope::facts::Dataset;
use factscope::figure::carried;
use factscope::hub::{get, search};
use factscope::model::{Checkpoint, ComputeDevice, SecondMoment, Transformer};
use factscope::noise_file;
use factscope::population::{Manifest, Population, Wanted};
use factscope::session::Session;
use factscope::task::TaskCtx;
use factscope::tokens::Tokenizer;

use crate::forms::{archive, png, session};
use crate::hub::{answer, settings};
use crate::{seeds, words};

/// A reader.
pub struct Target {
    pub name: &'static str,

    /// Inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,

    /// Words of the format.
    pub words: &'static [&'static str],

    /// Lays out what is read beside an input, once.
    pub beside: fn(&Path),

    /// Lays out an input, and says how many bytes the reader finds.
    pub place: fn(&Path, &[u8]) -> usize,

    /// Reads what lies in a folder, and does with it what the program does first.
    pub read: fn(&Path),
}

/// The files of a tokenizer.
pub const TOKENIZER_FILES: [&str; 7] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "added_tokens.json",
    "special_tokens_map.json",
    "config.json",
    "vocab.json",
    "merges.txt",
];

pub static TARGETS: &[Target] = &[
    Target {
        name: "facts-json",
        seeds: seeds::json_facts,
        words: words::FACTS,
        beside: |_| (),
        place: |dir, it| file(dir, "facts", it),
        read: facts,
    },
    Target {
        name: "facts-table",
        seeds: seeds::table_facts,
        words: words::FACTS,
        beside: |_| (),
        place: |dir, it| file(dir, "facts", it),
        read: facts,
    },
    Target {
        name: "facts-parquet",
        seeds: seeds::parquet_facts,
        words: words::FACTS,
        beside: |_| (),
        place: |dir, it| file(dir, "facts", it),
        read: facts,
    },
    Target {
        name: "config",
        seeds: || {
            let families = seeds::folders("families");
            let formats = ["formats/safetensors".to_owned()];
            let all = formats.iter().chain(&families);
            all.flat_map(|it| seeds::fixtures(it, "config.json")).collect()
        },
        words: words::CONFIG,
        beside: |dir| copy(dir, "formats/safetensors", &["model.safetensors"]),
        place: |dir, it| file(dir, "config.json", it),
        read: open,
    },
    Target {
        name: "safetensors",
        seeds: || seeds::fixtures("formats/safetensors", ".safetensors"),
        words: words::TENSORS,
        beside: |dir| copy(dir, "formats/safetensors", &["config.json"]),
        place: |dir, it| file(dir, "model.safetensors", it),
        read: open,
    },
    Target {
        name: "safetensors-header",
        seeds: seeds::headers,
        words: words::TENSORS,
        beside: |dir| copy(dir, "formats/safetensors", &["config.json"]),
        place: |dir, it| {
            let whole = [&(it.len() as u64).to_le_bytes(), it, &[0; 10_000]].concat();
            file(dir, "model.safetensors", &whole)
        },
        read: open,
    },
    Target {
        name: "safetensors-index",
        seeds: || seeds::fixtures("formats/sharded-safetensors", ".index.json"),
        words: words::TENSORS,
        beside: |dir| {
            let names = [
                "config.json",
                "model-00001-of-00002.safetensors",
                "model-00002-of-00002.safetensors",
            ];
            copy(dir, "formats/sharded-safetensors", &names);
        },
        place: |dir, it| file(dir, "model.safetensors.index.json", it),
        read: open,
    },
    Target {
        name: "pytorch",
        seeds: || {
            let folders = ["formats/pytorch", "formats/pytorch-wide", "formats/refused"];
            folders.into_iter().flat_map(|it| seeds::fixtures(it, ".bin")).collect()
        },
        words: words::PICKLE,
        beside: |dir| copy(dir, "formats/pytorch", &["config.json"]),
        place: |dir, it| file(dir, "pytorch_model.bin", it),
        read: open,
    },
    Target {
        name: "pytorch-old",
        seeds: || seeds::fixtures("formats/pytorch-old", ".bin"),
        words: words::PICKLE,
        beside: |dir| copy(dir, "formats/pytorch-old", &["config.json"]),
        place: |dir, it| file(dir, "pytorch_model.bin", it),
        read: open,
    },
    Target {
        name: "pytorch-pickle",
        seeds: seeds::pickles,
        words: words::PICKLE,
        beside: |dir| copy(dir, "formats/pytorch", &["config.json"]),
        place: |dir, it| {
            let files = [("x/data.pkl", it), ("x/data/0", &[0; 4096][..]), ("x/data/1", &[0; 64])];
            file(dir, "pytorch_model.bin", &archive(&files))
        },
        read: open,
    },
    Target {
        name: "gguf",
        seeds: || {
            let folders = ["formats/gguf", "formats/gguf-families"];
            folders.into_iter().flat_map(|it| seeds::fixtures(it, ".gguf")).collect()
        },
        words: words::GGUF,
        beside: |_| (),
        place: |dir, it| file(dir, "model.gguf", it),
        read: |dir| {
            let path = dir.join("model.gguf");
            open(&path);
            tokenizer(&path);
        },
    },
    Target {
        name: "tokenizer",
        seeds: || seeds::folders("tokenizers").iter().map(|it| seeds::folder(it)).collect(),
        words: words::TOKENIZER,
        beside: |_| (),
        place: folder,
        read: tokenizer,
    },
    Target {
        name: "npy",
        seeds: seeds::arrays,
        words: words::NPY,
        beside: |_| (),
        place: |dir, it| file(dir, "noise.npy", it),
        read: |dir| noise(&dir.join("noise.npy")),
    },
    Target {
        name: "npz",
        seeds: || seeds::fixtures("noise", ".npz"),
        words: words::NPY,
        beside: |_| (),
        place: |dir, it| file(dir, "noise.npz", it),
        read: |dir| noise(&dir.join("noise.npz")),
    },
    Target {
        name: "npz-array",
        seeds: seeds::arrays,
        words: words::NPY,
        beside: |_| (),
        place: |dir, it| file(dir, "noise.npz", &archive(&[("noise.npy", it)])),
        read: |dir| noise(&dir.join("noise.npz")),
    },
    Target {
        name: "second-moment",
        seeds: seeds::second_moments,
        words: words::TENSORS,
        beside: |_| (),
        place: |dir, it| file(dir, "mom2.safetensors", it),
        read: |dir| say(SecondMoment::load(&dir.join("mom2.safetensors"), 2)),
    },
    Target {
        name: "spec",
        seeds: seeds::specs,
        words: words::SPEC,
        beside: |_| (),
        place: |dir, it| file(dir, "spec.json", it),
        read: |dir| {
            let read = Written::load(&dir.join("spec.json"));
            if let Ok(written) = &read {
                assert!(written.asks_as(written));
                let text = written.outline.to_json().unwrap();
                let again = Written::parse(&text, dir).unwrap();
                assert_eq!(again.outline.to_json().unwrap(), text);
            }
            say(read);
        },
    },
    Target {
        name: "session",
        seeds: || seeds::sessions().iter().map(|it| session(it)).collect(),
        words: &["factscope"],
        beside: |_| (),
        place: |dir, it| file(dir, "x.factscope", it),
        read: |dir| say(Session::load(&dir.join("x.factscope"))),
    },
    Target {
        name: "session-data",
        seeds: seeds::sessions,
        words: &[
            "model",
            "found",
            "facts",
            "spec",
            "result",
            "prompt",
            "tokenizer",
            "config",
            "edits",
        ],
        beside: |_| (),
        place: |dir, it| file(dir, "x.factscope", &session(it)),
        read: |dir| say(Session::load(&dir.join("x.factscope"))),
    },
    Target {
        name: "sweep-manifest",
        seeds: || seeds::texts(&[seeds::MANIFEST]),
        words: words::SPEC,
        beside: |dir| _ = file(dir, "part-000001.parquet", &seeds::parts()[0]),
        place: |dir, it| file(dir, Manifest::FILE, it),
        read: sweep,
    },
    Target {
        name: "sweep-part",
        seeds: seeds::parts,
        words: words::FACTS,
        beside: |dir| _ = file(dir, Manifest::FILE, seeds::MANIFEST.as_bytes()),
        place: |dir, it| file(dir, "part-000001.parquet", it),
        read: sweep,
    },
    Target {
        name: "picture",
        seeds: seeds::pictures,
        words: words::PICTURE,
        beside: |_| (),
        place: |dir, it| file(dir, "picture", it),
        read: picture,
    },
    Target {
        name: "picture-record",
        seeds: || seeds::texts(&[seeds::RECORD]),
        words: words::PICTURE,
        beside: |_| (),
        place: |dir, it| file(dir, "picture", &png(it)),
        read: picture,
    },
    Target {
        name: "hub-models",
        seeds: seeds::hub_answers,
        words: words::HUB,
        beside: |_| (),
        place: answer,
        read: |dir| {
            say(search("b", &settings(dir), &TaskCtx::unwatched()));
        },
    },
    Target {
        name: "hub-files",
        seeds: seeds::hub_answers,
        words: words::HUB,
        beside: |_| (),
        place: answer,
        read: |dir| {
            let name = "a/b".parse().unwrap();
            say(get(&name, &settings(dir), &TaskCtx::unwatched(), &|_| ()));
            // Every download begins with an empty cache.
            _ = fs::remove_dir_all(settings(dir).cache);
        },
    },
];

/// An error is said to whoever asked.
fn say<T, E: std::fmt::Display>(read: Result<T, E>) {
    if let Err(error) = read {
        assert!(!error.to_string().is_empty());
    }
}

fn file(dir: &Path, name: &str, bytes: &[u8]) -> usize {
    fs::write(dir.join(name), bytes).unwrap();
    bytes.len()
}

fn copy(dir: &Path, from: &str, names: &[&str]) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(from);
    for name in names {
        fs::copy(from.join(name), dir.join(name)).unwrap();
    }
}

fn facts(dir: &Path) {
    let read = Dataset::load(&dir.join("facts"));
    if let Ok(dataset) = &read {
        assert!(!dataset.reading().is_empty());
        for (nth, record) in dataset.records.scan().enumerate() {
            assert!(record.fact.is_whole());
            // To look for each would take long of many.
            if nth < 20 {
                assert_eq!(dataset.records.position(&record.id), Some(nth));
            }
        }
    }
    say(read);
}

fn open(path: &Path) {
    let opened = Checkpoint::open(path).and_then(|it| {
        Transformer::load(&Arc::new(it), &ComputeDevice::cpu(), &TaskCtx::unwatched())
    });
    say(opened);
}

fn tokenizer(path: &Path) {
    let read = Tokenizer::from_dir(path);
    if let Ok(tokenizer) = &read {
        for text in ["", "Paris is  the\n\n café 東", "<s>a</s> 12 345 can't 🎉 a\u{301}"] {
            for token in tokenizer.encode(text).unwrap_or_default() {
                assert!(!tokenizer.shown(token.id).is_empty());
            }
        }
        // What a session keeps is the same tokenizer.
        let again = Tokenizer::from_json(&tokenizer.to_json()).unwrap();
        assert_eq!(again.text_ids(), tokenizer.text_ids());
        assert_eq!(again.n_vocab(), tokenizer.n_vocab());
    }
    say(read);
}

/// Lays out the files that follow each other in one text, each after a line with its name.
fn folder(dir: &Path, input: &[u8]) -> usize {
    const MARK: &[u8] = b"\n=== ";
    for name in TOKENIZER_FILES {
        _ = fs::remove_file(dir.join(name));
    }
    let starts: Vec<usize> = (0..input.len()).filter(|at| input[*at..].starts_with(MARK)).collect();
    let ends = starts.iter().skip(1).copied().chain([input.len()]);
    for (start, end) in starts.iter().zip(ends) {
        let text = &input[start + MARK.len()..end];
        let line = text.iter().position(|it| *it == b'\n').unwrap_or(text.len());
        let name = TOKENIZER_FILES.iter().find(|it| it.as_bytes() == &text[..line]);
        if let Some(name) = name {
            file(dir, name, text.get(line + 1..).unwrap_or_default());
        }
    }
    input.len()
}

fn noise(path: &Path) {
    let read = noise_file::read(path);
    if let Ok((file, noise)) = &read {
        assert_eq!(noise.shape.iter().product::<usize>(), noise.values.len());
        assert!(noise_file::read_again(file).is_ok());
    }
    say(read);
}

fn sweep(dir: &Path) {
    say(Manifest::load(dir));
    say(Population::load(dir, &Wanted::default()));
}

fn picture(dir: &Path) {
    let read = carried(&fs::read(dir.join("picture")).unwrap());
    if let Ok((record, drawing)) = &read {
        _ = record.is_of(drawing);
    }
    say(read);
}
