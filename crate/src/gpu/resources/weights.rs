//! Weights on the device: uploaded tensor by tensor, in pieces, as row shards that fit a binding.

use std::collections::HashMap;

use futures_util::stream::{self, StreamExt};

use super::bound::Bound;
use super::groups::ALIGNMENT;
use crate::error::{Error, Result};
use crate::gguf::Gguf;
use crate::gpu::device::Gpu;
use crate::gpu::kernels::MAX_FUSED_ROWS;
use crate::model::{Weight, WeightId, Weights};
use crate::quant::{DType, VECTOR_BYTES, decode_row, device_row_bytes, to_device_rows};

/// Bytes read, laid out and written at once: bounds what the host holds for tensors of any size.
const PIECE_BYTES: usize = 8 << 20;

/// The piece that is written next, and the one after it.
const READS_AT_ONCE: usize = 2;

/// Bytes written before those of the time before must have arrived. A browser keeps writes in memory that it shares with the
/// process of the device, and lets them pile up there where the device is slower than the disk.
const WRITES_AT_ONCE: usize = 8 << 20;

/// Some rows of a weight, in a buffer of their own, or in one that a group of weights shares.
#[derive(Debug)]
pub struct Shard {
    bound: Bound,
    pub first_row: usize,
    pub rows: usize,
}

impl Shard {
    /// All of it, as kernels bind it.
    pub fn bound(&self) -> Bound {
        self.bound.clone()
    }
}

/// A weight on the device.
#[derive(Debug)]
pub struct DeviceWeight {
    /// The tensor's name.
    pub name: String,
    /// The type that kernels decode: the file's for a matrix, F32 for elementwise weights.
    pub dtype: DType,
    /// Vectors of one row, where it is in planes.
    pub row_vectors: usize,
    pub columns: usize,
    pub shards: Vec<Shard>,
}

impl DeviceWeight {
    /// Bytes on the device.
    pub fn bytes(&self) -> u64 {
        self.shards.iter().map(|s| s.bound.bytes).sum()
    }

    /// Rows of all shards.
    pub fn rows(&self) -> usize {
        self.shards.iter().map(|shard| shard.rows).sum()
    }
}

/// Row counts of the shards of a (rows, ...) matrix with `row_bytes` each, as large as a binding allows. None where a binding
/// holds fewer rows than a workgroup owns.
fn shard_rows(rows: usize, row_bytes: usize, max_binding_bytes: u64) -> Option<impl Iterator<Item = (usize, usize)>> {
    let fit = usize::try_from(max_binding_bytes / row_bytes as u64).unwrap_or(usize::MAX);
    let per_shard = if fit >= rows { rows } else { fit / MAX_FUSED_ROWS * MAX_FUSED_ROWS };
    (per_shard > 0).then(|| (0..rows).step_by(per_shard).map(move |first| (first, per_shard.min(rows - first))))
}

/// The type in which a weight lies on the device, and bytes of a row there. Kernels index elementwise weights as one plain
/// array, so their rows are not padded.
fn device_form(weight: &Weight) -> (DType, usize) {
    match weight.elementwise {
        true => (DType::F32, 4 * weight.columns),
        false => (weight.tensor.dtype, device_row_bytes(weight.tensor.dtype, weight.columns)),
    }
}

/// Bytes that a weight takes on the device.
pub fn device_bytes(weight: &Weight) -> u64 {
    (weight.rows * device_form(weight).1) as u64
}

/// Bytes of a weight that must lie in one binding: all of an elementwise one, of a matrix the rows of a workgroup.
pub fn least_binding(weight: &Weight) -> u64 {
    let rows = if weight.elementwise { weight.rows } else { weight.rows.min(MAX_FUSED_ROWS) };
    (rows * device_form(weight).1) as u64
}

/// Makes the buffers of all weights, one for those of each group, which must fit a binding together.
///
/// # Errors
/// [`Error::OutOfMemory`] where a storage binding is too small for one.
pub fn allocate(gpu: &Gpu, weights: &Weights, groups: &[Vec<WeightId>]) -> Result<Vec<DeviceWeight>> {
    let mut grouped: HashMap<WeightId, Bound> = HashMap::new();
    for group in groups {
        let bytes = |id: WeightId| device_bytes(weights.get(id));
        let size = group.iter().map(|&id| bytes(id).next_multiple_of(ALIGNMENT)).sum();
        let buffer = make_buffer(gpu, "weights of a group", size);
        let mut offset = 0;
        for &id in group {
            grouped.insert(id, Bound { buffer: buffer.clone(), offset, bytes: bytes(id) });
            offset += bytes(id).next_multiple_of(ALIGNMENT);
        }
    }
    let allocate = |(weight, id)| match grouped.remove(&WeightId(id)) {
        Some(bound) => Ok(on_device(weight, vec![Shard { bound, first_row: 0, rows: weight.rows }])),
        None => allocate_alone(gpu, weight),
    };
    weights.all().iter().zip(0..).map(allocate).collect()
}

fn make_buffer(gpu: &Gpu, label: &str, size: u64) -> wgpu::Buffer {
    gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size,
        usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC,
        mapped_at_creation: false,
    })
}

fn on_device(weight: &Weight, shards: Vec<Shard>) -> DeviceWeight {
    let (dtype, row_bytes) = device_form(weight);
    let name = weight.tensor.name.clone();
    DeviceWeight { name, dtype, row_vectors: row_bytes / VECTOR_BYTES, columns: weight.columns, shards }
}

fn allocate_alone(gpu: &Gpu, weight: &Weight) -> Result<DeviceWeight> {
    let (_, row_bytes) = device_form(weight);
    let too_large = |rows: usize| Error::OutOfMemory {
        what: format!("{} in one storage binding", weight.tensor.name),
        needed: (rows * row_bytes) as u64,
        available: Some(gpu.max_shard_bytes),
    };
    let rows = shard_rows(weight.rows, row_bytes, gpu.max_shard_bytes);
    let mut shards = Vec::new();
    for (first_row, rows) in rows.ok_or_else(|| too_large(MAX_FUSED_ROWS.min(weight.rows)))? {
        if weight.elementwise && rows < weight.rows {
            return Err(too_large(weight.rows));
        }
        let bound = make_buffer(gpu, &weight.tensor.name, (rows * row_bytes) as u64).into();
        shards.push(Shard { bound, first_row, rows });
    }
    Ok(on_device(weight, shards))
}

/// Some rows of a weight, and where they belong.
struct Piece<'a> {
    weight: &'a Weight,
    shard: &'a Shard,
    /// Of the shard.
    first_row: usize,
    rows: usize,
}

impl<'a> Piece<'a> {
    fn all_of(weight: &'a Weight, buffers: &'a DeviceWeight) -> impl Iterator<Item = Self> {
        let at_once = (PIECE_BYTES / Self::file_row_bytes(weight)).max(1);
        buffers.shards.iter().flat_map(move |shard| {
            let starts = (0..shard.rows).step_by(at_once);
            starts.map(move |first_row| Self { weight, shard, first_row, rows: at_once.min(shard.rows - first_row) })
        })
    }

    fn file_row_bytes(weight: &Weight) -> usize {
        (weight.tensor.bytes / weight.rows as u64) as usize
    }

    async fn read(self, gguf: &Gguf) -> Result<(Self, Vec<u8>)> {
        let row_bytes = Self::file_row_bytes(self.weight);
        let offset = (self.shard.first_row + self.first_row) as u64 * row_bytes as u64;
        let bytes = gguf.read(&self.weight.tensor, offset, self.rows * row_bytes).await?;
        self.weight.tensor.check_finite(&bytes)?;
        Ok((self, bytes))
    }

    fn write(&self, gpu: &Gpu, bytes: &[u8]) {
        let Self { weight, shard, first_row, rows } = self;
        let (_, row_bytes) = device_form(weight);
        let at = shard.bound.offset + (first_row * row_bytes) as u64;
        if weight.elementwise {
            let mut values = vec![0.0f32; rows * weight.columns];
            decode_row(weight.tensor.dtype, bytes, &mut values);
            gpu.queue.write_buffer(&shard.bound.buffer, at, bytemuck::cast_slice(&values));
        } else {
            gpu.queue.write_buffer(
                &shard.bound.buffer,
                at,
                &to_device_rows(weight.tensor.dtype, weight.columns, bytes),
            );
        }
    }
}

/// Reads every weight in the order of the file and writes it to its buffers, while the next piece is read. The bytes that wait
/// on their way to the device are bounded, whatever the model's size. `progress` is called with each number of file bytes read.
///
/// # Errors
/// What reading gives, and what the device reports.
pub async fn upload(
    gpu: &Gpu,
    gguf: &Gguf,
    weights: &Weights,
    buffers: &[DeviceWeight],
    progress: &mut dyn FnMut(u64),
) -> Result<()> {
    let order = weights.in_file_order();
    let pieces = order.iter().flat_map(|&id| Piece::all_of(&weights.all()[id], &buffers[id]));
    let mut reading = stream::iter(pieces.map(|piece| piece.read(gguf))).buffered(READS_AT_ONCE);
    let (mut written, mut before) = (0, None);
    while let Some(read) = reading.next().await {
        let (piece, bytes) = read?;
        piece.write(gpu, &bytes);
        gpu.check()?;
        written += bytes.len();
        if written >= WRITES_AT_ONCE {
            written = 0;
            if let Some(arriving) = before.replace(gpu.submitted()) {
                arriving.await?;
            }
        }
        progress(bytes.len() as u64);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]

    use super::{MAX_FUSED_ROWS, shard_rows};

    #[test]
    fn shards_cover_every_row_once_and_fit() {
        let cases = [(10, 64, 1000), (1, 4, 4), (70, 100, 3300), (65024, 3360, 128 << 20), (64, 8, 256)];
        for (rows, row_bytes, limit) in cases {
            let mut next = 0;
            for (first, count) in shard_rows(rows, row_bytes, limit).expect("a binding holds enough rows") {
                assert_eq!(first, next);
                assert!(first.is_multiple_of(MAX_FUSED_ROWS));
                assert!(count * row_bytes <= limit as usize, "{count} rows of {row_bytes} bytes in {limit}");
                next += count;
            }
            assert_eq!(next, rows);
        }
    }

    #[test]
    fn a_binding_of_too_few_rows_is_refused() {
        assert!(shard_rows(100, 64, 31 * 64).is_none());
        assert!(shard_rows(8, 64, 8 * 64).is_some());
    }
}
