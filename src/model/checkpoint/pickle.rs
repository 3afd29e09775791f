//! Reads the pickles that PyTorch writes, and runs no code.
//!
//! A pickle is a program for a machine with a stack, which can call any Python function. This machine knows
//! the functions that put tensors together, by their names; any other name is refused. Reference:
//! `pickletools.py` of the standard library, and `torch/_weights_only_unpickler.py`.

use std::collections::BTreeMap;

use super::pytorch_types::{Element, Global};
use super::stored::Fault;

mod calls;
mod stack;

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
                push_one(self.top_list()?, item);
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
                push_one(self.top_dict()?, (key, value));
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
}

/// Adds an item. The first takes no room for others: lists of one in lists of one would fill the memory.
fn push_one<T>(items: &mut Vec<T>, item: T) {
    if items.is_empty() {
        items.reserve_exact(1);
    }
    items.push(item);
}
