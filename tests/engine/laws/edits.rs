//! Laws of what a condition does to a run: edits, and putting clean activations back.

use std::fs;
use std::ops::Range;

use factscope::intervention::{
    Condition, Donor, Edit, Intervention, Noise, NoiseRng, Site, SiteSet, Span,
};
use factscope::model::{BatchRow, Donors, Transformer};

use crate::support::{
    assert_close, assert_far, fixture, gpt2_sites, load, logits, logits_under, run,
};

use super::{LOGIT, N_LAYERS, clean_donor, copy_clean, corruption, ids, noise, row_of};

// Edits

/// A site; positions, heads and units.
type Edited = (Site, Range<usize>, Range<usize>, Range<usize>);

/// One site each of a stream, of heads, and of attention; what a change may name there.
const EDITED: [Edited; 3] = [
    (Site::MlpPost(1), 2..5, 0..1, 30..77),
    (Site::Z(2), 1..4, 1..3, 2..5),
    (Site::Pattern(1), 3..6, 2..4, 1..3),
];

#[test]
fn an_edit_changes_the_addressed_entries_and_no_other() {
    let model = load(&fixture("tiny"));
    let (other, ids) = (ids(8, 3), ids(8, 4));
    for (site, positions, heads, units) in EDITED {
        let capture = SiteSet::from([site]);
        let rows = [BatchRow::new(&other, &[]), BatchRow::new(&ids, &[])];
        let clean = run(&model, &rows, &Donors::new(), &capture).cache;
        let donor_run = model.run_clean(&other, &capture).cache;
        let donor: Vec<f32> = donor_run.get(site).clone().into_data().iter::<f32>().collect();
        let donors = Donors::from([(Donor::Counterpart, donor_run)]);
        let [_, n_pos, n_heads, width] = clean.get(site).dims();
        let n_edited = positions.len() * heads.len() * units.len();

        // The draw, read where there is nothing else: the same number of entries of an empty site.
        let draw = drawn(&model, &ids, n_edited);
        let edits = [
            Edit::Zero,
            Edit::Set(-1.25),
            Edit::Block,
            Edit::Scale(1.5),
            noise(2.0, 1),
            Edit::Add(draw.as_slice().into()),
            Edit::Put(draw.as_slice().into()),
            Edit::CopyFrom {
                donor: Donor::Counterpart,
                // Other positions than those overwritten.
                positions: Span::Only(positions.start - 1..positions.end - 1),
            },
        ];
        for edit in edits {
            let what = format!("{edit:?} at {site}");
            let condition = vec![
                Intervention::at(site, Span::Only(positions.clone()), edit.clone())
                    .of_heads(Span::Only(heads.clone()))
                    .of_units(Span::Only(units.clone())),
            ];
            let rows = [BatchRow::new(&other, &[]), BatchRow::new(&ids, &condition)];
            let changed = run(&model, &rows, &donors, &capture).cache;
            let before = clean.get(site).clone().into_data();
            let after = changed.get(site).clone().into_data();
            let mut nth_edited = 0;
            for (index, (before, after)) in
                before.iter::<f32>().zip(after.iter::<f32>()).enumerate()
            {
                let unit = index % width;
                let head = index / width % n_heads;
                let pos = index / (width * n_heads) % n_pos;
                let row = index / (width * n_heads * n_pos);
                let is_addressed = row == 1
                    && positions.contains(&pos)
                    && heads.contains(&head)
                    && units.contains(&unit);
                let expected = match &edit {
                    _ if !is_addressed => before,
                    Edit::Zero => 0.0,
                    Edit::Set(value) => *value,
                    Edit::Block => f32::NEG_INFINITY,
                    Edit::Scale(factor) => before * factor,
                    Edit::AddNoise(_) | Edit::Add(_) => before + draw[nth_edited],
                    Edit::Put(_) => draw[nth_edited],
                    Edit::Tokens(_) => unreachable!("not an edit of any site"),
                    Edit::CopyFrom { .. } => donor[((pos - 1) * n_heads + head) * width + unit],
                };
                nth_edited += usize::from(is_addressed);
                assert_eq!(after, expected, "{what}: row {row}, {pos}, {head}, {unit}");
            }
            assert_eq!(nth_edited, n_edited);
        }
    }
}

/// The numbers that `noise(2.0, 1)` adds to so many entries.
fn drawn(model: &Transformer, ids: &[u32], len: usize) -> Vec<f32> {
    // All `len` of them at one position of a site that is wide enough.
    let site = Site::MlpPre(0);
    assert!(len <= model.config.d_mlp * ids.len());
    let width = (1..=model.config.d_mlp).rev().find(|width| len.is_multiple_of(*width)).unwrap();
    let place = |edit| {
        Intervention::at(site, Span::Only(0..len / width), edit).of_units(Span::Only(0..width))
    };
    let condition = vec![place(Edit::Zero), place(noise(2.0, 1))];
    let cache =
        run(model, &[BatchRow::new(ids, &condition)], &Donors::new(), &SiteSet::from([site])).cache;
    let values = cache.activation(site).values;
    let rows = values.chunks(model.config.d_mlp).take(len / width);
    rows.flat_map(|row| row[..width].to_vec()).collect()
}

/// Printed by numpy: `RandomState(1).randn(6)`, and the same draw's next numbers as the second
/// sample.
#[test]
fn noise_fills_positions_then_units_and_samples_follow_each_other() {
    let model = load(&fixture("tiny"));
    let site = Site::ResidPre(1);
    // Printed by numpy: `RandomState(1).randn(6)`.
    let numpy = [
        1.6243453636632417,
        -0.6117564136500754,
        -0.5281717522634557,
        -1.0729686221561705,
        0.8654076293246785,
        -2.3015386968802827,
    ];
    let numpy = numpy.map(|it: f64| it as f32);
    for (sample, expected) in [(0, &numpy[..2]), (1, &numpy[2..4]), (2, &numpy[4..])] {
        let place = |edit| Intervention::at(site, Span::Only(2..4), edit).of_units(Span::one(5));
        let condition = vec![place(Edit::Zero), place(noise(1.0, sample))];
        let ids = ids(6, 1);
        let rows = [BatchRow::new(&ids, &condition)];
        let cache = run(&model, &rows, &Donors::new(), &SiteSet::from([site])).cache;
        let values = cache.activation(site).values;
        assert_eq!([values[2 * 32 + 5], values[3 * 32 + 5]], expected);
    }
}

#[test]
fn interventions_at_one_site_apply_in_order() {
    let model = load(&fixture("tiny"));
    let ids = ids(6, 1);
    for site in [Site::ResidPost(1), Site::Q(2), Site::AttnScores(0)] {
        let at = |edit| Intervention::at(site, Span::All, edit);
        let part = |edit| Intervention::at(site, Span::Only(1..3), edit).of_units(Span::Only(2..4));
        let value = |condition: &Condition| {
            let rows = [BatchRow::new(&ids, &[]), BatchRow::new(&ids, condition)];
            let cache = run(&model, &rows, &Donors::new(), &SiteSet::from([site])).cache;
            let row = row_of(&cache, site, 1, 6);
            let width = row.len() / 6 / cache.get(site).dims()[2];
            // Position 2, first head: unit 3 is in the part, unit 4 is not.
            let n_heads = cache.get(site).dims()[2];
            (row[2 * n_heads * width + 3], row[2 * n_heads * width + 4])
        };
        let (set, scale) = (Edit::Set(3.0), Edit::Scale(2.0));
        assert_eq!(value(&vec![at(set.clone()), at(scale.clone())]), (6.0, 6.0), "{site}");
        assert_eq!(value(&vec![at(scale.clone()), at(set.clone())]), (3.0, 3.0), "{site}");
        assert_eq!(value(&vec![at(set.clone()), part(scale.clone())]), (6.0, 3.0), "{site}");
        assert_eq!(value(&vec![part(scale), at(set.clone())]), (3.0, 3.0), "{site}");
        assert_eq!(value(&vec![at(set), part(Edit::Zero), part(Edit::Set(1.0))]), (1.0, 3.0));
    }
}

#[test]
fn a_patch_may_come_from_another_position_of_another_prompt() {
    let model = load(&fixture("tiny"));
    let (long, short) = (ids(9, 1), ids(4, 2));
    for site in [Site::ResidPost(1), Site::K(2), Site::MlpPost(3)] {
        let capture = SiteSet::from([site]);
        let donor = model.run_clean(&short, &capture).cache;
        let expected = row_of(&donor, site, 0, 4);
        let size = expected.len() / 4;
        let donors = Donors::from([(Donor::Counterpart, donor)]);
        let edit = Edit::CopyFrom { donor: Donor::Counterpart, positions: Span::Only(1..3) };
        let condition = vec![Intervention::at(site, Span::Only(6..8), edit)];
        let patched = run(&model, &[BatchRow::new(&long, &condition)], &donors, &capture).cache;
        let found = row_of(&patched, site, 0, 9);
        assert_eq!(found[6 * size..8 * size], expected[size..3 * size], "{site}");
    }
}

#[test]
#[should_panic(expected = "as many donor positions")]
fn a_patch_that_does_not_fit_is_a_bug() {
    let model = load(&fixture("tiny"));
    let ids = ids(6, 1);
    let donors = clean_donor(&model, &ids);
    let edit = Edit::CopyFrom { donor: Donor::Clean, positions: Span::Only(0..3) };
    let condition = vec![Intervention::at(Site::Z(0), Span::Only(0..2), edit)];
    logits_under(&model, &ids, &condition, &donors);
}

#[test]
fn a_zeroed_z_still_adds_the_output_bias() {
    let model = load(&fixture("tiny"));
    let file = fs::read(fixture("tiny").join("model.safetensors")).unwrap();
    let weights = safetensors::SafeTensors::deserialize(&file).unwrap();
    let ids = ids(5, 1);
    for layer in 0..N_LAYERS {
        let bias = weights.tensor(&format!("h.{layer}.attn.c_proj.bias")).unwrap();
        let bias: Vec<f32> =
            bias.data().as_chunks::<4>().0.iter().map(|&it| f32::from_le_bytes(it)).collect();
        let condition = vec![Intervention::at(Site::Z(layer), Span::All, Edit::Zero)];
        let capture = SiteSet::from([Site::AttnOut(layer)]);
        let cache = run(&model, &[BatchRow::new(&ids, &condition)], &Donors::new(), &capture).cache;
        let found = cache.activation(Site::AttnOut(layer)).values;
        // Sums of zeros, plus the bias.
        assert_close(&found, &bias.repeat(5), 0.0, &format!("layer {layer}"));
        assert!(bias.iter().any(|&it| it != 0.0));
    }
}

#[test]
fn noise_is_the_same_in_every_call() {
    let model = load(&fixture("tiny"));
    let ids = ids(8, 1);
    for rng in [NoiseRng::Numpy, NoiseRng::Chacha] {
        let of = |seed, sample| {
            let noise = Noise { rng, seed, std: 1.0, sample };
            let edit = Edit::AddNoise(noise);
            let condition = vec![Intervention::at(Site::Embed, Span::Only(0..3), edit)];
            logits_under(&model, &ids, &condition, &Donors::new())
        };
        assert_close(&of(1, 0), &of(1, 0), 0.0, "drawn twice");
        assert_close(&of(7, 5), &of(7, 5), 0.0, "drawn twice");
        assert_far(&of(1, 0), &of(1, 1), "samples");
        assert_far(&of(1, 0), &of(2, 0), "seeds");
    }
}

// Restoring

#[test]
fn restoring_a_whole_layer_undoes_the_corruption() {
    let model = load(&fixture("tiny"));
    let ids = ids(9, 6);
    let clean = logits_under(&model, &ids, &vec![], &Donors::new());
    let corrupted = logits_under(&model, &ids, &vec![corruption()], &Donors::new());
    assert_far(&clean, &corrupted, "the corruption");
    let everywhere =
        [Site::Embed].into_iter().chain((0..N_LAYERS).flat_map(|layer| {
            [Site::ResidPre(layer), Site::ResidMid(layer), Site::ResidPost(layer)]
        }));
    for site in everywhere {
        let donors = Donors::from([(Donor::Clean, model.run_clean(&ids, &[site].into()).cache)]);
        let condition = vec![corruption(), copy_clean(site)];
        let restored = logits_under(&model, &ids, &condition, &donors);
        // The copy is exact, and the rest is the same arithmetic.
        assert_close(&restored, &clean, 0.0, &site.to_string());
    }
}

#[test]
fn restoring_every_site_restores_the_run() {
    let model = load(&fixture("tiny"));
    let ids = ids(9, 6);
    let sites = gpt2_sites(N_LAYERS);
    let donors = clean_donor(&model, &ids);
    let mut condition = vec![corruption()];
    condition.extend(sites.iter().copied().map(copy_clean));
    let restored = run(&model, &[BatchRow::new(&ids, &condition)], &donors, &sites);
    for &site in &sites {
        let found = restored.cache.activation(site);
        let expected = donors[&Donor::Clean].activation(site);
        assert_close(&found.values, &expected.values, 0.0, &site.to_string());
    }
    let clean = logits(&model.run_clean(&ids, &sites));
    assert_close(&logits(&restored), &clean, 0.0, "logits");
}

#[test]
fn restoring_a_clean_run_changes_nothing() {
    let model = load(&fixture("tiny"));
    let ids = ids(9, 6);
    let donors = clean_donor(&model, &ids);
    let clean = logits_under(&model, &ids, &vec![], &donors);
    for site in gpt2_sites(N_LAYERS) {
        let found = logits_under(&model, &ids, &vec![copy_clean(site)], &donors);
        assert_close(&found, &clean, LOGIT, &site.to_string());
    }
}
