//! The tensors of a safetensors file.

use safetensors::tensor::{Dtype, Metadata, SafeTensorError, SafeTensors};

use super::stored::{Fault, NumberType, Order, StoredTensor};

/// Reads where each tensor is, in the order of their names.
pub(super) fn tensors(bytes: &[u8]) -> Result<Vec<StoredTensor>, Fault> {
    check_header(bytes)?;
    let (header_len, metadata) =
        SafeTensors::read_metadata(bytes).map_err(|error| fault(&error, bytes))?;
    let data_start = 8 + header_len;
    let mut tensors: Vec<StoredTensor> = metadata
        .tensors()
        .into_iter()
        .map(|(name, info)| StoredTensor {
            name,
            other_name: None,
            dtype: number_type(info.dtype),
            shape: info.shape.clone(),
            bytes: data_start + info.data_offsets.0..data_start + info.data_offsets.1,
            order: Order::Rows,
            added: 0.0,
        })
        .collect();
    tensors.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(tensors)
}

/// Refuses a header of millions of numbers, which would take forty times its size in memory. A tensor has
/// eight bytes and more for each of its values.
fn check_header(bytes: &[u8]) -> Result<(), Fault> {
    const N_VALUES: usize = 100_000;
    // The reader takes none that is larger.
    const MOST: u64 = 100_000_000;
    let Some((size, rest)) = bytes.split_first_chunk::<8>() else { return Ok(()) };
    let size = u64::from_le_bytes(*size).min(MOST) as usize;
    let header = rest.get(..size).unwrap_or_default();
    let n_values = header.split(|it| *it == b',').count();
    if n_values > N_VALUES + header.len() / 8 {
        let reason = "its header has more numbers than tensors need";
        return Err(Fault::invalid(format!("{reason}; copy or download the file again")));
    }
    Ok(())
}

fn number_type(dtype: Dtype) -> NumberType {
    NumberType::Other(match dtype {
        Dtype::F32 => return NumberType::F32,
        Dtype::F16 => return NumberType::F16,
        Dtype::BF16 => return NumberType::BF16,
        Dtype::F64 => "F64",
        Dtype::I64 => "I64",
        Dtype::I32 => "I32",
        Dtype::I16 => "I16",
        Dtype::I8 => "I8",
        Dtype::U64 => "U64",
        Dtype::U32 => "U32",
        Dtype::U16 => "U16",
        Dtype::U8 => "U8",
        Dtype::BOOL => "BOOL",
        Dtype::F8_E4M3 => "F8_E4M3",
        Dtype::F8_E5M2 => "F8_E5M2",
        Dtype::C64 => "C64",
        _ => "of a newer kind",
    })
}

/// What is wrong with a header that cannot be read. If the file is too short, that names the first tensor
/// that is cut off.
fn fault(error: &SafeTensorError, bytes: &[u8]) -> Fault {
    let header = || -> Option<(usize, Metadata)> {
        let (size, rest) = bytes.split_first_chunk::<8>()?;
        let size = usize::try_from(u64::from_le_bytes(*size)).ok()?;
        Some((8 + size, serde_json::from_slice(rest.get(..size)?).ok()?))
    };
    if matches!(error, SafeTensorError::MetadataIncompleteBuffer)
        && let Some((data_start, metadata)) = header()
    {
        let mut tensors: Vec<_> = metadata.tensors().into_iter().collect();
        tensors.sort_by_key(|(_, info)| info.data_offsets);
        for (tensor, info) in tensors {
            let end = data_start + info.data_offsets.1;
            if end > bytes.len() {
                return Fault::CutShort { what: format!("tensor `{tensor}`"), end };
            }
        }
    }
    let what = match error {
        SafeTensorError::HeaderTooSmall | SafeTensorError::InvalidHeaderLength => {
            "it ends inside its header".to_owned()
        }
        SafeTensorError::HeaderTooLarge => {
            "its first eight bytes are no header's length, so it is another kind of file".to_owned()
        }
        SafeTensorError::InvalidHeader(_) | SafeTensorError::InvalidHeaderDeserialization(_) => {
            format!("its header is damaged or that of another kind of file ({error})")
        }
        SafeTensorError::InvalidOffset(tensor) => {
            format!("tensor `{tensor}` does not lie where the one before it ends")
        }
        SafeTensorError::MetadataIncompleteBuffer => "it is longer than its header says".to_owned(),
        other => format!("its header contradicts itself ({other})"),
    };
    Fault::invalid(format!(
        "{what}; a download may have been cut, or a server's answer saved under this name: copy or \
         download the file again"
    ))
}
