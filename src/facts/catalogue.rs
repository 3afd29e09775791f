//! The relations that this project knows, with templates both ways.
//!
//! A dataset that has no inverses gets them from here, by the id of its relation.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::Cardinality;

/// One relation, such as `capital`.
#[derive(Clone, Debug, Deserialize)]
pub struct Relation {
    /// Wikidata's `P36`, or one of ours: `FS-antonym`.
    pub id: String,

    /// In a word or two.
    pub label: String,
    pub cardinality: Cardinality,

    /// What an answer looks like: `a city`.
    pub answer: String,
    pub inverse_answer: String,

    /// Each with one `{}` for the subject, and its answer after a space. The first is the main one.
    pub forward: Vec<String>,

    /// As `forward`, with `{}` for the object.
    pub inverse: Vec<String>,
}

/// Relations by id.
#[derive(Debug)]
pub struct Catalogue {
    relations: BTreeMap<String, Relation>,
}

static BUNDLED: LazyLock<Catalogue> = LazyLock::new(|| {
    let text = include_str!("../../data/relations.json");
    let relations: Vec<Relation> = serde_json::from_str(text).expect("checked by a test");
    Catalogue { relations: relations.into_iter().map(|it| (it.id.clone(), it)).collect() }
});

impl Catalogue {
    /// The one that is part of the program.
    pub fn bundled() -> &'static Self {
        &BUNDLED
    }

    pub fn get(&self, id: &str) -> Option<&Relation> {
        self.relations.get(id)
    }

    /// By its id, or by its label in any case.
    pub fn find(&self, name: &str) -> Option<&Relation> {
        self.get(name).or_else(|| self.iter().find(|it| it.label.eq_ignore_ascii_case(name)))
    }

    pub fn label(&self, id: &str) -> Option<&str> {
        Some(&self.get(id)?.label)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Relation> {
        self.relations.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_has_its_slot_and_belongs_to_one_relation() {
        let mut seen = std::collections::BTreeSet::new();
        for relation in Catalogue::bundled().iter() {
            for templates in [&relation.forward, &relation.inverse] {
                assert!(templates.len() >= 4, "{}", relation.id);
                for template in templates {
                    assert_eq!(template.matches("{}").count(), 1, "{template}");
                    assert_eq!(template.trim(), template);
                    assert!(seen.insert(template), "twice: {template}");
                }
            }
        }
        // All of CounterFact's, among them.
        for id in ["P17", "P30", "P36", "P103", "P190", "P1412"] {
            assert!(Catalogue::bundled().get(id).is_some(), "{id}");
        }
    }
}
