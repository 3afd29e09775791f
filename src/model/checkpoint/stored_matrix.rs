//! A matrix of weights that stays as its file stores it, and is widened to `f32` part by part.

use std::iter::repeat_n;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use rayon::prelude::*;

use super::file_bytes::decode_into;
use super::stored::{Axis, NumberType, Order, StoredTensor};

/// A matrix of weights, or a part of one, in a mapped file. Copies share the map.
#[derive(Clone, Debug)]
pub(crate) struct StoredMatrix {
    /// The numbers of all rows that the file has.
    bytes: Bytes,
    dtype: NumberType,

    /// How many bytes a row of the file takes.
    row_bytes: usize,

    /// The rows of the file in the order of this matrix. `None`: as they lie
    order: Option<Arc<[u32]>>,

    /// The part of that order, or of the file's rows, that belongs to this matrix.
    rows: Range<usize>,

    /// The part of each row of the file that belongs to this matrix.
    columns: Range<usize>,

    /// Whether the rows of the file are this matrix's columns.
    is_turned: bool,
}

impl StoredMatrix {
    /// `None` where the tensor is no matrix of whole rows in any order, or the file's numbers are not
    /// the model's own. `bytes` are those of the tensor.
    pub(super) fn new(tensor: &StoredTensor, bytes: Bytes) -> Option<Self> {
        let &[n_rows, n_columns] = tensor.shape.as_slice() else { return None };
        let (per_block, block_bytes) = tensor.dtype.block()?;
        let (lies, is_turned) = match tensor.order {
            Order::Strides(ref axes) if axes[..] == turned([n_rows, n_columns]) => {
                ([n_columns, n_rows], true)
            }
            _ => ([n_rows, n_columns], false),
        };
        let order = match &tensor.order {
            Order::Strides(axes) if !is_turned => Some(rows_in_order(axes, n_columns)?),
            _ => None,
        };
        let row_bytes = lies[1] / per_block * block_bytes;
        let n_in_file = bytes.len().checked_div(row_bytes)?;
        let are_there = match &order {
            Some(rows) => rows.iter().all(|row| (*row as usize) < n_in_file),
            None => lies[0] <= n_in_file,
        };
        let is_whole = lies[1].is_multiple_of(per_block) && are_there && tensor.added == 0.0;
        let (rows, columns) = (0..lies[0], 0..lies[1]);
        is_whole.then_some(Self {
            bytes,
            dtype: tensor.dtype,
            row_bytes,
            order,
            rows,
            columns,
            is_turned,
        })
    }

    /// A matrix of `f32` numbers, row by row.
    pub fn of_f32(bytes: Bytes, [n_rows, n_columns]: [usize; 2]) -> Self {
        let (dtype, row_bytes) = (NumberType::F32, n_columns * size_of::<f32>());
        let (rows, columns) = (0..n_rows, 0..n_columns);
        Self { bytes, dtype, row_bytes, order: None, rows, columns, is_turned: false }
    }

    /// How many rows and columns it has.
    pub fn dims(&self) -> [usize; 2] {
        let [rows, columns] = [self.rows.len(), self.columns.len()];
        if self.is_turned { [columns, rows] } else { [rows, columns] }
    }

    pub fn n_values(&self) -> usize {
        self.rows.len() * self.columns.len()
    }

    pub fn transpose(mut self) -> Self {
        self.is_turned = !self.is_turned;
        self
    }

    /// Some neighbouring rows (axis 0) or columns (axis 1).
    pub fn narrow(mut self, axis: usize, range: Range<usize>) -> Self {
        let of_rows = (axis == 0) != self.is_turned;
        let all = if of_rows { &mut self.rows } else { &mut self.columns };
        assert!(range.end <= all.len(), "the part lies outside the matrix");
        *all = all.start + range.start..all.start + range.end;
        self
    }

    /// Some rows in another order. `None` if a row lies across those of the file.
    pub fn select_rows(&self, wanted: impl Iterator<Item = usize>) -> Option<Self> {
        if self.is_turned {
            return None;
        }
        let order: Arc<[u32]> = wanted.map(|row| self.row_in_file(row) as u32).collect();
        Some(Self { rows: 0..order.len(), order: Some(order), ..self.clone() })
    }

    /// How many numbers apart two rows are, and two columns, once they are widened.
    pub fn strides(&self) -> [isize; 2] {
        let width = self.columns.len() as isize;
        if self.is_turned { [1, width] } else { [width, 1] }
    }

    /// Widens all numbers, which then lie as the strides say, on all cores.
    ///
    /// # Panics
    ///
    /// If there is room for more or for fewer numbers.
    pub fn widen_into(&self, values: &mut [f32]) {
        /// How many numbers each task widens: enough that handing out tasks costs little.
        const TASK: usize = 1 << 15;
        let width = self.columns.len();
        assert_eq!(values.len(), self.n_values(), "there is room for all numbers and no others");
        if values.is_empty() {
            return;
        }
        let n_rows = TASK.div_ceil(width);
        values.par_chunks_mut(n_rows * width).enumerate().for_each(|(task, values)| {
            for (row, values) in values.chunks_exact_mut(width).enumerate() {
                self.widen_row(task * n_rows + row, values);
            }
        });
    }

    /// All numbers, row by row or column by column, as the strides say.
    pub fn widened(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.n_values()];
        self.widen_into(&mut values);
        values
    }

    /// All numbers, row by row.
    pub fn by_rows(&self) -> Vec<f32> {
        let values = self.widened();
        if !self.is_turned {
            return values;
        }
        let [n_rows, n_columns] = self.dims();
        let row = |row| (0..n_columns).map(move |column| column * n_rows + row);
        (0..n_rows).flat_map(row).map(|at| values[at]).collect()
    }

    /// Widens one of the rows that lie in the file.
    fn widen_row(&self, row: usize, values: &mut [f32]) {
        let (per_block, block_bytes) = self.dtype.block().unwrap_or((1, 0));
        let row = self.row_in_file(row) * self.row_bytes;
        let Range { start, end } = self.columns;
        let blocks = start / per_block..end.div_ceil(per_block);
        let bytes = &self.bytes[row + blocks.start * block_bytes..row + blocks.end * block_bytes];
        if start.is_multiple_of(per_block) && end.is_multiple_of(per_block) {
            return decode_into(bytes, self.dtype, values);
        }
        // The row begins or ends within a block.
        let mut whole: Vec<f32> = repeat_n(0.0, blocks.len() * per_block).collect();
        decode_into(bytes, self.dtype, &mut whole);
        values.copy_from_slice(&whole[start - blocks.start * per_block..][..values.len()]);
    }

    fn row_in_file(&self, row: usize) -> usize {
        let row = self.rows.start + row;
        self.order.as_ref().map_or(row, |order| order[row] as usize)
    }
}

/// The axes of a matrix whose columns lie one after the other.
fn turned([n_rows, n_columns]: [usize; 2]) -> [Axis; 2] {
    [Axis { len: n_rows, stride: 1 }, Axis { len: n_columns, stride: n_rows }]
}

/// Which row of the file each row is, if each lies there whole.
fn rows_in_order(axes: &[Axis], n_columns: usize) -> Option<Arc<[u32]>> {
    let (last, outer) = axes.split_last()?;
    let are_whole = last.stride == 1
        && last.len == n_columns
        && outer.iter().all(|axis| axis.stride.is_multiple_of(n_columns));
    if !are_whole {
        return None;
    }
    let mut rows = vec![0];
    for axis in outer {
        let steps = (0..axis.len).map(|nth| nth * (axis.stride / n_columns));
        let steps: Vec<usize> = steps.collect();
        rows = rows.iter().flat_map(|row| steps.iter().map(move |step| row + step)).collect();
    }
    rows.into_iter().map(|row| u32::try_from(row).ok()).collect()
}
