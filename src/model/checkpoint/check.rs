//! Checks that weight files hold the tensors of a configuration, and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::path::{Path, PathBuf};

use super::super::config::Unembedding;
use super::super::family;
use super::super::size_of_shape::Size;
use super::super::tensor_names::{HEADS, bias_beside, expected_tensors};
use super::other_folder::MERGE;
use super::{Checkpoint, LoadError, Location, NumberType, WeightFile};

impl Checkpoint {
    /// Checks that there is every tensor of the configuration, with its shape, and no other, and that
    /// each is in the file that the index names, if there is an index.
    ///
    /// Of a tied pair either name will do, and what other models have beside the language model is left
    /// out.
    pub(super) fn check(&mut self) -> Result<(), LoadError> {
        self.leave_out_heads();
        self.check_ends()?;
        let names = self.config.family.names();
        if self.config.unembedding == Unembedding::Tied
            && !self.tensors.contains_key(names.embedding)
            && let Some(tied) = self.tensors.remove(names.unembedding)
        {
            self.tensors.insert(names.embedding.to_owned(), tied);
        }
        let path_of = |it: &Location| self.path_of(it).to_owned();
        let mut expected = BTreeSet::new();
        // This stops at the first missing tensor, so a configuration that claims millions of layers
        // costs no time.
        for (name, shape) in expected_tensors(&self.config) {
            let found = self.tensors.get(&name).ok_or_else(|| self.missing(&name))?;
            if found.tensor.shape != shape {
                return Err(self.misshapen(&name, found, &shape));
            }
            self.check_index(found)?;
            expected.insert(name);
        }
        // A tied model's file may hold the unembedding too, if it equals the token embedding.
        let vocabularies = [names.unembedding, names.embedding].map(|it| self.tensors.get(it));
        if let [Some(head), Some(wte)] = vocabularies
            && self.config.unembedding == Unembedding::Tied
        {
            if !self.is_same(head, wte) {
                let (tensor, path) = (head.tensor.in_file().to_owned(), path_of(head));
                return Err(LoadError::NotTied { tensor, path });
            }
            expected.insert(names.unembedding.to_owned());
        }
        for (name, found) in &self.tensors {
            let (tensor, path) = (found.tensor.in_file().to_owned(), path_of(found));
            if !expected.contains(name) {
                let fault = if let Some(adapter) = adapter_of(name) {
                    format!("belongs to an adapter ({adapter}); {MERGE}")
                } else {
                    "is not part of a model of this configuration; weights and configuration are of two \
                     models, or its numbers of layers and sizes are wrong: get both again"
                        .to_owned()
                };
                return Err(LoadError::Tensor { tensor, fault, path });
            }
            if let other @ NumberType::Other(_) = found.tensor.dtype {
                return Err(LoadError::Dtype { tensor, found: other, path });
            }
        }
        Ok(())
    }

    /// Whether two tensors of one shape have the same numbers, or those that are left where one of them was
    /// rounded, or cut off, to the coarser type.
    fn is_same(&self, a: &Location, b: &Location) -> bool {
        /// Two matrices of this many numbers are in memory at a time.
        const N_VALUES: usize = 1 << 22;
        let types = [a.tensor.dtype, b.tensor.dtype];
        if types[0] == types[1] && a.tensor.order == b.tensor.order {
            return self.raw(a) == self.raw(b);
        }
        let (Some(a), Some(b)) = (self.matrix(a), self.matrix(b)) else { return false };
        let is_close = |(a, b): (&f32, &f32)| {
            let step = |it: NumberType| it.step(a.abs().max(b.abs()));
            let is_rounded = || {
                types[0] != types[1]
                    && (a - b).abs() < types.map(step).into_iter().fold(0.0, f32::max)
            };
            a == b || a.is_nan() && b.is_nan() || is_rounded()
        };
        let [n_rows, n_columns] = a.dims();
        let n_together = (N_VALUES / n_columns.max(1)).max(1);
        (0..n_rows).step_by(n_together).all(|start| {
            let rows = start..(start + n_together).min(n_rows);
            let [a, b] = [&a, &b].map(|it| it.clone().narrow(0, rows.clone()).by_rows());
            a.iter().zip(&b).all(is_close)
        })
    }

    /// Checks that no matrix lies in zeros which go on to the end of its file. A download that makes room
    /// for the whole file and is then broken off leaves one of the right size.
    fn check_ends(&self) -> Result<(), LoadError> {
        for (nth, WeightFile { path, bytes }) in self.files.iter().enumerate() {
            let n_zeros = bytes.iter().rev().take_while(|it| **it == 0).count();
            let from = bytes.len() - n_zeros;
            let is_empty = |it: &&Location| {
                it.file == nth && it.tensor.shape.len() > 1 && it.tensor.bytes.start >= from
            };
            let empty = self.tensors.values().filter(is_empty);
            if let Some(first) = empty.min_by_key(|it| it.tensor.bytes.start) {
                let tensor = first.tensor.in_file().to_owned();
                return Err(LoadError::Unfilled { tensor, from, path: path.clone() });
            }
        }
        Ok(())
    }

    /// Takes out the heads of models that do more than go on with a text, and names what else is left out.
    fn leave_out_heads(&mut self) {
        let is_head = |name: &str| {
            let part = name.split('.').next().unwrap_or_default();
            let is_named =
                (part.ends_with("_head") || part.ends_with("_heads")) && part != "lm_head";
            is_named || HEADS.iter().any(|head| name.starts_with(head))
        };
        let (heads, rest) =
            mem::take(&mut self.tensors).into_iter().partition(|(name, _)| is_head(name));
        self.tensors = rest;
        let heads: BTreeMap<String, Location> = heads;
        self.left_out = heads.into_values().map(|it| it.tensor.name).collect();
        // `transformers` would open the model that the adapter is of, with it.
        if self.dir.join(ADAPTER).is_file() {
            self.left_out.push(format!("the adapter (LoRA) of {ADAPTER}, which is not merged"));
        }
    }

    /// The error for a tensor of another shape than the configuration gives it.
    fn misshapen(&self, name: &str, found: &Location, expected: &[usize]) -> LoadError {
        let (format, bytes) = (self.format, &self.files[found.file].bytes);
        let tensor = found.tensor.in_file();
        let sizes = Size::behind(&self.config, name, &found.tensor.shape);
        let sizes: Vec<String> = sizes
            .into_iter()
            .map(|size| {
                let (field, n) = (size.field(self.config.family), size.of(&self.config));
                match format.key_in_file(bytes, field) {
                    Some(key) => format!("metadata `{key}` ({n})"),
                    None if family::gives(&self.config_text, field) => format!("`{field}` ({n})"),
                    None => format!("`{field}` ({n}, as in `transformers` where it is not given)"),
                }
            })
            .collect();
        let place = if format.has_config() { "" } else { " in `config.json`" };
        LoadError::Shape {
            tensor: tensor.to_owned(),
            found: format.shape_in_file(bytes, tensor, &found.tensor.shape),
            expected: format.shape_in_file(bytes, tensor, expected),
            said: format!("{}{place}", sizes.join(" and ")),
            path: self.path_of(found).to_owned(),
        }
    }

    /// The error for a tensor that is in no file, under the name that it would have there.
    fn missing(&self, name: &str) -> LoadError {
        let path = self.list.clone();
        let names = self.config.family.names();
        let all = || self.tensors.values().map(|it| &it.tensor);
        if let Some((it, adapter)) = all().find_map(|it| Some((it, adapter_of(&it.name)?))) {
            let fault = format!("belongs to an adapter ({adapter}); {MERGE}");
            return LoadError::Tensor { tensor: it.in_file().to_owned(), fault, path };
        }
        if let Some(it) = self.tensors.values().find(|it| is_quantised(&it.tensor.name)) {
            let fault = "is of weights that another program has quantised (as GPTQ, AWQ, bitsandbytes do), \
                         which cannot be read; open the model before it was quantised, or a GGUF file of it";
            let tensor = it.tensor.in_file().to_owned();
            return LoadError::Tensor { tensor, fault: fault.to_owned(), path };
        }
        let others = self.tensors.values().map(|it| it.tensor.name.as_str());
        if let Some(prefix) = prefix_before(name, names.prefixes, others) {
            return LoadError::Prefix { prefix, path };
        }
        if let Some((it, fault)) = all().find_map(|it| Some((it, wrapped(&it.name)?))) {
            return LoadError::Tensor { tensor: it.in_file().to_owned(), fault, path };
        }
        let is_unembedding = [names.unembedding, &bias_beside(names.unembedding)].contains(&name);
        // Of one file, all names but the unembedding's have one prefix.
        let mut prefixes = self.tensors.iter().filter_map(|(plain, it)| {
            it.tensor.name.strip_suffix(plain).filter(|it| names.prefixes.contains(it))
        });
        let prefix = prefixes.next().filter(|_| !is_unembedding).unwrap_or_default();
        let name = format!("{prefix}{name}");
        let tensor = self.files.first().and_then(|it| self.format.name_in_file(&it.bytes, &name));
        let tensor = tensor.unwrap_or(name);
        if let Some(said) = self.index.as_ref().and_then(|it| it.get(&tensor)) {
            return self.disagrees(&tensor, Some(said), None);
        }
        let is_whole = self.format.has_config();
        let together = if is_whole { "" } else { " together with its `config.json`" };
        LoadError::Missing { tensor, together, path }
    }

    /// Checks that a tensor is in the file that the index names, if there is an index.
    fn check_index(&self, found: &Location) -> Result<(), LoadError> {
        let Some(index) = &self.index else { return Ok(()) };
        let (said, path) = (index.get(&found.tensor.name), self.path_of(found));
        if said.is_some_and(|it| it == path) {
            return Ok(());
        }
        Err(self.disagrees(&found.tensor.name, said.map(PathBuf::as_path), Some(path)))
    }

    /// The error for a tensor that is in another file than the index says.
    fn disagrees(&self, tensor: &str, said: Option<&Path>, found: Option<&Path>) -> LoadError {
        let name =
            |path: &Path| format!("`{}`", path.file_name().unwrap_or_default().to_string_lossy());
        let said = said.map_or_else(|| "no file".to_owned(), name);
        let found = found.map_or_else(|| "no file".to_owned(), name);
        let reason = format!(
            "it says that tensor `{tensor}` is in {said}, but it is in {found}; index and files are not \
             of the same save, so get all of them again"
        );
        LoadError::Index { path: self.list.clone(), reason }
    }
}

/// What stands beside an adapter's weights.
const ADAPTER: &str = "adapter_config.json";

/// The kind of adapter that a tensor is a part of, by its name.
fn adapter_of(name: &str) -> Option<&'static str> {
    const KINDS: [(&str, &str); 2] = [(".lora_", "LoRA"), (".ia3_", "IA³")];
    KINDS.into_iter().find(|(part, _)| name.contains(part)).map(|(_, kind)| kind)
}

/// What is wrong with a tensor that a wrapper within the model has named.
fn wrapped(name: &str) -> Option<String> {
    const WRAPPERS: [&str; 4] =
        ["_checkpoint_wrapped_module", "_fsdp_wrapped_module", "_forward_module", "_orig_mod"];
    if name.contains(".parametrizations.") {
        return Some(
            "is what PyTorch computes a weight from (a parametrization); take it off with \
             `torch.nn.utils.parametrize.remove_parametrizations` and save the model again"
                .to_owned(),
        );
    }
    let wrapper = WRAPPERS.into_iter().find(|it| name.split('.').any(|part| part == *it))?;
    Some(format!(
        "has `{wrapper}.` in its name, as a wrapped layer leaves it; save the model inside the wrapper, or take \
         `{wrapper}.` away from the names"
    ))
}

/// Whether a tensor holds integers in place of a weight, or says how to read them, by its name.
fn is_quantised(name: &str) -> bool {
    const ENDINGS: [&str; 7] =
        [".qweight", ".qzeros", ".weight_packed", ".absmax", ".quant_map", ".SCB", ".weight_scale"];
    ENDINGS.iter().any(|it| name.ends_with(it))
}

/// What stands before each tensor's name, if the tensor that is looked for is there but for it.
fn prefix_before<'a>(
    missing: &str,
    usual: &[&str],
    names: impl Iterator<Item = &'a str>,
) -> Option<String> {
    let before = |name: &'a str| {
        let prefix = name.strip_suffix(missing)?;
        Some(usual.iter().find_map(|it| prefix.strip_suffix(it)).unwrap_or(prefix))
    };
    names.filter_map(before).find(|it| it.ends_with('.')).map(str::to_owned)
}
