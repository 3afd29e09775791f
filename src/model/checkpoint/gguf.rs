//! The tensors and the configuration of a GGUF file, under the names that Hugging Face gives them.

use serde_json::Value;

use super::gguf_families::{Change, FAMILIES, Family, LLAMA3_FACTORS, Says, missing};
use super::gguf_said;
use super::stored::{Axis, Fault, NumberType, Order, StoredTensor};
use crate::gguf::{GgufError, Header, Tensor};

/// The text of the `config.json` that the model would have.
pub(super) fn config(bytes: &[u8]) -> Result<String, Fault> {
    let header = Header::read(bytes)?;
    let family = family(&header)?;
    let says = Says { bytes, header: &header, architecture: family.architecture };
    let mut config = (family.config)(&says)?;
    gguf_said::check(&says)?;
    if let Value::Object(fields) = &mut config {
        fields.retain(|_, value| !value.is_null());
    }
    Ok(config.to_string())
}

/// Reads where each tensor is.
pub(super) fn tensors(bytes: &[u8]) -> Result<Vec<StoredTensor>, Fault> {
    let header = Header::read(bytes)?;
    let family = family(&header)?;
    let says = Says { bytes, header: &header, architecture: family.architecture };
    // What this tensor says stands in the configuration.
    let tensors = header.tensors.iter().filter(|it| it.name != LLAMA3_FACTORS);
    tensors.map(|tensor| stored(&says, family, tensor)).collect()
}

/// The name in the file of a tensor by Hugging Face's name.
pub(super) fn name_in_file(bytes: &[u8], name: &str) -> Option<String> {
    family(&Header::read(bytes).ok()?).ok()?.name_in_file(name)
}

/// The lengths of a tensor's axes in the order of ggml, the fastest first, from its shape in Hugging Face's
/// files.
pub(super) fn shape_in_file(bytes: &[u8], tensor: &str, shape: &[usize]) -> Vec<usize> {
    let header = Header::read(bytes).ok();
    let family = header.as_ref().and_then(|it| family(it).ok());
    match family.map(|it| it.name_of(tensor).1) {
        Some(Change::Transposed) => shape.to_vec(),
        _ => shape.iter().rev().copied().collect(),
    }
}

pub(super) fn family(header: &Header<'_>) -> Result<&'static Family, Fault> {
    if header.tensors.is_empty() {
        return Err(Fault::invalid(
            "it holds no tensors, only a tokenizer or less; get the file with the model's weights",
        ));
    }
    let name = header.text("general.architecture")?;
    let name = name.ok_or_else(|| missing("general.architecture"))?;
    FAMILIES.iter().find(|it| it.architecture == name).ok_or_else(|| {
        let known: Vec<&str> = FAMILIES.iter().map(|it| it.architecture).collect();
        Fault::invalid(format!(
            "its `general.architecture` is `{name}`, which cannot be opened; these can: {}",
            known.join(", ")
        ))
    })
}

/// Where a tensor's numbers lie, under the name and in the shape that Hugging Face gives it.
fn stored(says: &Says<'_>, family: &Family, tensor: &Tensor<'_>) -> Result<StoredTensor, Fault> {
    let name = tensor.name;
    let dtype = number_type(tensor.kind).ok_or_else(|| {
        let kind = tensor.kind;
        Fault::invalid(format!(
            "tensor `{name}` is of the type {kind} of ggml, which is not known here"
        ))
    })?;
    let axes = &tensor.axes[..tensor.n_axes];
    let mut shape: Vec<usize> = axes.iter().rev().copied().collect();
    let start = says.header.data_start.saturating_add(tensor.start);
    let (per_block, block_len) = dtype.block().unwrap_or((1, 0));
    if !tensor.axes[0].is_multiple_of(per_block) {
        return Err(Fault::invalid(format!(
            "tensor `{name}` has rows of {}, but {dtype} has blocks of {per_block}",
            tensor.axes[0]
        )));
    }
    let n_values = axes.iter().try_fold(1_usize, |n, &len| n.checked_mul(len));
    let n_bytes = n_values.and_then(|it| (it / per_block).checked_mul(block_len));
    let end = n_bytes.and_then(|it| it.checked_add(start)).unwrap_or(usize::MAX);
    if end > says.bytes.len() {
        return Err(Fault::CutShort { what: format!("tensor `{name}`"), end });
    }
    let (name, change) = family.name_of(name);
    let mut order = Order::Rows;
    let mut added = 0.0;
    let columns = shape.get(1).copied().unwrap_or(1);
    match change {
        Change::Same => {}
        Change::Transposed => {
            // A bias has no other orientation.
            if let [rows, columns] = shape[..] {
                shape.reverse();
                order = Order::Strides(axes_of([(columns, 1), (rows, columns)]));
            }
        }
        Change::OneAdded => added = 1.0,
        Change::HalvesTogether(heads) => {
            let n_heads = says.size(heads)?;
            let half = part_of(says, (heads, n_heads.saturating_mul(2)), (&shape, tensor.name))?;
            order = Order::Strides(axes_of([
                (n_heads, 2 * half * columns),
                (2, columns),
                (half, 2 * columns),
                (columns, 1),
            ]));
        }
        Change::HeadsTogether => {
            let heads = "attention.head_count";
            let n_heads = says.size(heads)?;
            let d_head = part_of(says, (heads, n_heads.saturating_mul(3)), (&shape, tensor.name))?;
            order = Order::Strides(axes_of([
                (n_heads, d_head * columns),
                (3, n_heads * d_head * columns),
                (d_head, columns),
                (columns, 1),
            ]));
        }
    }
    let other_name = Some(tensor.name.to_owned());
    Ok(StoredTensor { name, other_name, dtype, shape, bytes: start..end, order, added })
}

fn axes_of<const N: usize>(axes: [(usize, usize); N]) -> Vec<Axis> {
    axes.map(|(len, stride)| Axis { len, stride }).into()
}

/// How many rows each of so many equal parts of a tensor has. `heads` are the metadata that count the
/// heads.
fn part_of(
    says: &Says<'_>,
    (heads, n_parts): (&str, usize),
    (shape, name): (&[usize], &str),
) -> Result<usize, Fault> {
    let n_rows = shape.first().copied().unwrap_or(0);
    if n_parts == 0 || !n_rows.is_multiple_of(n_parts) {
        let n_heads = says.size(heads)?;
        return Err(Fault::invalid(format!(
            "tensor `{name}` has {n_rows} rows, which are not {n_parts} equal parts of heads; metadata \
             `{}.{heads}` is {n_heads}",
            says.architecture
        )));
    }
    Ok(n_rows / n_parts)
}

/// A type of ggml by its number.
fn number_type(kind: u32) -> Option<NumberType> {
    Some(NumberType::Other(match kind {
        0 => return Some(NumberType::F32),
        1 => return Some(NumberType::F16),
        2 => return Some(NumberType::Q4_0),
        3 => return Some(NumberType::Q4_1),
        6 => return Some(NumberType::Q5_0),
        7 => return Some(NumberType::Q5_1),
        8 => return Some(NumberType::Q8_0),
        12 => return Some(NumberType::Q4K),
        13 => return Some(NumberType::Q5K),
        14 => return Some(NumberType::Q6K),
        30 => return Some(NumberType::BF16),
        9 => "Q8_1",
        10 => "Q2_K",
        11 => "Q3_K",
        15 => "Q8_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        20 => "IQ4_NL",
        21 => "IQ3_S",
        22 => "IQ2_S",
        23 => "IQ4_XS",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        29 => "IQ1_M",
        34 => "TQ1_0",
        35 => "TQ2_0",
        39 => "MXFP4",
        40 => "NVFP4",
        _ => return None,
    }))
}

impl From<GgufError> for Fault {
    fn from(error: GgufError) -> Self {
        match error {
            GgufError::CutShort { what, end } => Self::CutShort { what, end },
            other => Self::invalid(other.to_string()),
        }
    }
}
