//! Indices along an axis, as tensors on a device.

use burn::tensor::{Device, Int, Tensor, TensorData};

/// Indices as a tensor. `[index]`
pub(super) fn indices(values: &[usize], device: &Device) -> Tensor<1, Int> {
    int_tensor(values.iter().map(|&value| value as i32).collect(), device)
}

/// Whole numbers as a tensor. `[index]`
pub(super) fn int_tensor(values: Vec<i32>, device: &Device) -> Tensor<1, Int> {
    let shape = [values.len()];
    Tensor::from_data(TensorData::new(values, shape), device)
}
