//! Finds where conditions begin to differ, from their plain data, and what they can share.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::Range;

use crate::intervention::{Condition, Donor, Edit, Intervention, Site, Span};
use crate::model::{Start, StartPoint};

/// A condition, split into its base and the interventions after that.
pub(super) struct Branch {
    /// The condition's index in the sweep.
    pub index: usize,

    /// The index of its base.
    pub base: usize,

    /// The interventions on blocks. Empty if the condition is its base.
    pub rest: Condition,

    /// The place of the first intervention of `rest`. `None` if the condition is its base.
    pub place: Option<StartPoint>,

    /// The first position that `rest` changes.
    pub pos: usize,

    /// The round in which the condition runs.
    pub round: u32,
}

/// Branches that go through the model together, all from the same position on.
pub(super) struct Batch<'a> {
    pub pos: usize,

    /// The index of the base that is row 0 of the bases' run.
    pub first_base: usize,

    /// In the order in which they join.
    pub branches: Vec<&'a Branch>,
    pub starts: Vec<Start>,
}

impl<'a> Batch<'a> {
    /// A batch of branches, which must be in the order of their places.
    pub fn new(branches: &[&'a Branch], first_base: usize) -> Self {
        let mut starts: Vec<Start> = Vec::with_capacity(branches.len());
        // Only rows that start alike can stay alike.
        let mut alike: BTreeMap<(usize, StartPoint), Vec<usize>> = BTreeMap::new();
        for (nth, branch) in branches.iter().enumerate() {
            let place = branch.place.expect("bases are not run again");
            let mut start = Start { place, base_row: branch.base - first_base, parts_from: None };
            let alike = alike.entry((branch.base, place)).or_default();
            for &other in alike.iter() {
                let earlier = branches[other];
                let Some(layer) = first_difference(&earlier.rest, &branch.rest) else { continue };
                let parting = StartPoint::entering(layer);
                if parting > start.place && starts[other].place < parting {
                    start = Start { place: parting, parts_from: Some(other), ..start };
                }
            }
            alike.push(nth);
            starts.push(start);
        }

        let mut order: Vec<usize> = (0..branches.len()).collect();
        order.sort_by_key(|&nth| (starts[nth].place, nth));
        let mut new_places = vec![0; order.len()];
        for (new, &old) in order.iter().enumerate() {
            new_places[old] = new;
        }
        let moved = |start: Start| Start {
            parts_from: start.parts_from.map(|other| new_places[other]),
            ..start
        };
        Self {
            pos: branches[0].pos,
            first_base,
            branches: order.iter().map(|&nth| branches[nth]).collect(),
            starts: order.iter().map(|&nth| moved(starts[nth])).collect(),
        }
    }

    /// The two halves of the batch, for a device that could not take it whole.
    pub fn halves(&self) -> [Self; 2] {
        let mut branches = self.branches.clone();
        branches.sort_by_key(|it| (it.place, it.index));
        let (first, second) = branches.split_at(branches.len() / 2);
        [first, second].map(|half| Self::new(half, self.first_base))
    }

    /// The cost of the batch, in tokens times layers that are computed whole.
    pub fn cost(&self, n_layers: usize, n_pos: usize) -> usize {
        let layers = self.starts.iter().map(|start| n_layers - start.place.first_whole_layer());
        layers.sum::<usize>() * (n_pos - self.pos)
    }
}

/// The first layer in which two conditions differ. `None` if they are equal in all blocks.
pub(super) fn first_difference(one: &[Intervention], other: &[Intervention]) -> Option<usize> {
    let in_layer = |condition: &'_ [Intervention], layer: usize| -> Vec<Intervention> {
        condition.iter().filter(|it| it.site.layer() == Some(layer)).cloned().collect()
    };
    let mut layers: Vec<usize> = one.iter().chain(other).filter_map(|it| it.site.layer()).collect();
    layers.sort_unstable();
    layers.dedup();
    layers.into_iter().find(|&layer| in_layer(one, layer) != in_layer(other, layer))
}

/// Splits each of the `wanted` conditions into a base and the interventions after that. The first
/// list holds each base once. `first_read` is the first position whose logits are read.
pub(super) fn branches(
    conditions: &[Condition],
    wanted: &[usize],
    n_layers: usize,
    first_read: usize,
) -> (Vec<Condition>, Vec<Branch>) {
    let mut bases: Vec<Condition> = Vec::new();
    // A trace of many draws has as many bases, each of which is met again in every cell.
    let mut known: HashMap<u64, Vec<usize>> = HashMap::new();
    let branches = wanted
        .iter()
        .map(|&index| {
            let condition = &conditions[index];
            let is_input = |it: &Intervention| matches!(it.site, Site::Embed | Site::PosEmbed);
            let (input, rest): (Condition, Condition) =
                condition.iter().cloned().partition(is_input);
            let rest: Condition = rest
                .into_iter()
                .filter(|it| {
                    !changes_nothing(it, condition) && !comes_too_late(it, n_layers, first_read)
                })
                .collect();
            let like_it = known.entry(fingerprint(&input)).or_default();
            let base = like_it.iter().copied().find(|&nth| bases[nth] == input);
            let base = base.unwrap_or_else(|| {
                bases.push(input);
                like_it.push(bases.len() - 1);
                bases.len() - 1
            });
            let place = StartPoint::of(&rest, n_layers);
            let pos = rest.iter().map(first_position).min().unwrap_or(0);
            Branch { index, base, rest, place, pos, round: 0 }
        })
        .collect();
    (bases, branches)
}

/// Equal for equal conditions, but for the sign of a zero, and rarely for others.
fn fingerprint(condition: &[Intervention]) -> u64 {
    /// Of numbers that are put in, so many are looked at.
    const N_NUMBERS: usize = 8;
    let mut hasher = DefaultHasher::new();
    for Intervention { site, positions, edit, .. } in condition {
        site.layer().hash(&mut hasher);
        if let Span::Only(range) = positions {
            range.hash(&mut hasher);
        }
        match edit {
            Edit::Set(number) | Edit::Scale(number) => number.to_bits().hash(&mut hasher),
            Edit::AddNoise(noise) => (noise.seed, noise.sample).hash(&mut hasher),
            Edit::Add(numbers) | Edit::Put(numbers) => {
                for number in numbers.iter().take(N_NUMBERS) {
                    number.to_bits().hash(&mut hasher);
                }
            }
            Edit::Tokens(ids) => ids.hash(&mut hasher),
            Edit::Zero | Edit::Block | Edit::CopyFrom { .. } => {}
        }
    }
    hasher.finish()
}

/// Whether an intervention lies in the last layer, at positions that no position that is read can
/// see.
fn comes_too_late(intervention: &Intervention, n_layers: usize, first_read: usize) -> bool {
    let Span::Only(positions) = &intervention.positions else { return false };
    let is_seen_by_others = matches!(
        intervention.site,
        Site::ResidPre(_)
            | Site::Ln1Scale(_)
            | Site::Ln1Normalized(_)
            | Site::K(_)
            | Site::V(_)
            | Site::RotK(_)
    );
    intervention.site.layer().is_none_or(|layer| layer + 1 == n_layers)
        && !is_seen_by_others
        && positions.end <= first_read
}

/// The first position that an intervention changes.
fn first_position(intervention: &Intervention) -> usize {
    match &intervention.positions {
        Span::All => 0,
        Span::Only(range) => range.start,
    }
}

/// Whether an intervention restores what is there already, because it lies before the first
/// position that the rest of its condition changes.
fn changes_nothing(intervention: &Intervention, condition: &Condition) -> bool {
    let Some(positions) = restored(intervention) else { return false };
    let changes = condition.iter().filter(|it| restored(it).is_none());
    changes.map(first_position).min().is_none_or(|first| positions.end <= first)
}

/// The positions at which an intervention puts in what a clean run has there. `None` if it does
/// not.
fn restored(intervention: &Intervention) -> Option<&Range<usize>> {
    match (&intervention.edit, &intervention.positions) {
        (Edit::CopyFrom { donor, positions: Span::Only(from) }, Span::Only(to)) if from == to => {
            let is_clean = match donor {
                Donor::Clean => true,
                Donor::Corrupted { first, .. } => to.end <= *first,
                Donor::Counterpart | Donor::Mean | Donor::Run(_) => false,
            };
            is_clean.then_some(to)
        }
        _ => None,
    }
}
