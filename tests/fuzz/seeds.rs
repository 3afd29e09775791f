//! Inputs to begin with: the project's fixtures, and small ones in the forms that people have.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use ciborium::Value;
use factscope::facts::Direction;
use factscope::figure::{Cells, Number, Place, table_to_parquet};
use factscope::population::{Asked, FactNote, to_bytes};
use flate2::read::ZlibDecoder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::forms::{N_SESSION_HEAD, packed, png};

/// The files of a folder of fixtures whose names end so.
pub fn fixtures(folder: &str, ending: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder);
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|it| it.unwrap().path()).collect();
    files.retain(|it| it.to_string_lossy().ends_with(ending));
    files.sort();
    assert!(!files.is_empty(), "no fixture in {folder} ends in {ending}");
    files.iter().map(|it| fs::read(it).unwrap()).collect()
}

/// The folders of fixtures in another.
pub fn folders(parent: &str) -> Vec<String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(parent);
    let entries = fs::read_dir(dir).unwrap().map(|it| it.unwrap());
    let entries = entries.filter(|it| it.path().is_dir()).map(|it| it.file_name());
    let mut names: Vec<String> =
        entries.map(|it| format!("{parent}/{}", it.to_str().unwrap())).collect();
    names.sort();
    names
}

pub fn texts(all: &[&str]) -> Vec<Vec<u8>> {
    all.iter().map(|it| it.as_bytes().to_vec()).collect()
}

/// Datasets in JSON.
pub fn json_facts() -> Vec<Vec<u8>> {
    texts(&[
        // A list, JSON Lines, and objects one after another.
        r#"[{"subject": "Norway", "object": "Oslo", "template": "The capital of {} is", "id": 3},
            {"s": "Peru", "o": null, "relation": "P36"}]"#,
        "{\"sub_label\": \"Norway\", \"obj_label\": \"Oslo\", \"predicate_id\": \"P36\"}\n{broken}\n",
        r#"{"s": "a", "o": "b", "prompt": "a is"} {"s": "c", "o": NaN, "prompt": "c is"}"#,
        // CounterFact, MQuAKE, ROME's known facts.
        r#"[{"case_id": 0, "requested_rewrite": {"prompt": "The mother tongue of {} is",
            "relation_id": "P103", "target_new": {"str": "English", "id": "Q1860"},
            "target_true": {"str": "French", "id": "Q150"}, "subject": "Danielle "},
            "paraphrase_prompts": ["Danielle, a native"], "neighborhood_prompts": ["Leon speaks"]}]"#,
        r#"[{"case_id": 1, "requested_rewrite": [{"prompt": "{} lies in", "subject": "Oslo",
            "target_true": {"str": "Norway"}, "question": "Where?"}, {"prompt": "{} is"}],
            "questions": ["Q?"], "answer": "Norway", "answer_alias": ["Kingdom of Norway"]}]"#,
        r#"[{"known_id": 0, "subject": "Vinson", "attribute": "Antarctica", "template": "{} is in",
            "prediction": " Antarctica", "prompt": "Vinson is in", "relation_id": "P30"}]"#,
        // zsRE, PopQA, EasyEdit.
        r#"[{"subject": "Watts", "src": "What is Watts's home?", "pred": "LA", "rephrase": "Where?",
            "alt": "Paris", "answers": ["Los Angeles"], "loc": "nq question: who", "loc_ans": "x",
            "cond": "LA >> Paris || What?"}]"#,
        r#"{"id": 4, "subj": "Kari", "prop": "occupation", "obj": "poet", "obj_id": 82,
            "possible_answers": "[\"poet\", \"writer\"]", "question": "What is Kari's occupation?"}"#,
        r#"[{"prompt": "Who made it?", "target_new": "Wu", "subject": "it", "ground_truth": ["<|endoftext|>"],
            "rephrase_prompt": "By whom?", "locality": {"x": {"prompt": "a", "ground_truth": "b"}}}]"#,
        // Google-RE, the reversal curse, LRE, ParaRel.
        r#"{"pred": "/people/person/place_of_birth", "sub": "/m/0abc12", "obj": "/m/05l64", "uuid": "g-1",
            "sub_w": null, "masked_sentences": ["Kari was born in [MASK]."], "sub_label": "Kari",
            "obj_label": "Oslo", "evidences": [{"url": "", "snippet": "x"}], "judgments": []}"#,
        r#"[{"child": "Tom", "parent": "Mary Lee", "parent_type": "mother", "child_prediction": "x"}]"#,
        r#"{"name": "country capital", "prompt_templates": ["The capital of {} is"],
            "properties": {"symmetric": false}, "samples": [{"subject": "Norway", "object": "Oslo"}]}"#,
        r#"{"P36": [{"sub_label": "Norway", "obj_label": "Oslo"}], "P30": [{"s": "Peru", "o": "x"}]}"#,
        // Tables by columns, as pandas writes them.
        r#"{"subject": {"0": "a", "1": "b"}, "object": {"0": "c", "1": "d"}, "template": {"0": "{} is",
            "1": "{} has"}}"#,
        r#"{"subject": ["a", "b"], "object": ["c", "d"], "relation": "P36"}"#,
        r#"{"columns": ["subject", "object", "template"], "index": [0, 1], "data": [["a", "c", "{} is"],
            ["b", "d", "[X] is [Y]."]]}"#,
        r#"{"schema": {"fields": [{"name": "index"}]}, "data": [{"index": 0, "s": "a", "o": "b"}]}"#,
        r#"[["subject", "object", "template"], ["a", "b", "{} is"], ["c"]]"#,
        r#"{"0": {"subject": "a", "object": "['b', \"c\"]", "template": "{{subject}} is ${object}"}}"#,
        // An inverse, a foil, other places.
        r#"[{"s": "a", "o": "b", "template": "[X] is %s", "foil": "z", "inverse_template": "{} of",
            "inverse": {"prompt": "b {}", "subject": "b", "target_true": {"str": "a"}, "answers": ["a"]}}]"#,
        r#"[{"s": "Nor\u00adway", "o": 5.0, "template": "Norway _ __ <extra_id_0> {subject!r:>8} %(s)s"}]"#,
    ])
}

/// Datasets as tables.
pub fn table_facts() -> Vec<Vec<u8>> {
    let mut all = texts(&[
        "subject,object,template\nNorway,Oslo,The capital of {} is\nPeru,\"Lima\",\"{}, \"\"x\"\"\n\",\n",
        "id;Subject Label;Object Label;rel_id\n1;Norway;Oslo;P36\n1;Peru;Lima;P36\n",
        "subject\tobject\tprompt\r\nNorway\tOslo\tNorway is\r\n\t\t\r\n",
        "| subject | object | template |\n|---|:--|---|\n| Norway | Oslo | {} is |\n",
        "sep=;\ntitle\n\nsubject;object;object;template\na;b;c;{} is\n",
        "sub,sub_label,obj,obj_label,relation\n/m/0a1b2,Norway,Q585,Oslo,P36\n20,x,#N/A,,\n",
        "subject,object.1,object,template\na,\"['b', 'c']\",b,(X) {} {object}\n",
    ]);
    let utf16 = "\u{feff}subject,object,template\na,b,{} is\n".encode_utf16();
    all.push(utf16.flat_map(u16::to_le_bytes).collect());
    all
}

/// Datasets in Parquet, packed in each way.
pub fn parquet_facts() -> Vec<Vec<u8>> {
    let text = |all: [Option<&str>; 3]| Cells::Texts(all.map(|it| it.map(Arc::from)).to_vec());
    let columns = [
        ("id".to_owned(), Cells::Places(vec![Some(1), None, Some(3)])),
        ("subject".to_owned(), text([Some("Norway"), Some("Peru"), None])),
        ("object".to_owned(), text([Some("Oslo"), Some("Lima"), Some("x")])),
        ("template".to_owned(), text([Some("The capital of {} is"); 3])),
        ("score".to_owned(), Cells::Numbers(vec![Some(0.5), None, Some(f32::NAN)])),
    ];
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let packed = [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::LZ4_RAW, zstd];
    let packed = packed.map(|it| {
        let properties = WriterProperties::builder().set_compression(it).build();
        table_to_parquet("facts", &columns, Arc::new(properties)).unwrap()
    });
    packed.to_vec()
}

/// A folder's files in one text, each after a line with its name.
pub fn folder(of: &str) -> Vec<u8> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(of);
    let mut all = Vec::new();
    for name in crate::targets::TOKENIZER_FILES {
        if let Ok(bytes) = fs::read(dir.join(name)) {
            all.extend(format!("\n=== {name}\n").bytes());
            all.extend(bytes);
        }
    }
    all
}

/// The pickles in the archives of PyTorch.
pub fn pickles() -> Vec<Vec<u8>> {
    let archives = ["formats/pytorch", "formats/pytorch-wide", "formats/refused"];
    let archives = archives.into_iter().flat_map(|it| fixtures(it, ".bin"));
    archives
        .filter_map(|it| {
            let find = |what: &[u8]| it.windows(what.len()).position(|it| it == what);
            let start = find(b"\x80\x02")?;
            let end = start + it[start..].windows(3).position(|it| it == b".PK" || it == b"u.P")?;
            Some(it[start..=end].to_vec())
        })
        .collect()
}

/// The headers of files in safetensors.
pub fn headers() -> Vec<Vec<u8>> {
    let files = fixtures("formats/safetensors", ".safetensors").into_iter();
    let header = |it: Vec<u8>| {
        let (size, rest) = it.split_first_chunk::<8>().unwrap();
        rest[..u64::from_le_bytes(*size) as usize].to_vec()
    };
    files.map(header).collect()
}

/// Arrays of numpy, outside of archives.
pub fn arrays() -> Vec<Vec<u8>> {
    let mut all = fixtures("noise", ".npy");
    for (version, length) in [(b"\x01\0", &b"\x46\0"[..]), (b"\x02\0", b"\x46\0\0\0")] {
        let head = "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1, 2), }       \n";
        let head = format!("{head:<70}");
        all.push([b"\x93NUMPY", &version[..], length, head.as_bytes(), &[0; 16]].concat());
    }
    all
}

/// A second moment of two numbers a side.
pub fn second_moments() -> Vec<Vec<u8>> {
    let header = r#"{"mom2":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}"#;
    let numbers = [1.0_f32, 0.5, 0.5, 1.0].map(f32::to_le_bytes).concat();
    vec![[&(header.len() as u64).to_le_bytes(), header.as_bytes(), &numbers].concat()]
}

/// Specs of several methods, with ids that are meant.
pub fn specs() -> Vec<Vec<u8>> {
    texts(&[
        r#"{"model": "builtin", "bos": "off", "fact": {"record": {"facts": "builtin", "sha256": "53aa",
            "case": "0", "direction": "forward"}}, "spec": {"LogitLens": {"scale": "own", "n_top": 1}}}"#,
        r#"{"model": "builtin", "fact": {"text": {"prompt": "The capital of France is", "subject": "France",
            "answer": "Paris", "foil": "Rome"}}, "spec": {"ActivationPatching": {"donor": {"meant":
            {"prompt": {"record": {"facts": "x.json", "case": "2", "direction": "inverse"}}}}}}}"#,
        r#"{"model": "builtin", "fact": {"text": {"prompt": "a"}}, "edits": [{"Steering": {"layer": 0}}],
            "spec": {"Generation": {"n_tokens": 3, "stop": {"meant": {"tokens_of": {"text": "."}}}}}}"#,
        r#"{"model": "m", "fact": "nofact", "spec": {"HeadCircuit": {"layer": 0, "head": 1}}}"#,
        r#"{"meant": {"subjects_of": {"facts": "f"}}, "meant": {"prompts_of": {"facts": "f", "at_most": 9}}}"#,
    ])
}

/// A manifest, as a sweep writes it.
pub const MANIFEST: &str = r#"{"spec": {"bos": "off", "fact": {"text": {"prompt": "a"}}, "model": "builtin",
    "spec": {"LogitLens": {"n_top": 1, "scale": "own"}}}, "spec_sha256": "s", "method": "logit lens",
    "model": "builtin", "model_sha256": "m", "facts": "builtin", "facts_sha256": "f",
    "selection": {"ways": "forward", "n": 2, "seed": 1, "relation": null, "known": null,
    "known_by": "first"}, "settings": {"answer": "right", "figure": {"attribution": "Parts",
    "effect": "score", "metric": "Prob"}, "layers": [], "shared_draws": false}, "bound": [], "n_asked": 2}"#;

/// A part of a sweep of two facts, one of them left out.
pub fn parts() -> Vec<Vec<u8>> {
    let number = |layer: usize, value: f32| Number {
        chart: "Logit lens".into(),
        quantity: "p(answer)".into(),
        measured: None,
        at: Place { layer: Some(layer), label: Some("the last token".into()), ..Place::default() },
        other: Place::default(),
        value,
    };
    let asked = |record: usize, left_out: Option<&str>, numbers: Vec<Number>| Asked {
        note: FactNote {
            record,
            case: record.to_string(),
            direction: Direction::Forward,
            left_out: left_out.map(str::to_owned),
            n_numbers: numbers.len(),
        },
        relation: Some("P36".into()),
        known: "forward".into(),
        prompt: "The capital of Norway is".into(),
        template: None,
        answer: Some(" Oslo".into()),
        foil: None,
        numbers,
    };
    let facts =
        [asked(0, None, vec![number(0, 0.5), number(1, 0.25)]), asked(1, Some("it is"), vec![])];
    vec![to_bytes(&facts, "m", "s").unwrap()]
}

/// What the hub answers.
pub fn hub_answers() -> Vec<Vec<u8>> {
    texts(&[
        r#"[{"id": "a/b", "downloads": 7, "gated": "manual", "tags": ["gpt2", "license:mit"],
            "config": {"model_type": "gpt2"}, "safetensors": {"total": 75000}}, {"id": "c", "gated": true}]"#,
        r#"{"id": "a/b", "sha": "0123456789abcdef0123456789abcdef01234567", "gated": false, "siblings": [
            {"rfilename": "config.json", "size": 2, "blobId": "9e26dfeeb6e641a33dae4961196235bdb965b21b"},
            {"rfilename": "vocab.json", "size": 2, "blobId": "9e26dfeeb6e641a33dae4961196235bdb965b21b"},
            {"rfilename": "model.safetensors", "size": 2, "blobId": "9e26dfeeb6e641a33dae4961196235bdb965b21b",
             "lfs": {"sha256": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", "size": 2}}]}"#,
        r#"{"sha": "0123456789abcdef0123456789abcdef01234567", "siblings": [
            {"rfilename": "config.json", "size": 2, "blobId": "9e26dfeeb6e641a33dae4961196235bdb965b21b"},
            {"rfilename": "model.safetensors.index.json", "size": 2,
             "blobId": "9e26dfeeb6e641a33dae4961196235bdb965b21b"}]}"#,
        r#"{"error": "Repository not found"}"#,
    ])
}

/// The record of a picture.
pub const RECORD: &str = r#"{"program":"factscope 0.1.0","model":"builtin","weights_sha256":
    {"model.safetensors":"b4"},"device":"cpu","experiment":{"bos":"off","fact":{"text":{"prompt":"a"}},
    "model":"builtin","spec":{"LogitLens":{"n_top":1,"scale":"own"}}},"look":{"metric":"Prob","effect":
    "score","attribution":"Parts","lens":"Answer","pick":{"layer":null,"position":null,"head":null},
    "n_listed":20,"planted":null},"charts":[{"chart":"Logit lens","places":[["token",["0","1"]]],
    "values":[["p(·Paris)",[0.25,null]]]}],"drawing_sha256":"e7"}"#;

/// Pictures with a record.
pub fn pictures() -> Vec<Vec<u8>> {
    let svg = format!("<svg><metadata id=\"factscope\">{RECORD}</metadata>\n</svg>");
    let packed = packed(RECORD.as_bytes());
    let head = b"%PDF-1.7\n3 0 obj\n<< /Type /EmbeddedFile /Filter /FlateDecode >>\nstream\n";
    let pdf = [&head[..], &packed, b"\nendstream\nendobj\nxref\n%%EOF"].concat();
    vec![svg.into_bytes(), png(RECORD.as_bytes()), pdf]
}

/// The data of sessions, one for each result of a fixture.
pub fn sessions() -> Vec<Vec<u8>> {
    const TOKENIZER: &str = r#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],
        "normalizer":null,"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,
        "use_regex":true},"post_processor":null,"decoder":{"type":"ByteLevel","add_prefix_space":true,
        "trim_offsets":true,"use_regex":true},"model":{"type":"BPE","dropout":null,"unk_token":null,
        "continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":false,
        "ignore_merges":false,"vocab":{"a":0,"b":1,"Ġ":2,"ab":3},"merges":[["a","b"]]}}"#;
    const LONGEST: usize = 24 << 10;
    let file = fixtures("", "views.factscope").remove(0);
    let whole: Value = ciborium::from_reader(ZlibDecoder::new(&file[N_SESSION_HEAD..])).unwrap();
    let Value::Map(whole) = whole else { panic!("a session is a map") };
    let is = |name: &str, key: &Value| key.as_text() == Some(name);
    let with = |found: &Value| {
        let change = |(key, value): &(Value, Value)| {
            let value = match value {
                _ if is("found", key) => Value::Array(vec![found.clone()]),
                _ if is("typed", key) => Value::Null,
                _ if is("subjects", key) => Value::Array(Vec::new()),
                _ if is("window", key) => Value::Array(Vec::new()),
                Value::Map(model) if is("model", key) => {
                    let small = |(key, value): &(Value, Value)| match key {
                        _ if is("tokenizer", key) => (key.clone(), TOKENIZER.into()),
                        _ => (key.clone(), value.clone()),
                    };
                    Value::Map(model.iter().map(small).collect())
                }
                other => other.clone(),
            };
            (key.clone(), value)
        };
        let mut bytes = Vec::new();
        ciborium::into_writer(&Value::Map(whole.iter().map(change).collect()), &mut bytes).unwrap();
        bytes
    };
    let found = whole.iter().find(|it| is("found", &it.0)).and_then(|it| it.1.as_array()).unwrap();
    found.iter().map(with).filter(|it| it.len() <= LONGEST).collect()
}
