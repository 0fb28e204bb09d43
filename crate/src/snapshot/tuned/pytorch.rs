//! Reads what `torch.save` writes: a zip archive, none of whose entries is compressed, with a pickle that describes tensors and an entry
//! for the numbers of each storage.

use std::collections::BTreeMap;
use std::rc::Rc;

use rawzip::{CompressionMethod, ZipArchive, ZipSliceArchive, ZipVerification};

use super::pickle::{self, Storage};
use super::{MAX_DESCRIPTION_BYTES, Tensor, damaged, misfit};
use crate::error::Result;

/// How the pickle's entry ends; what is before it, all others begin with.
const PICKLE: &str = "/data.pkl";

pub fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(&OLD_MAGIC)
}

/// A pickle of the number that files began with before PyTorch 1.6.
const OLD_MAGIC: [u8; 4] = [0x80, 2, 0x8a, 10];

pub fn read(bytes: &[u8]) -> Result<Vec<Tensor<'_>>> {
    if bytes.starts_with(&OLD_MAGIC) {
        return Err(misfit("it has the format before PyTorch 1.6: save it again with a later version".into()));
    }
    let archive = Archive::open(bytes)?;
    let description = archive.entry(PICKLE)?;
    if description.len() > MAX_DESCRIPTION_BYTES {
        return Err(damaged(format!("its description has {} bytes", description.len())));
    }
    if archive.entries.contains_key("/byteorder") && archive.entry("/byteorder")? != b"little" {
        return Err(misfit("its numbers are big-endian: save it again on another machine".into()));
    }
    let mut storages: BTreeMap<Rc<str>, &[u8]> = BTreeMap::new();
    let mut tensors = Vec::new();
    for (name, tensor) in pickle::tensors(description)? {
        let Storage { key, width, floats } = tensor.storage;
        let data = match storages.get(&key) {
            // Checked once, however many tensors are views of it.
            Some(data) => data,
            None => archive.entry(&format!("/data/{key}"))?,
        };
        if floats.checked_mul(width.bytes() as u64) != Some(data.len() as u64) {
            return Err(damaged(format!("a storage has {} bytes, and {floats} numbers are told of it", data.len())));
        }
        storages.insert(key, data);
        let pickle::TensorView { shape, strides, offset, .. } = tensor.view;
        let name = name.to_string();
        tensors.push(Tensor { name, width, shape, strides, offset, data });
    }
    Ok(tensors)
}

/// The entries of an archive by what follows their folder.
struct Archive<'a> {
    bytes: &'a [u8],
    archive: ZipSliceArchive<&'a [u8]>,
    entries: BTreeMap<String, (rawzip::ZipArchiveEntryWayfinder, CompressionMethod)>,
}

impl<'a> Archive<'a> {
    fn open(bytes: &'a [u8]) -> Result<Self> {
        let broken = |error: rawzip::Error| damaged(format!("its archive: {error}"));
        let archive = ZipArchive::from_slice(bytes).map_err(broken)?;
        let mut all = Vec::new();
        let mut list = archive.entries();
        while let Some(entry) = list.next_entry().map_err(broken)? {
            let name = String::from_utf8_lossy(entry.file_path().as_ref()).into_owned();
            all.push((name, (entry.wayfinder(), entry.compression_method())));
        }
        let folder = all.iter().find_map(|(name, _)| name.strip_suffix(PICKLE)).unwrap_or_default().to_owned();
        let mut entries = BTreeMap::new();
        for (name, entry) in all {
            let Some(name) = name.strip_prefix(&folder) else { continue };
            if entries.insert(name.to_owned(), entry).is_some() {
                return Err(damaged("its archive has an entry twice".into()));
            }
        }
        Ok(Self { bytes, archive, entries })
    }

    /// An entry's bytes, which its checksum is of.
    fn entry(&self, name: &str) -> Result<&'a [u8]> {
        let of = |problem: String| damaged(format!("the archive's `{}` {problem}", super::shortened(name)));
        let (found, method) = *self.entries.get(name).ok_or_else(|| of("is not there".into()))?;
        if method != CompressionMethod::STORE {
            return Err(of("is compressed, which `torch.save` does not do".into()));
        }
        let entry = self.archive.get_entry(found).map_err(|error| of(error.to_string()))?;
        let (start, end) = entry.compressed_data_range();
        let data = self.bytes.get(start as usize..end as usize).ok_or_else(|| of("ends too early".into()))?;
        let is = ZipVerification { crc: rawzip::crc32(data), uncompressed_size: data.len() as u64 };
        entry.claim_verifier().valid(is).map_err(|error| of(error.to_string()))?;
        Ok(data)
    }
}
