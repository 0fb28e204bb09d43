//! Weights on the device: uploaded tensor by tensor, in pieces, as row shards that fit a binding.

use super::Gpu;
use crate::error::{Error, Result};
use crate::gguf::Gguf;
use crate::model::Weight;
use crate::quant::{DType, VECTOR_BYTES, decode_row, device_row_bytes, to_device_rows};

/// Bytes read, laid out and written at once: bounds what the host holds, whatever the tensor's size.
const PIECE_BYTES: usize = 8 << 20;

/// Some rows of a weight, in a buffer of their own.
#[derive(Debug)]
pub struct Shard {
    pub buffer: wgpu::Buffer,
    pub first_row: usize,
    pub rows: usize,
}

/// A weight on the device.
#[derive(Debug)]
pub struct DeviceWeight {
    /// The type that kernels decode; F32 for elementwise weights, whatever the file has.
    pub dtype: DType,
    /// Vectors of one row, where it is in planes.
    pub row_vectors: usize,
    pub columns: usize,
    pub shards: Vec<Shard>,
}

impl DeviceWeight {
    /// Bytes on the device.
    pub fn bytes(&self) -> u64 {
        self.shards.iter().map(|s| s.buffer.size()).sum()
    }
}

/// Row counts of the shards of a (rows, ...) matrix with `row_bytes` each, as large as a binding allows.
fn shard_rows(rows: usize, row_bytes: usize, max_binding_bytes: u64) -> impl Iterator<Item = (usize, usize)> {
    let per_shard = ((max_binding_bytes / row_bytes as u64) as usize).clamp(1, rows);
    (0..rows).step_by(per_shard).map(move |first| (first, per_shard.min(rows - first)))
}

/// Reads a weight and writes it to the device. `progress` is called with each number of file bytes read.
pub async fn upload(gpu: &Gpu, gguf: &Gguf, weight: &Weight, progress: &mut dyn FnMut(u64)) -> Result<DeviceWeight> {
    let name = &weight.tensor.name;
    let source = weight.tensor.dtype;
    let file_row_bytes = (weight.tensor.bytes / weight.rows as u64) as usize;
    // Kernels index elementwise weights as one plain array, so their rows must not be padded.
    let (dtype, row_bytes) = match weight.elementwise {
        true => (DType::F32, 4 * weight.columns),
        false => (source, device_row_bytes(source, weight.columns)),
    };
    if row_bytes as u64 > gpu.max_binding_bytes {
        let what = format!("one row of {name} in one storage binding");
        return Err(Error::OutOfMemory { what, needed: row_bytes as u64, available: Some(gpu.max_binding_bytes) });
    }
    let rows_at_once = (PIECE_BYTES / file_row_bytes).max(1);
    let mut shards = Vec::new();
    for (first_row, rows) in shard_rows(weight.rows, row_bytes, gpu.max_binding_bytes) {
        if weight.elementwise && rows < weight.rows {
            let what = format!("{name} in one storage binding");
            let needed = (row_bytes * weight.rows) as u64;
            return Err(Error::OutOfMemory { what, needed, available: Some(gpu.max_binding_bytes) });
        }
        let buffer = gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(name),
            size: (rows * row_bytes) as u64,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        for piece in (0..rows).step_by(rows_at_once) {
            let count = rows_at_once.min(rows - piece);
            let offset = ((first_row + piece) * file_row_bytes) as u64;
            let bytes = gguf.read(&weight.tensor, offset, count * file_row_bytes).await?;
            let at = (piece * row_bytes) as u64;
            if weight.elementwise {
                let mut values = vec![0.0f32; count * weight.columns];
                decode_row(source, &bytes, &mut values);
                gpu.queue.write_buffer(&buffer, at, bytemuck::cast_slice(&values));
            } else {
                gpu.queue.write_buffer(&buffer, at, &to_device_rows(source, weight.columns, &bytes));
            }
            progress(bytes.len() as u64);
        }
        shards.push(Shard { buffer, first_row, rows });
    }
    Ok(DeviceWeight { dtype, row_vectors: row_bytes / VECTOR_BYTES, columns: weight.columns, shards })
}

#[cfg(test)]
mod tests {
    use super::shard_rows;

    #[test]
    fn shards_cover_every_row_once_and_fit() {
        for (rows, row_bytes, limit) in [(10, 64, 1000), (1, 4, 4), (7, 100, 250), (65024, 3360, 128 << 20), (3, 8, 9)]
        {
            let mut next = 0;
            for (first, count) in shard_rows(rows, row_bytes, limit) {
                assert_eq!(first, next);
                assert!(count * row_bytes <= limit as usize, "{count} rows of {row_bytes} bytes in {limit}");
                next += count;
            }
            assert_eq!(next, rows);
        }
    }
}
