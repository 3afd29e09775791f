//! Carries out the changes of all rows at a site together, on any device.
//!
//! One gather overwrites, one product scales, and one scatter adds, so the number of device
//! operations does not grow with the batch.

use std::collections::BTreeMap;

use burn::tensor::{Bool, Device, IndexingUpdateOp, Tensor, TensorData};

use super::super::indices::int_tensor;
use super::{Change, Draws, Tap, VectorLayout, donor_positions};
use crate::intervention::{Donor, Edit, Site};

impl Tap<'_> {
    /// Makes the changes, of which there is at most one for each row.
    pub(super) fn apply_together(
        &self,
        site: Site,
        changes: &[Change<'_>],
        x: Tensor<4>,
    ) -> Tensor<4> {
        let shape @ [_, n_pos, n_heads, width] = x.dims();
        let layout = VectorLayout { n_pos, n_heads };
        let flat = x.clone().reshape([shape[0] * n_pos * n_heads, width]);
        let changed = self.overwrite(site, changes, &layout, flat);
        let changed = scale(changes, &layout, changed);
        let changed = add(changes, &layout, changed).reshape(shape);

        if changes.iter().all(|change| change.units == (0..width)) {
            changed
        } else {
            x.mask_where(unit_mask(changes, &layout, shape, &changed.device()), changed)
        }
    }

    /// Makes the changes `Zero`, `Set`, `Block`, `Put` and `CopyFrom`. A table holds the old
    /// vectors, the donors', those that are put in and constants, and every new vector is picked
    /// from it.
    fn overwrite(
        &self,
        site: Site,
        changes: &[Change<'_>],
        layout: &VectorLayout,
        flat: Tensor<2>,
    ) -> Tensor<2> {
        let [n_rows, width] = flat.dims();
        let device = flat.device();
        let mut table = vec![flat.clone()];
        let mut n_table = n_rows;
        let mut donor_starts: BTreeMap<Donor, (usize, usize)> = BTreeMap::new();
        let mut constants: Vec<(f32, usize)> = Vec::new();
        let mut pick: Option<Vec<i32>> = None;

        for change in changes {
            let constant = match change.edit {
                Edit::Zero => Some(0.0),
                Edit::Set(value) => Some(*value),
                Edit::Block => Some(f32::NEG_INFINITY),
                Edit::Scale(_) | Edit::AddNoise(_) | Edit::Add(_) => continue,
                Edit::Tokens(_) => unreachable!("`is_done_here` leaves it out"),
                Edit::Put(_) | Edit::CopyFrom { .. } => None,
            };
            let pick = pick.get_or_insert_with(|| (0..n_rows as i32).collect());
            if let Some(value) = constant {
                let known = constants.iter().find(|(it, _)| *it == value).map(|(_, at)| *at);
                let at = known.unwrap_or_else(|| {
                    table.push(Tensor::full([1, width], value, &device));
                    constants.push((value, n_table));
                    n_table += 1;
                    n_table - 1
                });
                for index in layout.indices(change) {
                    pick[index] = at as i32;
                }
            } else if let Edit::Put(values) = change.edit {
                let vectors = whole_vectors(values, change, width);
                let n_vectors = vectors.len() / width;
                table
                    .push(Tensor::from_data(TensorData::new(vectors, [n_vectors, width]), &device));
                for (nth, index) in layout.indices(change).enumerate() {
                    pick[index] = (n_table + nth) as i32;
                }
                n_table += n_vectors;
            } else if let Edit::CopyFrom { donor, positions } = change.edit {
                let (start, donor_len) = *donor_starts.entry(*donor).or_insert_with(|| {
                    let activation = self.donor(*donor, site, [layout.n_heads, width]).clone();
                    let [_, donor_len, donor_heads, _] = activation.dims();
                    table.push(activation.reshape([donor_len * donor_heads, width]));
                    let start = n_table;
                    n_table += donor_len * donor_heads;
                    (start, donor_len)
                });
                let from = donor_positions(site, positions, change, donor_len);
                for (to, from) in change.positions.clone().zip(from) {
                    for head in change.heads.clone() {
                        let at = start + from * layout.n_heads + head;
                        pick[layout.index(change.row, to, head)] = at as i32;
                    }
                }
            }
        }
        match pick {
            Some(pick) => Tensor::cat(table, 0).select(0, int_tensor(pick, &device)),
            None => flat,
        }
    }
}

/// The numbers for the units of a change, as vectors of the site's width with 0 at all other units.
fn whole_vectors(values: &[f32], change: &Change<'_>, width: usize) -> Vec<f32> {
    let mut vectors = Vec::new();
    for units in values.chunks(change.units.len().max(1)) {
        vectors.extend(std::iter::repeat_n(0.0, change.units.start));
        vectors.extend_from_slice(units);
        vectors.extend(std::iter::repeat_n(0.0, width - change.units.end));
    }
    vectors
}

/// Makes the changes `Scale`.
fn scale(changes: &[Change<'_>], layout: &VectorLayout, flat: Tensor<2>) -> Tensor<2> {
    let [n_rows, _] = flat.dims();
    let mut factors: Option<Vec<f32>> = None;
    for change in changes {
        if let Edit::Scale(factor) = change.edit {
            let factors = factors.get_or_insert_with(|| vec![1.0; n_rows]);
            for index in layout.indices(change) {
                factors[index] = *factor;
            }
        }
    }
    match factors {
        Some(factors) => {
            let device = flat.device();
            flat * Tensor::<2>::from_data(TensorData::new(factors, [n_rows, 1]), &device)
        }
        None => flat,
    }
}

/// Makes the changes `AddNoise` and `Add`.
fn add(changes: &[Change<'_>], layout: &VectorLayout, flat: Tensor<2>) -> Tensor<2> {
    let [_, width] = flat.dims();
    let device = flat.device();
    let mut draws = Draws::default();
    let (mut targets, mut added) = (Vec::new(), Vec::new());
    for change in changes {
        let values = match change.edit {
            Edit::AddNoise(wanted) => draws.of(*wanted, change),
            Edit::Add(values) => values,
            _ => continue,
        };
        targets.extend(layout.indices(change).map(|index| index as i32));
        added.extend(whole_vectors(values, change, width));
    }
    if targets.is_empty() {
        return flat;
    }
    let added = Tensor::<2>::from_data(TensorData::new(added, [targets.len(), width]), &device);
    flat.select_assign(0, int_tensor(targets, &device), added, IndexingUpdateOp::Add)
}

/// True for the numbers that a change reaches. `[batch, pos, head, width]`
fn unit_mask(
    changes: &[Change<'_>],
    layout: &VectorLayout,
    shape: [usize; 4],
    device: &Device,
) -> Tensor<4, Bool> {
    let width = shape[3];
    let mut mask = vec![false; shape.iter().product()];
    for change in changes {
        for index in layout.indices(change) {
            mask[index * width..][change.units.clone()].fill(true);
        }
    }
    Tensor::from_data(TensorData::new(mask, shape), device)
}
