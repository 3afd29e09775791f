//! Records that have something in common, and the texts that they have together.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher as _};

use super::packing::{put_text, text_at};

/// Groups of at least two records.
#[derive(Default)]
pub(super) struct Groups {
    /// By record; [`ALONE`] for one that is in no group. Empty where there is none.
    of: Vec<u32>,

    /// The texts of all groups.
    bytes: Vec<u8>,

    /// Where those of each group begin, and how many they are.
    places: Vec<(usize, usize)>,
}

const ALONE: u32 = u32::MAX;

/// The key of a record that is in no group.
pub(super) const NO_KEY: u64 = 0;

/// A number that equal values share, in one run of the program; never [`NO_KEY`].
pub(super) fn hash<T: Hash + ?Sized>(value: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish().max(1)
}

impl Groups {
    /// The records with equal keys that `is_alike` says are so, in the order of the file, with at most `n_most` of
    /// the texts that they have, each once; and whether one has more.
    pub fn new<T>(
        keys: &[u64],
        record: impl Fn(usize) -> T,
        is_alike: impl Fn(&T, &T) -> bool,
        texts: impl Fn(&T) -> Vec<String>,
        n_most: usize,
    ) -> (Self, bool) {
        let mut groups = Self::default();
        let mut is_cut = false;
        let key = |nth: &u32| keys[*nth as usize];
        let mut order: Vec<u32> = (0..keys.len() as u32).filter(|it| key(it) != NO_KEY).collect();
        order.sort_unstable_by_key(|it| (key(it), *it));
        let alike = order.chunk_by(|a, b| key(a) == key(b));
        for members in alike.filter(|it| it.len() > 1) {
            let first = record(members[0] as usize);
            // By their hashes, since a group may be the whole file.
            let mut seen = BTreeSet::new();
            let start = groups.bytes.len();
            for nth in members {
                let member = record(*nth as usize);
                // Keys that are equal by chance.
                if !is_alike(&first, &member) {
                    continue;
                }
                groups.of.resize(keys.len(), ALONE);
                groups.of[*nth as usize] = groups.places.len() as u32;
                for text in texts(&member) {
                    let hash = hash(&text);
                    if seen.contains(&hash) {
                        continue;
                    }
                    is_cut |= seen.len() == n_most;
                    if seen.len() < n_most {
                        put_text(&mut groups.bytes, &text);
                        seen.insert(hash);
                    }
                }
            }
            groups.places.push((start, seen.len()));
        }
        (groups, is_cut)
    }

    /// The group of a record.
    pub fn of(&self, nth: usize) -> Option<u32> {
        self.of.get(nth).copied().filter(|it| *it != ALONE)
    }

    pub fn n_texts(&self, group: u32) -> usize {
        self.places[group as usize].1
    }

    pub fn texts(&self, group: u32) -> impl Iterator<Item = &str> {
        let (mut at, n) = self.places[group as usize];
        (0..n).map(move |_| text_at(&self.bytes, &mut at))
    }
}
