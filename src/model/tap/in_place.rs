//! Carries out the changes at a site on the CPU, where the numbers lie.

use std::collections::BTreeMap;

use burn::tensor::Tensor;

use super::super::cpu;
use super::{Change, Draws, Tap, VectorLayout, donor_positions};
use crate::intervention::{Edit, Site};

impl Tap<'_> {
    /// Makes the changes. The error is the untouched activation, if it or a donor's is not on the
    /// CPU.
    #[expect(clippy::result_large_err, reason = "the error is the untouched activation")]
    pub(super) fn apply_in_place(
        &self,
        site: Site,
        changes: &[Change<'_>],
        x: Tensor<4>,
    ) -> Result<Tensor<4>, Tensor<4>> {
        let [_, n_pos, n_heads, width] = x.dims();
        let layout = VectorLayout { n_pos, n_heads };
        let mut donors = BTreeMap::new();
        for change in changes {
            if let Edit::CopyFrom { donor, .. } = change.edit {
                let activation = self.donor(*donor, site, [n_heads, width]);
                let Some(view) = cpu::View::of(activation) else { return Err(x) };
                donors.insert(*donor, view);
            }
        }
        let mut draws = Draws::default();
        cpu::change(x, |values| {
            for change in changes {
                let mut targets = |edit: &mut dyn FnMut(usize, &mut [f32])| {
                    for (nth, index) in layout.indices(change).enumerate() {
                        edit(nth, &mut values[index * width..][change.units.clone()]);
                    }
                };
                match change.edit {
                    Edit::Zero => targets(&mut |_, units| units.fill(0.0)),
                    Edit::Set(value) => targets(&mut |_, units| units.fill(*value)),
                    Edit::Block => targets(&mut |_, units| units.fill(f32::NEG_INFINITY)),
                    Edit::Scale(factor) => targets(&mut |_, units| {
                        for unit in units {
                            *unit *= factor;
                        }
                    }),
                    Edit::AddNoise(noise) => {
                        let drawn = draws.of(*noise, change);
                        let n_units = change.units.len();
                        targets(&mut |nth, units| {
                            for (unit, noise) in units.iter_mut().zip(&drawn[nth * n_units..]) {
                                *unit += noise;
                            }
                        });
                    }
                    Edit::Add(values) => {
                        let n_units = change.units.len();
                        targets(&mut |nth, units| {
                            for (unit, value) in units.iter_mut().zip(&values[nth * n_units..]) {
                                *unit += value;
                            }
                        });
                    }
                    Edit::Put(values) => {
                        let n_units = change.units.len();
                        targets(&mut |nth, units| {
                            units.copy_from_slice(&values[nth * n_units..][..n_units]);
                        });
                    }
                    Edit::Tokens(_) => unreachable!("`is_done_here` leaves it out"),
                    Edit::CopyFrom { donor, positions } => {
                        let all = donors[donor].values();
                        let from =
                            donor_positions(site, positions, change, all.len() / width / n_heads);
                        let n_changed = change.heads.len();
                        targets(&mut |nth, units| {
                            let pos = from.start + nth / n_changed;
                            let head = change.heads.start + nth % n_changed;
                            let vector = &all[(pos * n_heads + head) * width..][..width];
                            units.copy_from_slice(&vector[change.units.clone()]);
                        });
                    }
                }
            }
        })
    }
}
