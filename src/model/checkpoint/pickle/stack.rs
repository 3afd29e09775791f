//! The machine's bytes, its stack and what it remembers.

use super::super::stored::Fault;
use super::{Machine, Value};

/// The most values that a pickle may make. Each takes up to 100 bytes of memory; a file of ten thousand
/// tensors makes as many.
const MAX_VALUES: usize = 1 << 19;

impl<'a> Machine<'a> {
    pub(super) fn pairs(&self, items: &[Value<'a>]) -> Result<Vec<(Value<'a>, Value<'a>)>, Fault> {
        let (pairs, []) = items.as_chunks::<2>() else {
            return Err(self.broken("a dictionary's key has no value"));
        };
        Ok(pairs.iter().map(|&[key, value]| (key, value)).collect())
    }

    /// An integer of any length.
    pub(super) fn long<const N: usize>(&mut self) -> Result<(), Fault> {
        let bytes = self.slice::<N>()?;
        let mut wide = match bytes.last() {
            Some(last) if last & 0x80 != 0 => [0xff; 8],
            _ => [0; 8],
        };
        let Some(low) = wide.get_mut(..bytes.len()) else { return self.push(Value::Other) };
        low.copy_from_slice(bytes);
        self.push(Value::Int(i64::from_le_bytes(wide)))
    }

    pub(super) fn text<const N: usize>(&mut self) -> Result<(), Fault> {
        let bytes = self.slice::<N>()?;
        let text = str::from_utf8(bytes).map(Value::Text);
        self.push(text.unwrap_or(Value::Other))
    }

    pub(super) fn skipped<const N: usize>(&mut self) -> Result<(), Fault> {
        self.slice::<N>()?;
        self.push(Value::Other)
    }

    /// Bytes after their number, which has `N` bytes.
    pub(super) fn slice<const N: usize>(&mut self) -> Result<&'a [u8], Fault> {
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
    pub(super) fn line(&mut self) -> Result<&'a str, Fault> {
        let bytes = self.bytes;
        let rest = &bytes[self.at..];
        let len = rest.iter().position(|&it| it == b'\n').ok_or_else(|| self.ends())?;
        self.at += len + 1;
        str::from_utf8(&rest[..len])
            .map_err(|_not_text| self.broken("a function's name is no text"))
    }

    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let found = self.bytes[self.at..].first_chunk().copied();
        let found = found.ok_or_else(|| self.ends())?;
        self.at += N;
        Ok(found)
    }

    pub(super) fn count(&mut self) -> Result<(), Fault> {
        self.n_values += 1;
        if self.n_values > MAX_VALUES {
            return Err(self.broken("it makes more values than the tensors of any model need"));
        }
        Ok(())
    }

    pub(super) fn push(&mut self, value: Value<'a>) -> Result<(), Fault> {
        self.stack.push(value);
        self.count()
    }

    pub(super) fn push_list(&mut self, items: Vec<Value<'a>>) -> Result<(), Fault> {
        self.objects.lists.push(items);
        self.push(Value::List(self.objects.lists.len() - 1))
    }

    pub(super) fn push_dict(&mut self, pairs: Vec<(Value<'a>, Value<'a>)>) -> Result<(), Fault> {
        self.objects.dicts.push(pairs);
        self.push(Value::Dict(self.objects.dicts.len() - 1))
    }

    /// The height that the stack has above its last mark.
    pub(super) fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    pub(super) fn pop(&mut self) -> Result<Value<'a>, Fault> {
        let value = if self.stack.len() > self.floor() { self.stack.pop() } else { None };
        value.ok_or_else(|| self.broken("it takes a value that is not there"))
    }

    pub(super) fn pop_to_mark(&mut self) -> Result<Vec<Value<'a>>, Fault> {
        let mark = self.marks.pop().ok_or_else(|| self.broken("a mark is missing"))?;
        Ok(self.stack.split_off(mark))
    }

    pub(super) fn top_list(&mut self) -> Result<&mut Vec<Value<'a>>, Fault> {
        match self.stack[self.floor()..].last() {
            Some(&Value::List(it)) => Ok(&mut self.objects.lists[it]),
            _ => Err(self.broken("it adds to what is no list")),
        }
    }

    pub(super) fn top_dict(&mut self) -> Result<&mut Vec<(Value<'a>, Value<'a>)>, Fault> {
        match self.stack[self.floor()..].last() {
            Some(&Value::Dict(it)) => Ok(&mut self.objects.dicts[it]),
            _ => Err(self.broken("it adds to what is no dictionary")),
        }
    }

    pub(super) fn recall(&mut self, index: usize) -> Result<(), Fault> {
        let value = self.memo.get(&index).copied();
        let value = value.ok_or_else(|| self.broken("it recalls what it never kept"))?;
        self.push(value)
    }

    pub(super) fn remember(&mut self, index: usize) -> Result<(), Fault> {
        let top = self.stack[self.floor()..].last().copied();
        let top = top.ok_or_else(|| self.broken("it keeps a value that is not there"))?;
        self.memo.insert(index, top);
        self.count()
    }

    pub(super) fn broken(&self, what: &str) -> Fault {
        Fault::invalid(format!("its pickle is broken at byte {}: {what}", self.instruction))
    }

    pub(super) fn ends(&self) -> Fault {
        Fault::invalid(format!(
            "its pickle breaks off at byte {}; copy or download it again",
            self.instruction
        ))
    }
}
