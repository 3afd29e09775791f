//! Small pictures of heads show where else heads look than at the first key.

use factscope::analysis::attention::{Attention, Spec, Weighting};
use factscope::figure::{
    Shade, about_attention_end, attention_end, head_picture, head_picture_side,
};

use super::support::prompt;

/// Rests on the first key with all but `elsewhere`, which goes to the token before.
fn resting(n_pos: usize, elsewhere: f32) -> Vec<f32> {
    let mut weights = vec![0.0; n_pos * n_pos];
    for query in 0..n_pos {
        let before = query.saturating_sub(1);
        weights[query * n_pos] += 1.0 - elsewhere;
        weights[query * n_pos + before] += elsewhere;
    }
    weights
}

fn attention(n_words: usize, weighting: Weighting) -> Attention {
    let text = format!("In{} Paris it is", " it".repeat(n_words));
    let prompt = prompt(&text, "Paris", None);
    let n_pos = prompt.n_pos();
    let weights = [0.3, 0.02].into_iter().flat_map(|it| resting(n_pos, it)).collect();
    let spec = Spec { weighting, ..Spec::all_heads(0..1) };
    Attention::from_weights(spec, prompt, 2, weights)
}

#[test]
fn heads_that_rest_on_the_first_key_show_where_else_they_look() {
    let it = attention(0, Weighting::Pattern);
    let n_pos = it.prompt.n_pos();
    for (head, elsewhere) in [(0, 0.3), (1, 0.02)] {
        let picture = head_picture(&it, 0, head, it.scale(0)).unwrap();
        assert_eq!((picture.side, picture.end), (n_pos, elsewhere));
        let shade = |query: usize, key: usize| picture.shades[query * n_pos + key];
        // As strong in both, though one has fifteen times the weight there.
        assert_eq!(shade(3, 2), Shade::Share(1.0));
        assert_eq!(shade(3, 1), Shade::Share(0.0));
        // How strong a head rests is still to be seen.
        assert_eq!(shade(3, 0), Shade::First(1.0 - elsewhere));
    }
}

#[test]
fn a_long_prompt_leaves_the_first_key_out() {
    let it = attention(90, Weighting::Pattern);
    let n_pos = it.prompt.n_pos();
    let side = head_picture_side(n_pos);
    assert!(side <= 24 && side * 2 < n_pos);
    let picture = head_picture(&it, 0, 1, it.scale(0)).unwrap();
    assert_eq!(picture.end, 0.02);
    // The last query looks at the key before, and at the first, which is not in the first cell.
    let last = &picture.shades[(side - 1) * side..];
    assert_eq!(last[0], Shade::Share(0.0));
    assert!(picture.shades.iter().all(|it| matches!(it, Shade::Share(_))));
    assert!(picture.shades.contains(&Shade::Share(1.0)));
}

/// They show how little is moved from a key that heads rest on.
#[test]
fn norms_keep_the_scale_of_their_layer() {
    let it = attention(0, Weighting::NormBased);
    let n_pos = it.prompt.n_pos();
    let picture = head_picture(&it, 0, 1, it.scale(0)).unwrap();
    assert_eq!(picture.end, it.scale(0));
    assert_eq!(picture.shades[3 * n_pos], Shade::Share((1.0 - 0.02) / it.scale(0)));
}

/// The map of one head does so too, or its one dark column would hide the rest.
#[test]
fn a_map_of_a_head_that_rests_on_the_first_key_ends_at_what_it_does_elsewhere() {
    let it = attention(0, Weighting::Pattern);
    let end = |head: usize| attention_end(&it, 0, it.pattern(0, head).unwrap());
    assert_eq!([end(0), end(1)], [0.3, 0.02]);
    let said = about_attention_end(&it, 0, end(1)).unwrap();
    assert!(said.contains("0.02"), "{said}");
    // A head that looks elsewhere keeps the scale of all such heads.
    let prompt = it.prompt.clone();
    let weights = resting(prompt.n_pos(), 0.8);
    let it = Attention::from_weights(Spec::all_heads(0..1), prompt, 1, weights);
    assert_eq!(attention_end(&it, 0, it.pattern(0, 0).unwrap()), 1.0);
    assert_eq!(about_attention_end(&it, 0, 1.0), None);
}
