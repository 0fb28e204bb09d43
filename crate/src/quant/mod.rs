//! Quantised types: their block layouts, and the scalar decode that every faster kernel is held to.

mod blocks;
mod decode;
mod device;
mod finite;
mod integers;
mod random;

pub use decode::decode_row;
pub use device::{UNIT_LEN, VECTOR_BYTES, device_row_bytes, to_device_rows};
pub use finite::are_finite;
pub use integers::{BlockIntegers, IQ4_STEPS};
pub use random::{RandomRows, SplitMix64};

/// A tensor's element type, with ggml's numbering, names and block layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, non_camel_case_types)] // the names are ggml's own
pub enum DType {
    F32,
    F16,
    BF16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2_K,
    Q3_K,
    Q4_K,
    Q5_K,
    Q6_K,
    IQ4_NL,
    IQ4_XS,
}

/// One row a type, in the order of the enum: number in the file, name, values a block, bytes a block.
/// Source: `ggml.h` (`enum ggml_type`) and `ggml-common.h` (block structs) of llama.cpp.
const TABLE: [(DType, u32, &str, usize, usize); 15] = [
    (DType::F32, 0, "F32", 1, 4),
    (DType::F16, 1, "F16", 1, 2),
    (DType::BF16, 30, "BF16", 1, 2),
    (DType::Q4_0, 2, "Q4_0", 32, 18),
    (DType::Q4_1, 3, "Q4_1", 32, 20),
    (DType::Q5_0, 6, "Q5_0", 32, 22),
    (DType::Q5_1, 7, "Q5_1", 32, 24),
    (DType::Q8_0, 8, "Q8_0", 32, 34),
    (DType::Q2_K, 10, "Q2_K", 256, 84),
    (DType::Q3_K, 11, "Q3_K", 256, 110),
    (DType::Q4_K, 12, "Q4_K", 256, 144),
    (DType::Q5_K, 13, "Q5_K", 256, 176),
    (DType::Q6_K, 14, "Q6_K", 256, 210),
    (DType::IQ4_NL, 20, "IQ4_NL", 32, 18),
    (DType::IQ4_XS, 23, "IQ4_XS", 256, 136),
];

impl DType {
    /// Every type, in the order of the table.
    pub fn all() -> impl Iterator<Item = DType> {
        TABLE.iter().map(|row| row.0)
    }

    /// The type with this number in a GGUF file.
    pub fn from_ggml(number: u32) -> Option<Self> {
        TABLE.iter().find(|row| row.1 == number).map(|row| row.0)
    }

    /// The type's number in a GGUF file.
    pub fn ggml(self) -> u32 {
        self.row().1
    }

    fn row(self) -> &'static (DType, u32, &'static str, usize, usize) {
        &TABLE[self as usize]
    }

    /// ggml's name, such as `Q4_K`.
    pub fn name(self) -> &'static str {
        self.row().2
    }

    /// Number of values in one block.
    pub fn block_len(self) -> usize {
        self.row().3
    }

    /// Bytes of one block in a file.
    pub fn block_bytes(self) -> usize {
        self.row().4
    }

    /// Bytes of one row of `columns` values, or `None` where the columns are not whole blocks.
    pub fn row_bytes(self, columns: usize) -> Option<usize> {
        columns.is_multiple_of(self.block_len()).then(|| columns / self.block_len() * self.block_bytes())
    }
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
