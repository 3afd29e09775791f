//! The names that a file of PyTorch may use: its types of numbers, and the functions that put tensors and
//! containers together.

use std::fmt;

use super::stored::NumberType;

/// A name of Python's that a file may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    OrderedDict,
    Size,
    RebuildTensor,

    /// As `RebuildTensor`, with the type of the numbers, which the storage does not say.
    RebuildTensorOfType,
    RebuildParameter,
    Storage(Element),
    Type(Element),
}

/// A type of numbers, and the size of one in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub dtype: NumberType,
    pub size: usize,
}

/// Each type's storage, its own name in Python, and the type.
const TYPES: [(Option<&str>, &str, NumberType, usize); 19] = [
    (Some("FloatStorage"), "float32", NumberType::F32, 4),
    (Some("HalfStorage"), "float16", NumberType::F16, 2),
    (Some("BFloat16Storage"), "bfloat16", NumberType::BF16, 2),
    (Some("DoubleStorage"), "float64", NumberType::Other("F64"), 8),
    (Some("LongStorage"), "int64", NumberType::Other("I64"), 8),
    (Some("IntStorage"), "int32", NumberType::Other("I32"), 4),
    (Some("ShortStorage"), "int16", NumberType::Other("I16"), 2),
    (Some("CharStorage"), "int8", NumberType::Other("I8"), 1),
    (Some("ByteStorage"), "uint8", NumberType::Other("U8"), 1),
    (Some("BoolStorage"), "bool", NumberType::Other("BOOL"), 1),
    (None, "uint16", NumberType::Other("U16"), 2),
    (None, "uint32", NumberType::Other("U32"), 4),
    (None, "uint64", NumberType::Other("U64"), 8),
    (None, "float8_e4m3fn", NumberType::Other("F8_E4M3"), 1),
    (None, "float8_e5m2", NumberType::Other("F8_E5M2"), 1),
    (None, "float8_e4m3fnuz", NumberType::Other("F8_E4M3FNUZ"), 1),
    (None, "float8_e5m2fnuz", NumberType::Other("F8_E5M2FNUZ"), 1),
    (Some("ComplexFloatStorage"), "complex64", NumberType::Other("C64"), 8),
    (Some("ComplexDoubleStorage"), "complex128", NumberType::Other("C128"), 16),
];

impl Global {
    /// The global of a name, if a file may use it.
    pub fn find(module: &str, name: &str) -> Option<Self> {
        let typed = |is_it: &dyn Fn(Option<&str>, &str) -> bool| {
            let mut types = TYPES.iter().filter(|(storage, own, ..)| is_it(*storage, own));
            types.next().map(|&(_, _, dtype, size)| Element { dtype, size })
        };
        Some(match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("torch", "Size") => Self::Size,
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Self::RebuildTensor,
            ("torch._utils", "_rebuild_tensor_v3") => Self::RebuildTensorOfType,
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
                Self::RebuildParameter
            }
            // Its length is in bytes.
            ("torch.storage" | "torch", "UntypedStorage") => {
                Self::Storage(Element { dtype: NumberType::Other("UntypedStorage"), size: 1 })
            }
            ("torch", name) => {
                let storage = typed(&|storage, _| storage == Some(name)).map(Self::Storage);
                storage.or_else(|| typed(&|_, own| own == name).map(Self::Type))?
            }
            _ => return None,
        })
    }
}

impl fmt::Display for Global {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OrderedDict => "collections.OrderedDict",
            Self::Size => "torch.Size",
            Self::RebuildTensor => "torch._utils._rebuild_tensor_v2",
            Self::RebuildTensorOfType => "torch._utils._rebuild_tensor_v3",
            Self::RebuildParameter => "torch._utils._rebuild_parameter",
            Self::Storage(_) => "a storage of torch",
            Self::Type(_) => "a type of torch",
        })
    }
}
