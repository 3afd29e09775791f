//! What the functions do that a file may call: they put tensors and containers together.

use super::super::pytorch_types::{Element, Global};
use super::super::stored::Fault;
use super::{Machine, Storage, Tensor, Value};

/// The most axes that a tensor may have, as in PyTorch.
const MAX_AXES: usize = 64;

impl Machine<'_> {
    /// Calls a function that puts tensors or containers together.
    pub(super) fn call(&mut self) -> Result<(), Fault> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let Value::List(arguments) = arguments else {
            return Err(self.broken("a function's arguments are no tuple"));
        };
        let arguments = self.objects.lists[arguments].clone();
        for _ in &arguments {
            self.count()?;
        }
        match (function, arguments.as_slice()) {
            (Value::Global(Global::OrderedDict), []) => self.push_dict(Vec::new()),
            (Value::Global(Global::OrderedDict), [Value::List(pairs)]) => {
                let mut flat = Vec::new();
                for pair in self.objects.lists[*pairs].clone() {
                    let items = match pair {
                        Value::List(it) => self.objects.lists[it].as_slice(),
                        _ => &[],
                    };
                    let [key, value] = items else {
                        return Err(self.broken("a dictionary is made of what is no pair"));
                    };
                    flat.push((*key, *value));
                }
                for _ in &flat {
                    self.count()?;
                }
                self.push_dict(flat)
            }
            (Value::Global(Global::Size), [list @ Value::List(_)]) => self.push(*list),
            (Value::Global(Global::RebuildParameter), [tensor @ Value::Tensor(_), ..]) => {
                self.push(*tensor)
            }
            (
                Value::Global(Global::RebuildTensor),
                [
                    Value::Storage(storage),
                    Value::Int(offset),
                    Value::List(shape),
                    Value::List(strides),
                    rest @ ..,
                ],
            ) => {
                // Behind two that say nothing of the numbers: whether they are to be negated.
                if let Some(Value::Dict(of)) = rest.get(2)
                    && !self.objects.dicts[*of].is_empty()
                {
                    return Err(self.broken(
                        "a tensor is a negated or conjugated view of another; save it after \
                         `.resolve_neg()` and `.resolve_conj()`",
                    ));
                }
                let element = self.objects.storages[*storage].element;
                self.tensor(element, *storage, *offset, [*shape, *strides])
            }
            (
                Value::Global(Global::RebuildTensorOfType),
                [
                    Value::Storage(storage),
                    Value::Int(offset),
                    Value::List(shape),
                    Value::List(strides),
                    _,
                    _,
                    Value::Global(Global::Type(element)),
                    ..,
                ],
            ) => self.tensor(*element, *storage, *offset, [*shape, *strides]),
            (Value::Global(function), _) => {
                Err(self
                    .broken(&format!("`{function}` is called with other arguments than PyTorch's")))
            }
            _ => Err(self.broken("it calls what is no function")),
        }
    }

    fn tensor(
        &mut self,
        element: Element,
        storage: usize,
        offset: i64,
        [shape, strides]: [usize; 2],
    ) -> Result<(), Fault> {
        let [shape, strides] = [shape, strides].map(|list| {
            let items = self.objects.lists[list].iter().take(MAX_AXES + 1);
            items.map(size).collect::<Option<Vec<usize>>>()
        });
        let (Some(shape), Some(strides), Ok(offset)) = (shape, strides, usize::try_from(offset))
        else {
            return Err(self.broken("a tensor's offset, shape or strides are no sizes"));
        };
        if shape.len() != strides.len() || shape.len() > MAX_AXES {
            return Err(self.broken("a tensor has more axes than strides, or too many"));
        }
        for _ in &shape {
            self.count()?;
        }
        let tensor = Tensor { storage, element, offset, shape, strides };
        self.objects.tensors.push(tensor);
        self.push(Value::Tensor(self.objects.tensors.len() - 1))
    }

    /// A storage, which the pickle names and the file holds beside it.
    pub(super) fn storage(&mut self) -> Result<(), Fault> {
        let named = match self.pop()? {
            Value::List(it) => self.objects.lists[it].as_slice(),
            _ => &[],
        };
        let (key, element, len, view) = match *named {
            [
                Value::Text("storage"),
                Value::Global(Global::Storage(element)),
                Value::Text(key),
                _,
                ref len,
            ] => (key, element, size(len), Some(0..usize::MAX)),
            // A file of the older format may say that the storage is a part of another.
            [
                Value::Text("storage"),
                Value::Global(Global::Storage(element)),
                Value::Text(key),
                _,
                ref len,
                view,
            ] => {
                let view = match view {
                    Value::None => Some(0..usize::MAX),
                    Value::List(it) => match self.objects.lists[it].as_slice() {
                        [_, start, len] => size(start)
                            .zip(size(len))
                            .and_then(|(start, len)| Some(start..start.checked_add(len)?)),
                        _ => None,
                    },
                    _ => None,
                };
                (key, element, size(len), view)
            }
            _ => {
                return Err(self.broken("it names something outside the pickle that is no storage"));
            }
        };
        let (Some(whole), Some(view)) = (len, view) else {
            return Err(self.broken("a storage's length is no size"));
        };
        let start = view.start.min(whole);
        let len = view.end.min(whole) - start;
        self.objects.storages.push(Storage { key, element, len, start });
        self.push(Value::Storage(self.objects.storages.len() - 1))
    }
}

fn size(value: &Value<'_>) -> Option<usize> {
    match value {
        Value::Int(it) => usize::try_from(*it).ok(),
        _ => None,
    }
}
