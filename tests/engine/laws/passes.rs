//! Laws of a pass: the rows of a batch, and the sites where it can be tapped.

use std::collections::BTreeSet;

use factscope::intervention::{Condition, Edit, Intervention, Site, SiteSet, Span};
use factscope::model::{BatchRow, ComputeDevice, Donors, Request, self_test};
use factscope::task::TaskCtx;

use crate::support::{assert_close, fixture, gpt2_sites, load, logits, logits_under, run};

use super::{LOGIT, N_HEADS, N_LAYERS, clean_donor, copy_clean, corruption, ids, noise, row_of};

// Batches

#[test]
fn rows_of_a_batch_do_not_touch_each_other() {
    let model = load(&fixture("tiny"));
    let sites = gpt2_sites(N_LAYERS);
    let prompts = [ids(9, 1), ids(9, 2), ids(9, 3)];
    let donors = clean_donor(&model, &prompts[0]);
    let conditions: [Condition; 3] = [
        vec![],
        vec![corruption(), copy_clean(Site::MlpOut(2)), copy_clean(Site::Z(1))],
        vec![
            Intervention::at(Site::ResidMid(1), Span::All, Edit::Scale(-3.0)),
            Intervention::at(Site::Pattern(2), Span::All, Edit::Set(0.25)),
            Intervention::at(Site::Z(3), Span::All, noise(1.0, 2)).of_heads(Span::one(1)),
        ],
    ];
    let rows: Vec<_> = prompts
        .iter()
        .zip(&conditions)
        .map(|(ids, condition)| BatchRow::new(ids, condition))
        .collect();
    let together = run(&model, &rows, &donors, &sites);
    let d_vocab = model.config.d_vocab;
    for (nth, row) in rows.iter().enumerate() {
        let alone = run(&model, &[*row], &donors, &sites);
        let found = &logits(&together)[nth * d_vocab..(nth + 1) * d_vocab];
        assert_close(found, &logits(&alone), LOGIT, &format!("row {nth}"));
        for &site in &sites {
            let found = row_of(&together.cache, site, nth, 9);
            let expected = row_of(&alone.cache, site, 0, 9);
            assert_close(&found, &expected, LOGIT, &format!("row {nth} at {site}"));
        }
    }
}

#[test]
fn a_shorter_row_in_a_batch_is_as_if_it_were_alone() {
    let model = load(&fixture("tiny"));
    let sites = gpt2_sites(N_LAYERS);
    let prompts = [ids(10, 1), ids(1, 2), ids(7, 3), ids(3, 4)];
    let rows: Vec<_> = prompts.iter().map(|ids| BatchRow::new(ids, &[])).collect();
    let together = run(&model, &rows, &Donors::new(), &sites);
    let d_vocab = model.config.d_vocab;
    for (nth, row) in rows.iter().enumerate() {
        let alone = run(&model, &[*row], &Donors::new(), &sites);
        let found = &logits(&together)[nth * d_vocab..(nth + 1) * d_vocab];
        assert_close(found, &logits(&alone), LOGIT, &format!("row {nth}"));
        for &site in &sites {
            let found = row_of(&together.cache, site, nth, row.ids.len());
            let expected = row_of(&alone.cache, site, 0, row.ids.len());
            assert_close(&found, &expected, LOGIT, &format!("row {nth} at {site}"));
        }
    }
}

/// `Span::All` ends with the row: neither its padding nor another row is reached.
#[test]
fn a_change_of_a_shorter_row_is_as_if_it_were_alone() {
    let model = load(&fixture("tiny"));
    let prompts = [ids(10, 1), ids(4, 2), ids(7, 3)];
    let d_vocab = model.config.d_vocab;
    let clean: Vec<_> =
        prompts.iter().map(|ids| logits_under(&model, ids, &vec![], &Donors::new())).collect();
    for site in gpt2_sites(N_LAYERS) {
        for edit in [Edit::Set(0.3), Edit::Scale(1.5), noise(0.5, 1), Edit::Zero] {
            if edit == Edit::Zero && site.to_string().ends_with("hook_scale") {
                // Nothing is divided by zero.
                continue;
            }
            let what = format!("{edit:?} at {site}");
            let condition = vec![Intervention::at(site, Span::All, edit)];
            let rows = [
                BatchRow::new(&prompts[0], &[]),
                BatchRow::new(&prompts[1], &condition),
                BatchRow::new(&prompts[2], &condition),
            ];
            let together = logits(&run(&model, &rows, &Donors::new(), &SiteSet::new()));
            let found: Vec<_> = together.chunks(d_vocab).collect();
            assert_close(found[0], &clean[0], LOGIT, &what);
            for (found, ids) in found[1..].iter().zip(&prompts[1..]) {
                let alone = logits_under(&model, ids, &condition, &Donors::new());
                assert_close(found, &alone, LOGIT, &format!("{what}, {} tokens", ids.len()));
            }
        }
    }
}

#[test]
fn attention_weights_sum_to_one_and_look_only_back() {
    let model = load(&fixture("tiny"));
    let prompts = [ids(10, 1), ids(1, 2), ids(6, 3)];
    let rows: Vec<_> = prompts.iter().map(|ids| BatchRow::new(ids, &[])).collect();
    let sites = (0..N_LAYERS).map(Site::Pattern).collect();
    let cache = run(&model, &rows, &Donors::new(), &sites).cache;
    for layer in 0..N_LAYERS {
        let pattern = cache.activation(Site::Pattern(layer));
        assert_eq!(pattern.shape, [3, N_HEADS, 10, 10]);
        for (nth, weights) in pattern.values.chunks(10).enumerate() {
            let (row, query) = (nth / (N_HEADS * 10), nth % 10);
            let last = query.min(prompts[row].len() - 1);
            let sum: f32 = weights.iter().sum();
            // Ten roundings of numbers below one.
            assert!((sum - 1.0).abs() < 1e-6, "{sum}");
            assert!(weights[..=last].iter().all(|&weight| weight > 0.0));
            assert!(weights[last + 1..].iter().all(|&weight| weight == 0.0));
        }
    }
}

#[test]
fn an_incremental_pass_is_the_full_one() {
    let model = load(&fixture("tiny"));
    let full: Vec<Vec<u32>> = (0..3).map(|seed| ids(12, seed)).collect();
    let keep: SiteSet = (0..N_LAYERS).flat_map(|layer| [Site::K(layer), Site::V(layer)]).collect();
    let d_vocab = model.config.d_vocab;

    let ends = [12, 6, 9];
    let rows: Vec<_> =
        full.iter().zip(ends).map(|(ids, end)| BatchRow::new(&ids[5..end], &[])).collect();
    let past = model.run_clean(&full[0][..5], &keep).cache;
    let request = Request {
        rows: &rows,
        donors: &Donors::new(),
        capture: &SiteSet::new(),
        past: Some(&past),
        n_read: 1,
    };
    let found = logits(&model.run(&request, &mut |_| Ok(())).unwrap());
    for ((found, ids), end) in found.chunks(d_vocab).zip(&full).zip(ends) {
        let ids = [&full[0][..5], &ids[5..end]].concat();
        let expected = logits_under(&model, &ids, &vec![], &Donors::new());
        assert_close(found, &expected, LOGIT, &format!("up to {end}"));
    }
}

#[test]
fn the_logits_read_are_those_of_each_rows_end() {
    let model = load(&fixture("tiny"));
    let prompts = [ids(9, 1), ids(5, 2)];
    let rows: Vec<_> = prompts.iter().map(|ids| BatchRow::new(ids, &[])).collect();
    // Once read from all positions, once from the three alone.
    for capture in [SiteSet::new(), SiteSet::from([Site::LnFinalScale])] {
        let request = Request {
            rows: &rows,
            donors: &Donors::new(),
            capture: &capture,
            past: None,
            n_read: 3,
        };
        let run = model.run(&request, &mut |_| Ok(())).unwrap();
        assert_eq!(run.logits.dims(), [2, 3, 657]);
        let found = logits(&run);
        for (nth, found) in found.chunks(657).enumerate() {
            let ids = &prompts[nth / 3];
            let end = ids.len() - 2 + nth % 3;
            let expected = logits_under(&model, &ids[..end], &vec![], &Donors::new());
            assert_close(found, &expected, LOGIT, &format!("row {}, up to {end}", nth / 3));
        }
    }
}

// Sites

#[test]
fn only_what_was_asked_for_is_kept() {
    let model = load(&fixture("tiny"));
    let ids = ids(5, 1);
    for asked in [
        SiteSet::new(),
        SiteSet::from([Site::MlpPost(2)]),
        SiteSet::from([Site::LnFinalScale, Site::Embed, Site::Pattern(0)]),
        gpt2_sites(N_LAYERS),
    ] {
        let kept: SiteSet = model.run_clean(&ids, &asked).cache.sites().collect();
        assert_eq!(kept, asked);
    }
}

/// Layer norms at which something is kept take the longer way.
#[test]
fn to_keep_something_changes_nothing() {
    let model = load(&fixture("tiny"));
    let ids = ids(11, 5);
    let plain = logits(&model.run_clean(&ids, &SiteSet::new()));
    for site in gpt2_sites(N_LAYERS) {
        let found = logits(&model.run_clean(&ids, &SiteSet::from([site])));
        assert_close(&found, &plain, LOGIT, &site.to_string());
    }
    let found = logits(&model.run_clean(&ids, &gpt2_sites(N_LAYERS)));
    assert_close(&found, &plain, LOGIT, "all");
}

#[test]
fn sites_are_written_as_they_are_read() {
    // Where TransformerLens puts its hook points in a GPT-2, as `HookedTransformer.hook_dict` lists
    // them; those that only exist with other settings are left out.
    let in_block = [
        "hook_resid_pre",
        "ln1.hook_scale",
        "ln1.hook_normalized",
        "attn.hook_q",
        "attn.hook_k",
        "attn.hook_v",
        "attn.hook_attn_scores",
        "attn.hook_pattern",
        "attn.hook_z",
        "hook_attn_out",
        "hook_resid_mid",
        "ln2.hook_scale",
        "ln2.hook_normalized",
        "mlp.hook_pre",
        "attn.hook_rot_q",
        "attn.hook_rot_k",
        "mlp.hook_pre_linear",
        "attn.hook_out",
        "mlp.hook_out",
        "mlp.hook_post",
        "hook_mlp_out",
        "hook_resid_post",
    ];
    let outside =
        ["hook_embed", "hook_pos_embed", "ln_final.hook_scale", "ln_final.hook_normalized"];
    let mut expected: BTreeSet<String> = outside.map(str::to_owned).into();
    for layer in 0..12 {
        expected.extend(in_block.map(|name| format!("blocks.{layer}.{name}")));
    }
    let sites = Site::all(12);
    let names: BTreeSet<String> = sites.iter().map(|site| site.to_string()).collect();
    assert_eq!(names, expected);
    for site in sites {
        assert_eq!(site.to_string().parse::<Site>().unwrap(), site);
        let json = serde_json::to_string(&site).unwrap();
        assert_eq!(json, format!("\"{site}\""));
        assert_eq!(serde_json::from_str::<Site>(&json).unwrap(), site);
    }
    for name in ["", "hook_z", "blocks.hook_z", "blocks.1.hook_z", "blocks.-1.hook_resid_pre"] {
        assert!(name.parse::<Site>().is_err(), "{name}");
    }
}

#[test]
fn the_cpu_passes_the_test_of_adapters() {
    let verdict = self_test(&ComputeDevice::cpu(), &TaskCtx::unwatched()).unwrap();
    assert_eq!(verdict.failure(), None);
}
