//! Reduces GPT-2's vocabulary to a part that tokenizes given texts as GPT-2 does.
//!
//! The part keeps the 256 bytes, so that any text can be written, and the merges that lead to the
//! tokens in use. BPE takes the merge of lowest rank first, so on a text whose merges are all kept,
//! every step chooses the same merge from the part as from the whole.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

use crate::tokens::{GPT2_MERGES, Tokenizer, TokenizerError, gpt2_vocabulary};

/// The files of a vocabulary.
#[derive(Clone, Debug)]
pub struct SmallVocabulary {
    /// `vocab.json`
    pub entries: BTreeMap<String, u32>,

    /// `merges.txt`
    pub merges: String,
}

/// The part of GPT-2's vocabulary that some texts need.
///
/// # Panics
///
/// Never: GPT-2's own merges are well formed.
pub fn small_vocabulary(texts: &[String]) -> Result<SmallVocabulary, TokenizerError> {
    let whole = gpt2_vocabulary(&GPT2_MERGES).expect("GPT-2's own merges are well formed");
    let tokenizer = Tokenizer::from_vocabulary(whole.clone(), &GPT2_MERGES)
        .expect("GPT-2's own merges are well formed");
    let text_of: HashMap<u32, &String> = whole.iter().map(|(text, id)| (*id, text)).collect();
    let mut used = BTreeSet::new();
    for text in texts {
        used.extend(tokenizer.encode(text)?.into_iter().map(|token| token.id));
    }

    let merges: Vec<(&str, &str)> = GPT2_MERGES
        .lines()
        .filter(|line| !line.starts_with("#version"))
        .filter_map(|line| line.split_once(' '))
        .collect();
    let ranks: HashMap<(&str, &str), usize> =
        merges.iter().enumerate().map(|(rank, pair)| (*pair, rank)).collect();
    let mut kept = BTreeSet::new();
    for id in used {
        kept.extend(path_to(text_of[&id], &ranks));
    }

    let mut text = "#version: 0.2\n".to_owned();
    for rank in kept {
        _ = writeln!(text, "{} {}", merges[rank].0, merges[rank].1);
    }
    let entries = gpt2_vocabulary(&text).expect("every line holds a merge");
    Ok(SmallVocabulary { entries, merges: text })
}

/// The ranks of the merges that make a token, in the order in which BPE takes them.
fn path_to(token: &str, ranks: &HashMap<(&str, &str), usize>) -> Vec<usize> {
    let mut parts: Vec<String> = token.chars().map(String::from).collect();
    let mut path = Vec::new();
    loop {
        let best = parts
            .windows(2)
            .enumerate()
            .filter_map(|(at, pair)| Some((*ranks.get(&(&*pair[0], &*pair[1]))?, at)))
            .min();
        let Some((rank, at)) = best else { return path };
        path.push(rank);
        let right = parts.remove(at + 1);
        parts[at] += &right;
    }
}
