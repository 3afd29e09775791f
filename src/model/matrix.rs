//! A matrix of weights: numbers of the device that computes, or numbers that stay as their file has them.

use burn::tensor::{Device, Tensor};

use super::checkpoint::StoredMatrix;
use super::cpu;

/// A matrix of weights. `[rows, columns]`
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a layer has a few")]
pub(super) enum Matrix {
    /// Numbers of the device, whichever way they lie.
    Wide(Tensor<2>),

    /// Numbers in the file, which the CPU widens where it computes with them.
    Stored(StoredMatrix),
}

impl Matrix {
    pub fn dims(&self) -> [usize; 2] {
        match self {
            Self::Wide(tensor) => tensor.dims(),
            Self::Stored(stored) => stored.dims(),
        }
    }

    /// The device that computes with it.
    pub fn device(&self) -> Device {
        match self {
            Self::Wide(tensor) => tensor.device(),
            Self::Stored(_) => Device::flex(),
        }
    }

    pub fn transpose(self) -> Self {
        match self {
            Self::Wide(tensor) => Self::Wide(tensor.transpose()),
            Self::Stored(stored) => Self::Stored(stored.transpose()),
        }
    }

    /// Some neighbouring rows (axis 0) or columns (axis 1).
    pub fn narrow(self, axis: usize, start: usize, len: usize) -> Self {
        match self {
            Self::Wide(tensor) => Self::Wide(tensor.narrow(axis, start, len)),
            Self::Stored(stored) => Self::Stored(stored.narrow(axis, start..start + len)),
        }
    }

    /// All numbers, which take memory of their own if the file has them in another type.
    pub fn widen(&self) -> Tensor<2> {
        match self {
            Self::Wide(tensor) => tensor.clone(),
            Self::Stored(stored) => {
                let [n_rows, n_columns] = stored.dims();
                let values = stored.widened();
                if stored.strides()[1] == 1 {
                    cpu::tensor(values, [n_rows, n_columns])
                } else {
                    cpu::tensor(values, [n_columns, n_rows]).transpose()
                }
            }
        }
    }

    /// The product `x M`. `[n, rows]` to `[n, columns]`
    pub fn after(&self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Wide(tensor) => x.matmul(tensor.clone()),
            Self::Stored(_) => cpu::product_of(&x, self).unwrap_or_else(|| x.matmul(self.widen())),
        }
    }

    /// The product `M c`. `[columns]` to `[rows]`
    pub fn times(&self, column: Tensor<1>) -> Tensor<1> {
        match self {
            Self::Wide(tensor) => {
                tensor.clone().matmul(column.unsqueeze_dim(1)).squeeze_dim::<1>(1)
            }
            Self::Stored(_) => {
                self.clone().transpose().after(column.unsqueeze()).squeeze_dim::<1>(0)
            }
        }
    }
}

impl From<Tensor<2>> for Matrix {
    fn from(tensor: Tensor<2>) -> Self {
        Self::Wide(tensor)
    }
}
