//! Writes small GGUF files for tests, right ones and, through its public fields, broken ones.

/// Numbers of value types in the format.
pub const U8: u32 = 0;
pub const I8: u32 = 1;
pub const U16: u32 = 2;
pub const I16: u32 = 3;
pub const U32: u32 = 4;
pub const I32: u32 = 5;
pub const F32: u32 = 6;
pub const BOOL: u32 = 7;
pub const STRING: u32 = 8;
pub const ARRAY: u32 = 9;
pub const U64: u32 = 10;
pub const I64: u32 = 11;
pub const F64: u32 = 12;

/// A file to be. `None` in a field means the value that a correct file has.
#[derive(Debug, Clone)]
pub struct GgufWriter {
    pub magic: [u8; 4],
    pub version: u32,
    pub tensor_count: Option<u64>,
    pub pair_count: Option<u64>,
    /// What tensor offsets and the data section are aligned to; not written unless `pair` writes it.
    pub alignment: usize,
    pub pairs: Vec<Pair>,
    pub tensors: Vec<TensorEntry>,
}

#[derive(Debug, Clone)]
pub struct Pair {
    pub key: Vec<u8>,
    pub kind: u32,
    /// The value as it stands in the file.
    pub payload: Vec<u8>,
}

#[derive(Debug, Clone)]
pub struct TensorEntry {
    pub name: Vec<u8>,
    pub n_dims: Option<u32>,
    /// In ggml's order, columns first.
    pub dims: Vec<u64>,
    pub dtype: u32,
    /// Relative to the data section.
    pub offset: Option<u64>,
    pub data: Vec<u8>,
}

impl Default for GgufWriter {
    fn default() -> Self {
        Self {
            magic: *b"GGUF",
            version: 3,
            tensor_count: None,
            pair_count: None,
            alignment: 32,
            pairs: Vec::new(),
            tensors: Vec::new(),
        }
    }
}

impl GgufWriter {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a pair of any type; `payload` is the value's bytes.
    pub fn pair(mut self, key: impl AsRef<[u8]>, kind: u32, payload: impl Into<Vec<u8>>) -> Self {
        self.pairs.push(Pair { key: key.as_ref().to_vec(), kind, payload: payload.into() });
        self
    }

    pub fn u16(self, key: &str, value: u16) -> Self {
        self.pair(key, U16, value.to_le_bytes())
    }

    pub fn u32(self, key: &str, value: u32) -> Self {
        self.pair(key, U32, value.to_le_bytes())
    }

    pub fn i32(self, key: &str, value: i32) -> Self {
        self.pair(key, I32, value.to_le_bytes())
    }

    pub fn f32(self, key: &str, value: f32) -> Self {
        self.pair(key, F32, value.to_le_bytes())
    }

    pub fn bool(self, key: &str, value: bool) -> Self {
        self.pair(key, BOOL, [u8::from(value)])
    }

    pub fn string(self, key: &str, value: &str) -> Self {
        self.pair(key, STRING, string(value))
    }

    pub fn strings<S: AsRef<[u8]>>(self, key: &str, values: &[S]) -> Self {
        let elements: Vec<u8> = values.iter().flat_map(string).collect();
        self.pair(key, ARRAY, array(STRING, values.len() as u64, &elements))
    }

    pub fn tensor(mut self, name: &str, dtype: u32, dims: &[u64], data: Vec<u8>) -> Self {
        let name = name.as_bytes().to_vec();
        self.tensors.push(TensorEntry { name, n_dims: None, dims: dims.to_vec(), dtype, offset: None, data });
        self
    }

    /// Everything up to the data section, without the padding before it.
    pub fn header(&self) -> Vec<u8> {
        let mut out = self.magic.to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend(self.tensor_count.unwrap_or(self.tensors.len() as u64).to_le_bytes());
        out.extend(self.pair_count.unwrap_or(self.pairs.len() as u64).to_le_bytes());
        for pair in &self.pairs {
            out.extend(string(&pair.key));
            out.extend(pair.kind.to_le_bytes());
            out.extend(&pair.payload);
        }
        let mut next = 0;
        for tensor in &self.tensors {
            out.extend(string(&tensor.name));
            out.extend(tensor.n_dims.unwrap_or(tensor.dims.len() as u32).to_le_bytes());
            tensor.dims.iter().for_each(|dim| out.extend(dim.to_le_bytes()));
            out.extend(tensor.dtype.to_le_bytes());
            out.extend(tensor.offset.unwrap_or(next as u64).to_le_bytes());
            next = (next + tensor.data.len()).next_multiple_of(self.alignment);
        }
        out
    }

    /// The file. The last tensor is not padded, so that its last byte is needed.
    pub fn build(&self) -> Vec<u8> {
        let mut out = self.header();
        for tensor in &self.tensors {
            out.resize(out.len().next_multiple_of(self.alignment), 0);
            out.extend(&tensor.data);
        }
        out
    }
}

/// A string as it stands in a file.
pub fn string(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    [&(text.len() as u64).to_le_bytes(), text].concat()
}

/// An array as it stands in a file, `count` and `elements` as they are given.
pub fn array(kind: u32, count: u64, elements: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &count.to_le_bytes(), elements].concat()
}
