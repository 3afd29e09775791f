//! The catalogue of relations, with templates for asking each both ways.
//!
//! A dataset without inverses gets them from here, by the id of its relation.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::Cardinality;
use crate::packed;

/// A relation between subjects and objects, such as `capital`.
#[derive(Clone, Debug, Deserialize)]
pub struct Relation {
    /// Wikidata's id, such as `P36`, or one of our own, such as `FS-opposite`.
    pub id: String,

    /// The relation's name in a word or two: `capital`.
    pub label: String,
    pub cardinality: Cardinality,

    /// What kind of thing answers the forward question: `a city`.
    pub answer: String,

    /// What kind of thing answers the inverse question: `a country`.
    pub inverse_answer: String,

    /// Templates with one `{}` for the subject; the answer follows after a space. The first is the
    /// default.
    pub forward: Vec<String>,

    /// Templates of the inverse question, with `{}` for the object.
    pub inverse: Vec<String>,
}

/// What others call relations that the catalogue has, with subject and object in the same roles: LRE,
/// Freebase in LAMA's Google-RE, and the reversal curse's pairs.
const OTHERS: &[(&str, &str)] = &[
    ("adjective antonym", "FS-opposite"),
    ("company hq", "P159"),
    ("country capital city", "P36"),
    ("country currency", "P38"),
    ("country language", "P37"),
    ("landmark in country", "P17"),
    ("person father", "P22"),
    ("person mother", "P25"),
    ("person native language", "P103"),
    ("person occupation", "P106"),
    ("person plays instrument", "P1303"),
    ("person sport position", "P413"),
    ("plays pro sport", "P641"),
    ("product by company", "P176"),
    ("/people/person/place_of_birth", "P19"),
    ("/people/deceased_person/place_of_death", "P20"),
    ("/people/person/date_of_birth", "P569"),
    ("ParentType.FATHER", "P22"),
    ("ParentType.MOTHER", "P25"),
];

/// Relations by id.
#[derive(Debug)]
pub struct Catalogue {
    relations: BTreeMap<String, Relation>,
}

static BUNDLED: LazyLock<Catalogue> = LazyLock::new(|| {
    let relations: Vec<Relation> =
        serde_json::from_str(&packed::RELATIONS).expect("checked by a test");
    Catalogue { relations: relations.into_iter().map(|it| (it.id.clone(), it)).collect() }
});

impl Catalogue {
    /// The catalogue that is part of the program.
    pub fn bundled() -> &'static Self {
        &BUNDLED
    }

    pub fn get(&self, id: &str) -> Option<&Relation> {
        self.relations.get(id)
    }

    /// The relation with this id or this label, in upper or lower case, or as others call it.
    pub fn find(&self, name: &str) -> Option<&Relation> {
        let id = name
            .rsplit_once("wikidata.org/")
            .map_or(name, |(_, path)| path.rsplit(['/', ':']).next().unwrap_or(path));
        let id = ["wdt:", "wd:", "p:"].iter().find_map(|it| id.strip_prefix(it)).unwrap_or(id);
        let others = || OTHERS.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        let is_it =
            |it: &&Relation| it.label.eq_ignore_ascii_case(name) || it.id.eq_ignore_ascii_case(id);
        self.get(id).or_else(|| self.iter().find(is_it)).or_else(|| self.get(others()?.1))
    }

    /// The id of the relation of this name or id; the text itself if the catalogue has none, because a
    /// dataset may have relations of its own.
    pub fn id_of(&self, name: &str) -> String {
        self.find(name).map_or_else(|| name.to_owned(), |it| it.id.clone())
    }

    pub fn label(&self, id: &str) -> Option<&str> {
        Some(&self.get(id)?.label)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Relation> {
        self.relations.values()
    }
}
