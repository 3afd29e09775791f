//! Token rows that go through the network together.

use burn::tensor::TensorData;

/// A text, of which the network learns the last tokens.
pub(super) struct TextRow {
    pub ids: Vec<u32>,

    /// How many of the last tokens are to be learned.
    pub n_learned: usize,
}

/// Rows padded on the right to one length, without their last tokens, which only serve as targets.
pub(super) struct Batch {
    /// `[batch, pos]`
    pub ids: TensorData,

    /// The positions that predict a token to be learned, as indices into `batch × pos`. `[target]`
    pub places: TensorData,

    /// The tokens to be learned. `[target]`
    pub targets: TensorData,
    pub n_targets: usize,
}

impl Batch {
    pub fn new(rows: &[TextRow], padding: u32) -> Self {
        let n_pos = rows.iter().map(|row| row.ids.len() - 1).max().unwrap_or(1);
        let mut ids = Vec::with_capacity(rows.len() * n_pos);
        let (mut places, mut targets) = (Vec::new(), Vec::new());
        for (nth, row) in rows.iter().enumerate() {
            let start = row.ids.len() - row.n_learned;
            for (at, &id) in row.ids.iter().enumerate().skip(start) {
                places.push((nth * n_pos + at - 1) as i64);
                targets.push(i64::from(id));
            }
            ids.extend(row.ids[..row.ids.len() - 1].iter().map(|&id| i64::from(id)));
            ids.resize((nth + 1) * n_pos, i64::from(padding));
        }
        let n_targets = targets.len();
        Self {
            ids: TensorData::new(ids, [rows.len(), n_pos]),
            places: TensorData::new(places, [n_targets]),
            targets: TensorData::new(targets, [n_targets]),
            n_targets,
        }
    }
}
