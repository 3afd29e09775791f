//! Stands at every site of the forward pass: changes what a condition asks to change, and keeps
//! what the request asks to keep.
//!
//! On the CPU the numbers are changed where they lie. On any other device all changes at a site, of
//! all rows of a batch, are carried out together: one gather for what is overwritten, one product
//! for what is scaled, one scatter for noise. So the number of device operations does not grow with
//! the batch.

use std::collections::BTreeMap;
use std::ops::Range;

use burn::tensor::{Bool, Device, IndexingUpdateOp, Tensor, TensorData};

use super::edited::Addition;
use super::gpt2::int_tensor;
use super::run::Row;
use super::{ActivationCache, Donors, cpu};
use crate::intervention::{Axes, Donor, Edit, Intervention, Noise, Site, SiteSet, Span};

pub(super) struct Tap<'a> {
    rows: &'a [Row<'a>],
    donors: &'a Donors,
    capture: &'a SiteSet,

    /// The position that activations begin with: those before were computed earlier.
    first_pos: usize,

    /// What is added, whatever the condition, and the position that activations begin with where
    /// earlier ones are not part of the rows.
    additions: &'a [Addition],
    first_added: usize,
    touched: SiteSet,
    cache: ActivationCache,
}

/// One intervention on one row, with its spans turned into indices.
struct Change<'a> {
    row: usize,
    positions: Range<usize>,
    heads: Range<usize>,
    units: Range<usize>,
    edit: &'a Edit,
}

impl Change<'_> {
    fn n_values(&self) -> usize {
        self.positions.len() * self.heads.len() * self.units.len()
    }
}

impl<'a> Tap<'a> {
    pub fn new(
        rows: &'a [Row<'a>],
        donors: &'a Donors,
        capture: &'a SiteSet,
        first_pos: usize,
    ) -> Self {
        let changes = rows.iter().flat_map(|row| row.condition).filter(|it| is_done_here(it));
        let touched = changes.map(|it| it.site).collect();
        let cache = ActivationCache::default();
        let (additions, first_added) = (&[][..], 0);
        Self { rows, donors, capture, first_pos, additions, first_added, touched, cache }
    }

    /// For a model that is steered.
    pub fn adding(self, additions: &'a [Addition], first_added: usize) -> Self {
        Self { additions, first_added, ..self }
    }

    /// The rows of the next activations, where more join them on the way.
    pub fn set_rows(&mut self, rows: &'a [Row<'a>]) {
        self.rows = rows;
    }

    pub fn into_cache(self) -> ActivationCache {
        self.cache
    }

    /// Whether nothing is changed or kept here.
    pub fn is_idle_at(&self, site: Site) -> bool {
        !self.capture.contains(&site)
            && !self.touched.contains(&site)
            && self.additions.iter().all(|it| it.site != site)
    }

    /// Whether anything is changed in a block.
    pub fn touches_layer(&self, layer: usize) -> bool {
        let mut sites = self.touched.iter().copied().chain(self.additions.iter().map(|it| it.site));
        sites.any(|site| site.layer() == Some(layer))
    }

    /// For sites without heads. `[batch, pos, width]`
    pub fn stream(&mut self, site: Site, x: Tensor<3>) -> Tensor<3> {
        if self.is_idle_at(site) {
            return x;
        }
        let [batch, n_pos, width] = x.dims();
        self.heads(site, x.reshape([batch, n_pos, 1, width])).reshape([batch, n_pos, width])
    }

    /// For sites without heads, where all that is added is there already. `[batch, pos, width]`
    pub fn changed(&mut self, site: Site, x: Tensor<3>) -> Tensor<3> {
        let additions = std::mem::take(&mut self.additions);
        let x = self.stream(site, x);
        self.additions = additions;
        x
    }

    /// For attention scores and weights. `[batch, head, query, key]`
    pub fn attention(&mut self, site: Site, x: Tensor<4>) -> Tensor<4> {
        if self.is_idle_at(site) {
            return x;
        }
        self.heads(site, x.swap_dims(1, 2)).swap_dims(1, 2)
    }

    /// For sites with heads. `[batch, pos, head, width]`
    pub fn heads(&mut self, site: Site, mut x: Tensor<4>) -> Tensor<4> {
        for addition in self.additions.iter().filter(|it| it.site == site) {
            x = addition.onto(x, self.first_added);
        }
        if self.touched.contains(&site) {
            // The first intervention of every row, then the second of every row, and so on.
            for nth in 0.. {
                let changes: Vec<_> = self.changes(site, nth, x.dims()).collect();
                if changes.is_empty() {
                    break;
                }
                check_reach(site, &changes, x.dims());
                x = match self.apply_in_place(site, &changes, x) {
                    Ok(changed) => changed,
                    Err(x) => self.apply(site, &changes, x),
                };
            }
        }
        if self.capture.contains(&site) {
            self.cache.insert(site, x.clone());
        }
        x
    }

    fn changes(
        &self,
        site: Site,
        nth: usize,
        [_, n_pos, n_heads, width]: [usize; 4],
    ) -> impl Iterator<Item = Change<'a>> {
        self.rows.iter().enumerate().filter_map(move |(row, it)| {
            let here = |it: &&Intervention| it.site == site && is_done_here(it);
            let intervention = it.condition.iter().filter(here).nth(nth)?;
            let n_units = match site.axes() {
                // Keys are positions: padding and the answer's tokens must stay out of sight. Keys
                // of a past that is not part of the row come before those of the row.
                Axes::Attention => width - n_pos - self.first_pos + it.n_editable,
                Axes::Stream | Axes::Heads => width,
            };
            Some(Change {
                row,
                positions: self.relative(intervention.positions.resolve(it.n_editable)),
                heads: intervention.heads.resolve(n_heads),
                units: intervention.units.resolve(n_units),
                edit: &intervention.edit,
            })
        })
    }

    fn relative(&self, positions: Range<usize>) -> Range<usize> {
        let first = self.first_pos;
        assert!(positions.start >= first, "an intervention reaches before the first position");
        positions.start - first..positions.end - first
    }

    /// On the CPU, where the numbers lie. Gives them back untouched if they are elsewhere.
    #[expect(clippy::result_large_err, reason = "not a failure: they go another way")]
    fn apply_in_place(
        &self,
        site: Site,
        changes: &[Change<'_>],
        x: Tensor<4>,
    ) -> Result<Tensor<4>, Tensor<4>> {
        let [_, n_pos, n_heads, width] = x.dims();
        let places = Places { n_pos, n_heads };
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
                    for (nth, place) in places.of(change).enumerate() {
                        edit(nth, &mut values[place * width..][change.units.clone()]);
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
                    Edit::Tokens(_) => unreachable!("embeddings are looked up before"),
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

    /// At most one change per row.
    fn apply(&self, site: Site, changes: &[Change<'_>], x: Tensor<4>) -> Tensor<4> {
        let shape @ [_, n_pos, n_heads, width] = x.dims();
        let places = Places { n_pos, n_heads };
        let flat = x.clone().reshape([shape[0] * n_pos * n_heads, width]);
        let changed = self.overwrite(site, changes, &places, flat);
        let changed = scale(changes, &places, changed);
        let changed = add_noise(changes, &places, changed).reshape(shape);

        if changes.iter().all(|change| change.units == (0..width)) {
            changed
        } else {
            x.mask_where(unit_mask(changes, &places, shape, &changed.device()), changed)
        }
    }

    /// `Zero`, `Set`, `Block`, `Put` and `CopyFrom`: every vector is picked from a table of the old
    /// ones, those of the donors, those that are put in, and constants.
    fn overwrite(
        &self,
        site: Site,
        changes: &[Change<'_>],
        places: &Places,
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
                Edit::Tokens(_) => unreachable!("embeddings are looked up before"),
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
                for place in places.of(change) {
                    pick[place] = at as i32;
                }
            } else if let Edit::Put(values) = change.edit {
                let vectors = whole_vectors(values, change, width);
                let n_vectors = vectors.len() / width;
                table
                    .push(Tensor::from_data(TensorData::new(vectors, [n_vectors, width]), &device));
                for (nth, place) in places.of(change).enumerate() {
                    pick[place] = (n_table + nth) as i32;
                }
                n_table += n_vectors;
            } else if let Edit::CopyFrom { donor, positions } = change.edit {
                let (start, donor_len) = *donor_starts.entry(*donor).or_insert_with(|| {
                    let activation = self.donor(*donor, site, [places.n_heads, width]).clone();
                    let [_, donor_len, donor_heads, _] = activation.dims();
                    table.push(activation.reshape([donor_len * donor_heads, width]));
                    let start = n_table;
                    n_table += donor_len * donor_heads;
                    (start, donor_len)
                });
                let from = donor_positions(site, positions, change, donor_len);
                for (to, from) in change.positions.clone().zip(from) {
                    for head in change.heads.clone() {
                        let at = start + from * places.n_heads + head;
                        pick[places.at(change.row, to, head)] = at as i32;
                    }
                }
            }
        }
        match pick {
            Some(pick) => Tensor::cat(table, 0).select(0, int_tensor(pick, &device)),
            None => flat,
        }
    }

    /// `[1, pos, head, width]`
    fn donor(&self, donor: Donor, site: Site, [n_heads, width]: [usize; 2]) -> &Tensor<4> {
        let Some(cache) = self.donors.get(&donor) else {
            panic!("no run was given for the donor {donor:?}");
        };
        let activation = cache.get(site);
        let [batch, _, donor_heads, donor_width] = activation.dims();
        assert!(
            batch == 1 && donor_heads == n_heads && donor_width == width,
            "the donor's `{site}` has another shape"
        );
        activation
    }
}

/// Whether a change is carried out here: other tokens are put in before their embeddings are looked
/// up.
fn is_done_here(intervention: &Intervention) -> bool {
    !matches!(intervention.edit, Edit::Tokens(_))
}

/// Numbers for the units of a change, as vectors of the site's width; 0 beside them.
fn whole_vectors(values: &[f32], change: &Change<'_>, width: usize) -> Vec<f32> {
    let mut vectors = Vec::new();
    for units in values.chunks(change.units.len().max(1)) {
        vectors.extend(std::iter::repeat_n(0.0, change.units.start));
        vectors.extend_from_slice(units);
        vectors.extend(std::iter::repeat_n(0.0, width - change.units.end));
    }
    vectors
}

fn check_reach(site: Site, changes: &[Change<'_>], shape: [usize; 4]) {
    let [_, n_pos, n_heads, width] = shape;
    for change in changes {
        if let Edit::Add(values) | Edit::Put(values) = change.edit {
            assert!(
                values.len() == change.n_values(),
                "an edit at `{site}` must bring as many numbers as it changes"
            );
        }
        assert!(
            change.positions.end <= n_pos
                && change.heads.end <= n_heads
                && change.units.end <= width,
            "an intervention at `{site}` reaches beyond the activation {shape:?}"
        );
    }
}

/// Which of the donor's positions are copied.
fn donor_positions(
    site: Site,
    positions: &Span,
    change: &Change<'_>,
    donor_len: usize,
) -> Range<usize> {
    let from = match positions {
        Span::All => 0..change.positions.len(),
        Span::Only(range) => range.clone(),
    };
    assert!(
        from.len() == change.positions.len() && from.end <= donor_len,
        "a copy at `{site}` must name as many donor positions as it overwrites"
    );
    from
}

/// What was drawn: rows of a sweep share their noise.
#[derive(Default)]
struct Draws(Vec<((Noise, usize), Vec<f32>)>);

impl Draws {
    /// Noise for all that a change reaches, in order.
    fn of(&mut self, noise: Noise, change: &Change<'_>) -> &[f32] {
        let len = change.n_values();
        let key = (noise, len);
        let known = self.0.iter().position(|(it, _)| *it == key);
        let at = known.unwrap_or_else(|| {
            self.0.push((key, noise.draw(len).into_iter().map(|z| z as f32).collect()));
            self.0.len() - 1
        });
        &self.0[at].1
    }
}

/// How vectors are numbered once batch, position and head are one axis.
struct Places {
    n_pos: usize,
    n_heads: usize,
}

impl Places {
    fn at(&self, row: usize, pos: usize, head: usize) -> usize {
        (row * self.n_pos + pos) * self.n_heads + head
    }

    fn of(&self, change: &Change<'_>) -> impl Iterator<Item = usize> {
        let (row, heads) = (change.row, change.heads.clone());
        change
            .positions
            .clone()
            .flat_map(move |pos| heads.clone().map(move |head| self.at(row, pos, head)))
    }
}

fn scale(changes: &[Change<'_>], places: &Places, flat: Tensor<2>) -> Tensor<2> {
    let [n_rows, _] = flat.dims();
    let mut factors: Option<Vec<f32>> = None;
    for change in changes {
        if let Edit::Scale(factor) = change.edit {
            let factors = factors.get_or_insert_with(|| vec![1.0; n_rows]);
            for place in places.of(change) {
                factors[place] = *factor;
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

fn add_noise(changes: &[Change<'_>], places: &Places, flat: Tensor<2>) -> Tensor<2> {
    let [_, width] = flat.dims();
    let device = flat.device();
    let mut draws = Draws::default();
    let (mut targets, mut noise) = (Vec::new(), Vec::new());
    for change in changes {
        let values = match change.edit {
            Edit::AddNoise(wanted) => draws.of(*wanted, change),
            Edit::Add(values) => values,
            _ => continue,
        };
        targets.extend(places.of(change).map(|place| place as i32));
        noise.extend(whole_vectors(values, change, width));
    }
    if targets.is_empty() {
        return flat;
    }
    let noise = Tensor::<2>::from_data(TensorData::new(noise, [targets.len(), width]), &device);
    flat.select_assign(0, int_tensor(targets, &device), noise, IndexingUpdateOp::Add)
}

/// True where a change reaches. `[batch, pos, head, width]`
fn unit_mask(
    changes: &[Change<'_>],
    places: &Places,
    shape: [usize; 4],
    device: &Device,
) -> Tensor<4, Bool> {
    let width = shape[3];
    let mut mask = vec![false; shape.iter().product()];
    for change in changes {
        for place in places.of(change) {
            mask[place * width..][change.units.clone()].fill(true);
        }
    }
    Tensor::from_data(TensorData::new(mask, shape), device)
}
