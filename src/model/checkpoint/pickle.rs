//! Reads the pickles that PyTorch writes, and runs no code.
//!
//! A pickle is a program for a machine with a stack, which can call any Python function. This machine knows
//! the functions that put tensors together, by their names; any other name is refused. Reference:
//! `pickletools.py` of the standard library, and `torch/_weights_only_unpickler.py`.

use std::collections::BTreeMap;

use super::pytorch_types::{Element, Global};
use super::stored::Fault;

/// What a pickle holds. Containers are kept in [`Objects`], so that no depth of nesting is too deep.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    Text(&'a str),

    /// A value that no tensor is made of, such as a float.
    Other,
    Global(Global),

    /// The index of a list, a tuple or a set.
    List(usize),

    /// The index of a dictionary.
    Dict(usize),

    /// The index of a storage.
    Storage(usize),

    /// The index of a tensor.
    Tensor(usize),
}

/// The objects that the values of a pickle point to.
#[derive(Debug, Default)]
pub(super) struct Objects<'a> {
    pub lists: Vec<Vec<Value<'a>>>,
    pub dicts: Vec<Vec<(Value<'a>, Value<'a>)>>,
    pub storages: Vec<Storage<'a>>,
    pub tensors: Vec<Tensor>,
}

/// The numbers that one tensor or several are views of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Storage<'a> {
    /// Its name in the file.
    pub key: &'a str,
    pub element: Element,

    /// How many elements it has.
    pub len: usize,

    /// The element of the storage `key` with which it begins.
    pub start: usize,
}

/// A view of a storage.
#[derive(Clone, Debug)]
pub(super) struct Tensor {
    /// The index of its storage.
    pub storage: usize,
    pub element: Element,

    /// Its first element in the storage.
    pub offset: usize,
    pub shape: Vec<usize>,

    /// For each axis, how many elements further its next index lies.
    pub strides: Vec<usize>,
}

/// A pickle that was read.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    pub value: Value<'a>,
    pub objects: Objects<'a>,

    /// The byte after it.
    pub end: usize,
}

/// The most values that a pickle may make. Each takes some 60 bytes of memory; a file of 25,000 tensors
/// makes as many.
const MAX_VALUES: usize = 1 << 19;

/// The most axes that a tensor may have, as in PyTorch.
const MAX_AXES: usize = 64;

/// The machine that a pickle is a program for.
struct Machine<'a> {
    bytes: &'a [u8],

    /// The byte that is read next.
    at: usize,

    /// The byte of the instruction that is carried out, for messages.
    instruction: usize,
    stack: Vec<Value<'a>>,

    /// Where on the stack each mark stands.
    marks: Vec<usize>,
    memo: BTreeMap<usize, Value<'a>>,
    objects: Objects<'a>,
    n_values: usize,
}

/// Reads the pickle that begins at a byte.
pub(super) fn read(bytes: &[u8], start: usize) -> Result<Pickle<'_>, Fault> {
    let mut machine = Machine {
        bytes,
        at: start,
        instruction: start,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: BTreeMap::new(),
        objects: Objects::default(),
        n_values: 0,
    };
    loop {
        machine.instruction = machine.at;
        let [code] = machine.take()?;
        if code == b'.' {
            let value = machine.pop()?;
            return Ok(Pickle { value, objects: machine.objects, end: machine.at });
        }
        machine.step(code)?;
    }
}

impl<'a> Machine<'a> {
    /// Carries out one instruction.
    fn step(&mut self, code: u8) -> Result<(), Fault> {
        match code {
            // PROTO, FRAME
            0x80 => self.protocol(),
            0x95 => self.take::<8>().map(|_| ()),
            // Plain values.
            b'N' => self.push(Value::None),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'K' => {
                let [byte] = self.take()?;
                self.push(Value::Int(byte.into()))
            }
            b'M' => {
                let short = u16::from_le_bytes(self.take()?);
                self.push(Value::Int(short.into()))
            }
            b'J' => {
                let int = i32::from_le_bytes(self.take()?);
                self.push(Value::Int(int.into()))
            }
            0x8a => self.long::<1>(),
            0x8b => self.long::<4>(),
            b'G' => {
                self.take::<8>()?;
                self.push(Value::Other)
            }
            // Texts, and Python 2's strings.
            0x8c | b'U' => self.text::<1>(),
            b'X' | b'T' => self.text::<4>(),
            0x8d => self.text::<8>(),
            // Bytes.
            b'C' => self.skipped::<1>(),
            b'B' => self.skipped::<4>(),
            0x8e | 0x96 => self.skipped::<8>(),
            // The stack.
            b'(' => {
                self.marks.push(self.stack.len());
                self.count()
            }
            b'0' => self.pop().map(|_| ()),
            b'1' => self.pop_to_mark().map(|_| ()),
            b'2' => {
                let top = self.pop()?;
                self.push(top)?;
                self.push(top)
            }
            b'h' => {
                let [index] = self.take()?;
                self.recall(index.into())
            }
            b'j' => {
                let index = u32::from_le_bytes(self.take()?);
                self.recall(index as usize)
            }
            b'q' => {
                let [index] = self.take()?;
                self.remember(index.into())
            }
            b'r' => {
                let index = u32::from_le_bytes(self.take()?);
                self.remember(index as usize)
            }
            0x94 => self.remember(self.memo.len()),
            _ => self.step_of_object(code),
        }
    }

    /// Carries out an instruction on containers, functions or storages.
    fn step_of_object(&mut self, code: u8) -> Result<(), Fault> {
        match code {
            // Lists, tuples and sets.
            b']' | b')' | 0x8f => self.push_list(Vec::new()),
            b'l' | b't' | 0x91 => {
                let items = self.pop_to_mark()?;
                self.push_list(items)
            }
            0x85..=0x87 => {
                let n = usize::from(code - 0x84);
                let start = self.stack.len().checked_sub(n).filter(|&it| it >= self.floor());
                let start = start.ok_or_else(|| self.broken("it takes too many values"))?;
                let items = self.stack.split_off(start);
                self.push_list(items)
            }
            b'a' => {
                let item = self.pop()?;
                self.top_list()?.push(item);
                Ok(())
            }
            b'e' | 0x90 => {
                let items = self.pop_to_mark()?;
                self.top_list()?.extend(items);
                Ok(())
            }
            // Dictionaries.
            b'}' => self.push_dict(Vec::new()),
            b'd' => {
                let items = self.pop_to_mark()?;
                let pairs = self.pairs(&items)?;
                self.push_dict(pairs)
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.top_dict()?.push((key, value));
                Ok(())
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                let pairs = self.pairs(&items)?;
                self.top_dict()?.extend(pairs);
                Ok(())
            }
            // Functions, by their names.
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(module, name)
            }
            0x93 => match (self.pop()?, self.pop()?) {
                (Value::Text(name), Value::Text(module)) => self.global(module, name),
                _ => Err(self.broken("a function's name is no text")),
            },
            b'R' | 0x81 => self.call(),
            b'b' => {
                self.pop()?;
                // What a state dict says of itself, such as its version.
                self.top_dict().map(|_| ())
            }
            b'Q' => self.storage(),
            other => Err(self.broken(&format!("PyTorch writes no instruction {other:#04x}"))),
        }
    }

    fn protocol(&mut self) -> Result<(), Fault> {
        match self.take()? {
            [2..=5] => Ok(()),
            [other] => {
                Err(self.broken(&format!("protocol {other} is not one of PyTorch's, 2 to 5")))
            }
        }
    }

    /// Calls a function that puts tensors or containers together.
    fn call(&mut self) -> Result<(), Fault> {
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
                    ..,
                ],
            ) => {
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
    fn storage(&mut self) -> Result<(), Fault> {
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

    fn global(&mut self, module: &'a str, name: &'a str) -> Result<(), Fault> {
        match Global::find(module, name) {
            Some(global) => self.push(Value::Global(global)),
            None => Err(Fault::invalid(format!(
                "it asks for Python's `{module}.{name}` at byte {}, and code that a file names is never \
                 run, only tensors and plain containers are read; where you trust the file, load it in \
                 Python and save the weights alone with `model.save_pretrained(folder)`",
                self.instruction
            ))),
        }
    }

    fn pairs(&self, items: &[Value<'a>]) -> Result<Vec<(Value<'a>, Value<'a>)>, Fault> {
        let (pairs, []) = items.as_chunks::<2>() else {
            return Err(self.broken("a dictionary's key has no value"));
        };
        Ok(pairs.iter().map(|&[key, value]| (key, value)).collect())
    }

    /// An integer of any length.
    fn long<const N: usize>(&mut self) -> Result<(), Fault> {
        let bytes = self.slice::<N>()?;
        let mut wide = match bytes.last() {
            Some(last) if last & 0x80 != 0 => [0xff; 8],
            _ => [0; 8],
        };
        let Some(low) = wide.get_mut(..bytes.len()) else { return self.push(Value::Other) };
        low.copy_from_slice(bytes);
        self.push(Value::Int(i64::from_le_bytes(wide)))
    }

    fn text<const N: usize>(&mut self) -> Result<(), Fault> {
        let bytes = self.slice::<N>()?;
        let text = str::from_utf8(bytes).map(Value::Text);
        self.push(text.unwrap_or(Value::Other))
    }

    fn skipped<const N: usize>(&mut self) -> Result<(), Fault> {
        self.slice::<N>()?;
        self.push(Value::Other)
    }

    /// Bytes after their number, which has `N` bytes.
    fn slice<const N: usize>(&mut self) -> Result<&'a [u8], Fault> {
        let mut wide = [0; 8];
        wide[..N].copy_from_slice(&self.take::<N>()?);
        let len = usize::try_from(u64::from_le_bytes(wide)).unwrap_or(usize::MAX);
        let bytes = self.bytes;
        let found = self.at.checked_add(len).and_then(|end| bytes.get(self.at..end));
        let found = found.ok_or_else(|| self.ends())?;
        self.at += len;
        Ok(found)
    }

    /// A line of text, without its end.
    fn line(&mut self) -> Result<&'a str, Fault> {
        let bytes = self.bytes;
        let rest = &bytes[self.at..];
        let len = rest.iter().position(|&it| it == b'\n').ok_or_else(|| self.ends())?;
        self.at += len + 1;
        str::from_utf8(&rest[..len])
            .map_err(|_not_text| self.broken("a function's name is no text"))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let found = self.bytes[self.at..].first_chunk().copied();
        let found = found.ok_or_else(|| self.ends())?;
        self.at += N;
        Ok(found)
    }

    fn count(&mut self) -> Result<(), Fault> {
        self.n_values += 1;
        if self.n_values > MAX_VALUES {
            return Err(self.broken("it makes more values than the tensors of any model need"));
        }
        Ok(())
    }

    fn push(&mut self, value: Value<'a>) -> Result<(), Fault> {
        self.stack.push(value);
        self.count()
    }

    fn push_list(&mut self, items: Vec<Value<'a>>) -> Result<(), Fault> {
        self.objects.lists.push(items);
        self.push(Value::List(self.objects.lists.len() - 1))
    }

    fn push_dict(&mut self, pairs: Vec<(Value<'a>, Value<'a>)>) -> Result<(), Fault> {
        self.objects.dicts.push(pairs);
        self.push(Value::Dict(self.objects.dicts.len() - 1))
    }

    /// The height that the stack has above its last mark.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Result<Value<'a>, Fault> {
        let value = if self.stack.len() > self.floor() { self.stack.pop() } else { None };
        value.ok_or_else(|| self.broken("it takes a value that is not there"))
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value<'a>>, Fault> {
        let mark = self.marks.pop().ok_or_else(|| self.broken("a mark is missing"))?;
        Ok(self.stack.split_off(mark))
    }

    fn top_list(&mut self) -> Result<&mut Vec<Value<'a>>, Fault> {
        match self.stack[self.floor()..].last() {
            Some(&Value::List(it)) => Ok(&mut self.objects.lists[it]),
            _ => Err(self.broken("it adds to what is no list")),
        }
    }

    fn top_dict(&mut self) -> Result<&mut Vec<(Value<'a>, Value<'a>)>, Fault> {
        match self.stack[self.floor()..].last() {
            Some(&Value::Dict(it)) => Ok(&mut self.objects.dicts[it]),
            _ => Err(self.broken("it adds to what is no dictionary")),
        }
    }

    fn recall(&mut self, index: usize) -> Result<(), Fault> {
        let value = self.memo.get(&index).copied();
        let value = value.ok_or_else(|| self.broken("it recalls what it never kept"))?;
        self.push(value)
    }

    fn remember(&mut self, index: usize) -> Result<(), Fault> {
        let top = self.stack[self.floor()..].last().copied();
        let top = top.ok_or_else(|| self.broken("it keeps a value that is not there"))?;
        self.memo.insert(index, top);
        self.count()
    }

    fn broken(&self, what: &str) -> Fault {
        Fault::invalid(format!("its pickle is broken at byte {}: {what}", self.instruction))
    }

    fn ends(&self) -> Fault {
        Fault::invalid(format!(
            "its pickle breaks off at byte {}; copy or download it again",
            self.instruction
        ))
    }
}

fn size(value: &Value<'_>) -> Option<usize> {
    match value {
        Value::Int(it) => usize::try_from(*it).ok(),
        _ => None,
    }
}
