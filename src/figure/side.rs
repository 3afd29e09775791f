//! One side of a grid: what its rows or columns stand for, as labels and as keys.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::Pick;
use super::words::token_labels;
use crate::analysis::Role;
use crate::analysis::logit_attribution::Component;
use crate::tokens::TokenizedPrompt;

/// One side of a map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Side {
    /// The title of the side: “Restored layer”.
    pub title: String,

    /// What one of its places is called in a sentence: “layer”, “token”.
    pub noun: String,

    /// A label for each row or column.
    pub labels: Vec<String>,

    /// What each row or column is. As many as labels.
    pub keys: Vec<Key>,

    /// The places that a star and a colour set apart, like the subject in ROME's figures.
    pub marked: Range<usize>,

    /// Whether the labels are tokens; else they are numbers or names.
    pub is_tokens: bool,
}

/// What a row or column is. By its key a place is found in other views, and in figures of other facts,
/// whose labels differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    Layer(usize),
    Head(usize),
    Position {
        pos: usize,

        /// What the token is to its prompt, if that is known.
        role: Option<Role>,
    },

    /// All tokens that have a role.
    Role(Role),

    /// A part of the model that writes to the residual stream.
    Component(Component),

    /// Layers that are restored together.
    Width(usize),

    /// Something that only its label tells.
    Label,
}

impl Side {
    fn new(title: &str, noun: &str, labels: Vec<String>, keys: Vec<Key>) -> Self {
        let (title, noun) = (title.to_owned(), noun.to_owned());
        Self { title, noun, labels, keys, marked: 0..0, is_tokens: false }
    }

    /// A side of layers, from 0.
    pub fn layers(title: &str, n_layers: usize) -> Self {
        let labels = (0..n_layers).map(|layer| layer.to_string()).collect();
        Self::new(title, "layer", labels, (0..n_layers).map(Key::Layer).collect())
    }

    /// A side of heads, from 0.
    pub fn heads(n_heads: usize) -> Self {
        let labels = (0..n_heads).map(|head| head.to_string()).collect();
        Self::new("Head", "head", labels, (0..n_heads).map(Key::Head).collect())
    }

    /// A side of heads of keys and values, from 0, each of which serves a group of heads. None of them is
    /// a head that can be picked.
    pub fn key_heads(n_heads: usize) -> Self {
        let labels = (0..n_heads).map(|head| head.to_string()).collect();
        Self::named("Key head", "key head", labels)
    }

    /// A side of tokens, as they are written on screen, the subject marked.
    pub fn tokens(title: &str, labels: Vec<String>, subject: Option<Range<usize>>) -> Self {
        let keys = (0..labels.len()).map(|pos| Key::Position { pos, role: None }).collect();
        let marked = subject.unwrap_or(0..0);
        Self { marked, is_tokens: true, ..Self::new(title, "token", labels, keys) }
    }

    /// A side of all tokens of a prompt, with their roles.
    pub fn prompt(title: &str, prompt: &TokenizedPrompt) -> Self {
        let key = |pos| Key::Position { pos, role: Some(Role::of(prompt, pos)) };
        let keys = (0..prompt.n_pos()).map(key).collect();
        Self { keys, ..Self::tokens(title, token_labels(prompt), prompt.subject.clone()) }
    }

    /// A side of the roles that tokens have in their prompts.
    pub fn roles(roles: &[Role]) -> Self {
        let labels = roles.iter().map(ToString::to_string).collect();
        let keys = roles.iter().copied().map(Key::Role).collect();
        Self::new("Token's role", "role", labels, keys)
    }

    /// A side of anything else.
    pub fn named(title: &str, noun: &str, labels: Vec<String>) -> Self {
        let keys = vec![Key::Label; labels.len()];
        Self::new(title, noun, labels, keys)
    }

    /// The side with some places set apart.
    pub fn marking(self, marked: Range<usize>) -> Self {
        Self { marked, ..self }
    }

    /// The place of this side that was picked, if one was.
    pub fn nth_of(&self, pick: Pick) -> Option<usize> {
        self.keys.iter().position(|key| match *key {
            Key::Layer(layer) => pick.layer == Some(layer),
            Key::Head(head) => pick.head == Some(head),
            Key::Position { pos, .. } => pick.position == Some(pos),
            Key::Role(_) | Key::Component(_) | Key::Width(_) | Key::Label => false,
        })
    }
}
