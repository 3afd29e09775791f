//! The tensors of a file that `torch.save` wrote, such as `pytorch_model.bin`.
//!
//! Since PyTorch 1.6 such a file is a zip archive of a pickle and one file per storage; before, it was
//! several pickles and the storages one after the other. Reference: `torch/serialization.py`, `_save` and
//! `_legacy_save`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::pickle::{self, Objects, Pickle, Tensor, Value};
use super::pytorch_types::Element;
use super::stored::{Fault, NumberType, Order, StoredTensor};
use super::zip::{self, Directory, Place};

/// The pickle that the older format begins with.
const LEGACY_MAGIC: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";

/// Where a storage lies in the file, by its name. `None` if it is missing.
type PlaceOf<'a> = dyn Fn(&str) -> Result<Option<Range<usize>>, Fault> + 'a;

/// Reads where each tensor is.
pub(super) fn tensors(bytes: &[u8]) -> Result<Vec<StoredTensor>, Fault> {
    if bytes.starts_with(b"PK") {
        return in_archive(bytes, &zip::directory(bytes)?);
    }
    if bytes.starts_with(LEGACY_MAGIC) {
        return in_a_row(bytes);
    }
    if super::safetensors::tensors(bytes).is_ok() {
        return Err(Fault::invalid("it is a safetensors file; name it `model.safetensors`"));
    }
    Err(Fault::invalid(
        "it is neither a zip archive nor begins as PyTorch's older files do; save the model again with \
         `model.save_pretrained(folder)`",
    ))
}

/// The tensors of a zip archive.
fn in_archive(bytes: &[u8], directory: &Directory<'_>) -> Result<Vec<StoredTensor>, Fault> {
    let mut pickles = directory.keys().filter_map(|name| name.strip_suffix("data.pkl"));
    let prefix = match (pickles.next(), pickles.next()) {
        (Some(prefix), None) => prefix.to_owned(),
        (None, _) => {
            return Err(Fault::invalid(
                "the archive holds no `data.pkl`, so `torch.save` did not write it",
            ));
        }
        (Some(_), Some(_)) => {
            return Err(Fault::invalid(
                "the archive holds several `data.pkl`, and so several files of PyTorch",
            ));
        }
    };
    let file = |name: &str| -> Result<Option<Range<usize>>, Fault> {
        let name = format!("{prefix}{name}");
        match directory.get(name.as_str()) {
            None => Ok(None),
            Some(Place::Stored(range)) => Ok(Some(range.clone())),
            Some(Place::Packed) => Err(Fault::invalid(format!(
                "the archive's file `{name}` is compressed or encrypted, which PyTorch never does; unpack \
                 the archive and pack it again as it is (`zip -0 -r`), or save the model again"
            ))),
        }
    };
    if directory.contains_key(format!("{prefix}constants.pkl").as_str()) {
        return Err(Fault::invalid(
            "it holds a program (TorchScript) and not only tensors; save the weights alone with \
             `torch.save(model.state_dict(), \"pytorch_model.bin\")`",
        ));
    }
    if file("byteorder")?.is_some_and(|it| bytes[it].starts_with(b"big")) {
        return Err(Fault::invalid(BIG_ENDIAN));
    }
    let pickle = file("data.pkl")?.unwrap_or_default();
    let read = pickle::read(&bytes[..pickle.end], pickle.start)?;
    state_dict(&read, bytes.len(), &|key| file(&format!("data/{key}")))
}

/// The tensors of a file of the older format.
fn in_a_row(bytes: &[u8]) -> Result<Vec<StoredTensor>, Fault> {
    // The format's version.
    let mut at = pickle::read(bytes, LEGACY_MAGIC.len())?.end;
    let machine = pickle::read(bytes, at)?;
    let is_big = |(key, value): &(Value<'_>, Value<'_>)| {
        matches!((key, value), (Value::Text("little_endian"), Value::Bool(false)))
    };
    if let Value::Dict(it) = machine.value
        && machine.objects.dicts[it].iter().any(is_big)
    {
        return Err(Fault::invalid(BIG_ENDIAN));
    }
    let read = pickle::read(bytes, machine.end)?;
    let keys = pickle::read(bytes, read.end)?;
    at = keys.end;
    let sizes: BTreeMap<&str, usize> =
        read.objects.storages.iter().map(|it| (it.key, it.element.size)).collect();
    let keys = match keys.value {
        Value::List(it) => keys.objects.lists[it].as_slice(),
        _ => &[],
    };
    let mut places: BTreeMap<&str, Range<usize>> = BTreeMap::new();
    for key in keys {
        let Value::Text(key) = key else {
            return Err(Fault::invalid("a storage's name is no text"));
        };
        let size = sizes.get(key).copied();
        let size =
            size.ok_or_else(|| Fault::invalid(format!("no tensor is in storage `{key}`")))?;
        let cut = |end| Fault::CutShort { what: format!("storage `{key}`"), end };
        let len = bytes.get(at..).and_then(|it| it.first_chunk::<8>());
        let len = len.ok_or_else(|| cut(at.saturating_add(8)))?;
        let n_bytes = usize::try_from(u64::from_le_bytes(*len)).unwrap_or(usize::MAX);
        let end = n_bytes.saturating_mul(size).saturating_add(at + 8);
        if end > bytes.len() {
            return Err(cut(end));
        }
        places.insert(key, at + 8..end);
        at = end;
    }
    state_dict(&read, bytes.len(), &|key| Ok(places.get(key).cloned()))
}

/// The tensors of the dictionary that a pickle is, and of the dictionaries in it, by their keys with dots
/// between. `place`: where a storage lies in the file.
fn state_dict(
    read: &Pickle<'_>,
    file_len: usize,
    place: &PlaceOf<'_>,
) -> Result<Vec<StoredTensor>, Fault> {
    /// How deep a state dict may lie, as in checkpoints of PyTorch Lightning.
    const MAX_DEPTH: usize = 3;
    let Value::Dict(top) = read.value else {
        return Err(Fault::invalid(
            "it holds no dictionary of tensors; save one with \
             `torch.save(model.state_dict(), \"pytorch_model.bin\")`",
        ));
    };
    // A file must not grow in memory by naming the same things again and again.
    let mut names_left = file_len;
    let mut seen = BTreeSet::from([top]);
    let mut dicts = vec![(String::new(), top, 1)];
    let mut tensors = Vec::new();
    while let Some((prefix, dict, depth)) = dicts.pop() {
        for (key, value) in &read.objects.dicts[dict] {
            let Value::Text(key) = key else { continue };
            let left = names_left.checked_sub(prefix.len() + key.len());
            let Some(left) = left else {
                return Err(Fault::invalid("it names the same tensors again and again"));
            };
            names_left = left;
            match value {
                Value::Tensor(it) => {
                    let name = format!("{prefix}{key}");
                    let stored = stored(name, &read.objects.tensors[*it], &read.objects, place)?;
                    tensors.push(stored);
                }
                Value::Dict(it) if depth < MAX_DEPTH && seen.insert(*it) => {
                    dicts.push((format!("{prefix}{key}."), *it, depth + 1));
                }
                _ => {}
            }
        }
    }
    Ok(tensors)
}

/// Where a tensor's numbers lie.
fn stored(
    name: String,
    tensor: &Tensor,
    objects: &Objects<'_>,
    place: &PlaceOf<'_>,
) -> Result<StoredTensor, Fault> {
    let storage = &objects.storages[tensor.storage];
    let Element { dtype, size } = tensor.element;
    let outside =
        || Fault::invalid(format!("tensor `{name}` does not lie in its storage `{}`", storage.key));
    let whole = place(storage.key)?.ok_or_else(|| {
        Fault::invalid(format!("storage `{}` of tensor `{name}` is missing", storage.key))
    })?;
    let n_values = tensor.shape.iter().try_fold(1_usize, |n, &len| n.checked_mul(len));
    let n_values = n_values.ok_or_else(outside)?;
    // The element after the last one, from the tensor's first.
    let span =
        tensor.shape.iter().zip(&tensor.strides).try_fold(1_usize, |end, (&len, &stride)| {
            end.checked_add(len.saturating_sub(1).checked_mul(stride)?)
        });
    let span = if n_values == 0 { 0 } else { span.ok_or_else(outside)? };
    let elements = storage.len.checked_mul(storage.element.size).ok_or_else(outside)?;
    let bytes = || {
        let start = tensor.offset.checked_mul(size)?;
        let end = span.checked_mul(size)?.checked_add(start)?;
        let before = storage.start.checked_mul(storage.element.size)?;
        let last = before.checked_add(end)?.checked_add(whole.start)?;
        (end <= elements && last <= whole.end).then(|| whole.start + before + start..last)
    };
    let bytes = bytes().ok_or_else(outside)?;
    if n_values > span {
        return Err(Fault::invalid(format!(
            "tensor `{name}` repeats the numbers of a smaller one (`expand`); save it with `.contiguous()`"
        )));
    }
    let order = match dtype {
        // A tensor of a type that no model computes with is named, and never read.
        NumberType::Other(_) => Order::Rows,
        _ => Order::of(&tensor.shape, &tensor.strides),
    };
    let shape = tensor.shape.clone();
    Ok(StoredTensor { name, other_name: None, dtype, shape, bytes, order, added: 0.0 })
}

const BIG_ENDIAN: &str = "its numbers are in the byte order of another machine (big-endian); save the \
                          model again on a machine like this one";
