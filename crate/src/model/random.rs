//! Random values of each kind of tensor, of such sizes that activations stay near 1 through any number of layers, time steps are
//! those of trained models, and logits have a standard deviation of a few.

use half::{bf16, f16};

use super::{Init, TensorSpec};
use crate::quant::{DType, RandomRows, SplitMix64};

/// Bytes made at a time, about: enough for few writes, few enough for flat memory.
const CHUNK: usize = 1 << 20;

/// The value at `index` of a tensor that is no matrix.
fn element(tensor: &TensorSpec, index: usize, random: &mut SplitMix64) -> f32 {
    match tensor.init {
        Init::Between(low, high) => random.between(low, high),
        Init::TimeStep(low, high) => random.between(low.ln(), high.ln()).exp().exp_m1().ln(),
        Init::Descending => -((index % tensor.columns + 1) as f32),
        Init::Constant(value) => value,
        Init::Gain(_) => unreachable!("{} is made of random rows", tensor.suffix),
    }
}

/// Makes a tensor's data chunk by chunk, and hands each on. What kernels index is of floats.
pub fn random_values<E>(
    tensor: &TensorSpec,
    dtype: DType,
    random: &mut SplitMix64,
    mut write: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let count = tensor.rows * tensor.columns;
    let Init::Gain(gain) = tensor.init else {
        let mut chunk = Vec::with_capacity(CHUNK);
        for index in 0..count {
            let value = element(tensor, index, random);
            match dtype {
                DType::F16 => chunk.extend(f16::from_f32(value).to_le_bytes()),
                DType::BF16 => chunk.extend(bf16::from_f32(value).to_le_bytes()),
                _ => chunk.extend(value.to_le_bytes()),
            }
            if chunk.len() >= CHUNK || index + 1 == count {
                write(&chunk)?;
                chunk.clear();
            }
        }
        return Ok(());
    };
    let rows = RandomRows::new(dtype, gain / (tensor.columns as f32).sqrt());
    let mut left = count / dtype.block_len();
    let at_once = CHUNK / dtype.block_bytes();
    let mut chunk = vec![0; at_once.min(left) * dtype.block_bytes()];
    while left > 0 {
        let now = at_once.min(left);
        let bytes = &mut chunk[..now * dtype.block_bytes()];
        rows.fill(random, bytes);
        write(bytes)?;
        left -= now;
    }
    Ok(())
}
