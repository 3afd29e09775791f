//! Why facts of a sweep have no result, counted.

use std::collections::BTreeMap;

use super::part::FactNote;

/// How many reasons are told.
const MOST: usize = 8;

/// A line for each reason, the most frequent first, with a case that it left out. Reasons that differ in
/// nothing but numbers are one.
pub fn reasons<'a>(facts: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let mut kinds: BTreeMap<String, (&str, &str, usize)> = BTreeMap::new();
    for (case, reason) in facts {
        kinds.entry(without_numbers(reason)).or_insert((case, reason, 0)).2 += 1;
    }
    let mut kinds: Vec<(&str, &str, usize)> = kinds.into_values().collect();
    kinds.sort_by_key(|it| std::cmp::Reverse(it.2));
    let mut lines: Vec<String> = kinds
        .iter()
        .take(MOST)
        .map(|&(case, reason, n)| {
            let such_as = if n > 1 { "such as " } else { "" };
            format!("{n} left out, {such_as}case {case}: {reason}")
        })
        .collect();
    let n_more: usize = kinds.iter().skip(MOST).map(|it| it.2).sum();
    if n_more > 0 {
        let n_kinds = kinds.len() - MOST;
        lines.push(format!(
            "{n_more} left out for {n_kinds} other reasons, in the column `left_out`"
        ));
    }
    lines
}

/// The reasons of facts, as a folder notes them.
pub fn reasons_of<'a>(facts: impl Iterator<Item = &'a FactNote>) -> Vec<String> {
    reasons(facts.filter_map(|it| Some((&*it.case, it.left_out.as_deref()?))))
}

/// A text with `#` in the place of each number.
fn without_numbers(text: &str) -> String {
    let mut plain = String::new();
    for c in text.chars() {
        match c {
            '0'..='9' if plain.ends_with('#') => {}
            '0'..='9' => plain.push('#'),
            _ => plain.push(c),
        }
    }
    plain
}
