//! What the weights of a model take in memory.

use serde::Serialize;

use super::Checkpoint;

/// What the weights of a model take in memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WeightMemory {
    /// Weights that the CPU reads in the file, which the system keeps in memory as far as there is room.
    pub in_file: u64,

    /// Weights that are copied as `f32` for the CPU.
    pub copied: u64,

    /// All weights in the memory of a graphics adapter, as `f32`.
    pub on_adapter: u64,
}

impl Checkpoint {
    /// What the weights take in memory.
    pub fn memory(&self) -> WeightMemory {
        let mut memory = WeightMemory::default();
        for location in self.tensors.values() {
            let n_values: usize = location.tensor.shape.iter().product();
            let as_f32 = (n_values * size_of::<f32>()) as u64;
            if self.mapped(location).is_some() || self.matrix(location).is_some() {
                memory.in_file += location.tensor.bytes.len() as u64;
            } else {
                memory.copied += as_f32;
            }
            memory.on_adapter += as_f32;
        }
        memory
    }
}
