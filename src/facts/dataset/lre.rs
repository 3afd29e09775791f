//! Facts as a relation file of LRE (Hernandez et al. 2024): templates, and samples of subject and
//! object.

use serde::Deserialize;
use serde_json::Value;

use super::super::{Catalogue, Inverse, InverseOrigin, Record};
use super::{Entry, RecordPlace, asked, checked};

#[derive(Deserialize)]
struct Relation {
    name: String,
    prompt_templates: Vec<String>,
    #[serde(default)]
    properties: Properties,
    samples: Vec<Value>,
}

#[derive(Default, Deserialize)]
struct Properties {
    #[serde(default)]
    symmetric: bool,
}

#[derive(Deserialize)]
struct Sample {
    subject: String,
    object: String,
}

/// LRE's names of relations that the catalogue has too, with subject and object in the same roles.
const SAME: &[(&str, &str)] = &[
    ("adjective antonym", "FS-opposite"),
    ("company hq", "P159"),
    ("country capital city", "P36"),
    ("country currency", "P38"),
    ("country language", "P37"),
    ("landmark in country", "P17"),
    ("person native language", "P103"),
    ("person occupation", "P106"),
    ("person plays instrument", "P1303"),
    ("person sport position", "P413"),
    ("plays pro sport", "P641"),
    ("product by company", "P176"),
];

/// Whether a JSON value has the fields of a relation file.
pub(super) fn is_relation(json: &Value) -> bool {
    ["name", "prompt_templates", "samples"].iter().all(|field| json.get(field).is_some())
}

/// Every sample as a fact, asked with the file's first template.
pub(super) fn records(json: Value) -> Result<Vec<Entry>, serde_json::Error> {
    let relation: Relation = serde_json::from_value(json)?;
    let template = relation.prompt_templates.first().map_or("", String::as_str);
    let id = SAME.iter().find(|(name, _)| *name == relation.name).map(|(_, id)| *id);
    let id = id.filter(|id| Catalogue::bundled().get(id).is_some());
    let record = |index: usize, sample: Value| -> Result<Record, String> {
        let sample: Sample = serde_json::from_value(sample).map_err(|error| error.to_string())?;
        let fact = asked(template, &sample.subject, &sample.object)?;
        let relation_id = id.unwrap_or(&relation.name).to_owned();
        let mut record = checked(index.to_string(), Some(relation_id), fact)?;
        if relation.properties.symmetric {
            record.inverse = Some(Inverse {
                fact: asked(template, &sample.object, &sample.subject)?,
                answers: [sample.subject].into(),
                origin: InverseOrigin::File,
            });
        }
        Ok(record)
    };
    let samples = relation.samples.iter().cloned().enumerate();
    Ok(samples.map(|(index, sample)| (RecordPlace::Index(index), record(index, sample))).collect())
}
