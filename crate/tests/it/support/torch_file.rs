//! Archives as `torch.save` writes them, part by part, so that a test can change any.

/// An archive; what is `None` or false is as it should be.
pub struct TorchFile {
    pub storages: Vec<Storage>,
    /// Pairs of a name and a tensor, pickled.
    pub tensors: Vec<Vec<u8>>,
    /// In place of the tensors' pickle.
    pub pickle: Option<Vec<u8>>,
    pub byteorder: Vec<u8>,
    /// Says that entries are compressed.
    pub compressed: bool,
    /// Writes the last entry again.
    pub twice: bool,
}

impl Default for TorchFile {
    fn default() -> Self {
        let (storages, tensors, byteorder) = (Vec::new(), Vec::new(), b"little".to_vec());
        Self { storages, tensors, pickle: None, byteorder, compressed: false, twice: false }
    }
}

pub struct Storage {
    key: String,
    pub bytes: Vec<u8>,
}

impl Storage {
    pub fn f32(key: &str, numbers: &[f32]) -> Self {
        Self { key: key.into(), bytes: numbers.iter().flat_map(|number| number.to_le_bytes()).collect() }
    }
}

impl TorchFile {
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut entries =
            vec![("archive/data.pkl".to_owned(), self.pickle.clone().unwrap_or_else(|| self.described()))];
        entries.push(("archive/byteorder".to_owned(), self.byteorder.clone()));
        entries
            .extend(self.storages.iter().map(|Storage { key, bytes }| (format!("archive/data/{key}"), bytes.clone())));
        if self.twice {
            entries.extend(entries.last().cloned());
        }
        self.zip(&entries)
    }

    /// The dictionary's pickle.
    pub fn described(&self) -> Vec<u8> {
        [b"\x80\x02}(".as_slice(), &self.tensors.concat(), b"u."].concat()
    }

    /// The shape of the first tensor, of which all storages have the length.
    pub fn shape(&self) -> [usize; 3] {
        let size = 64;
        [self.storages[0].bytes.len() / 4 / size / size, size, size]
    }

    fn zip(&self, entries: &[(String, Vec<u8>)]) -> Vec<u8> {
        let (mut out, mut directory) = (Vec::new(), Vec::new());
        for (name, bytes) in entries {
            let offset = out.len() as u32;
            let mut fields = Vec::new();
            // Version, flags, method, time and date; checksum, both lengths; lengths of the name and of what follows it.
            let method = if self.compressed { 8u16 } else { 0 };
            [20u16, 0, method, 0, 0].iter().for_each(|field| fields.extend(field.to_le_bytes()));
            let length = bytes.len() as u32;
            [crc32(bytes), length, length].iter().for_each(|field| fields.extend(field.to_le_bytes()));
            fields.extend((name.len() as u16).to_le_bytes());
            fields.extend(0u16.to_le_bytes());
            out.extend(b"PK\x03\x04");
            out.extend(&fields);
            out.extend(name.as_bytes());
            out.extend(bytes);
            directory.extend(b"PK\x01\x02\x14\0");
            directory.extend(&fields);
            // Comment, disk and attributes.
            directory.extend([0; 10]);
            directory.extend(offset.to_le_bytes());
            directory.extend(name.as_bytes());
        }
        let (start, count) = (out.len() as u32, (entries.len() as u16).to_le_bytes());
        out.extend(&directory);
        out.extend(b"PK\x05\x06\0\0\0\0");
        out.extend([count, count].concat());
        out.extend((directory.len() as u32).to_le_bytes());
        out.extend(start.to_le_bytes());
        out.extend([0; 2]);
        out
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 })
    })
}

/// Pickles.
pub mod pickle {
    fn text(text: &str) -> Vec<u8> {
        [b"X".as_slice(), &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()
    }

    fn number(number: u64) -> Vec<u8> {
        [&[0x8a, 8], number.to_le_bytes().as_slice()].concat()
    }

    fn triple(numbers: [u64; 3]) -> Vec<u8> {
        [numbers.map(number).concat().as_slice(), b"\x87"].concat()
    }

    /// A name and a tensor in C order, of a storage of `numbers` f32.
    pub fn tensor(name: &str, storage: usize, numbers: usize, shape: [usize; 3]) -> Vec<u8> {
        let strides = [(shape[1] * shape[2]) as u64, shape[2] as u64, 1];
        strided(name, storage, numbers, shape, strides, 0)
    }

    pub fn strided(
        name: &str,
        storage: usize,
        numbers: usize,
        shape: [usize; 3],
        strides: [u64; 3],
        offset: u64,
    ) -> Vec<u8> {
        let storage = [
            b"(".as_slice(),
            &text("storage"),
            b"ctorch\nFloatStorage\n",
            &text(&storage.to_string()),
            &text("cpu"),
            &number(numbers as u64),
            b"tQ",
        ];
        let shape = shape.map(|axis| axis as u64);
        let after = b"\x89ccollections\nOrderedDict\n)RtR".as_slice();
        let tensor = [storage.concat().as_slice(), &number(offset), &triple(shape), &triple(strides), after].concat();
        [&text(name), b"ctorch._utils\n_rebuild_tensor_v2\n(".as_slice(), &tensor].concat()
    }
}
