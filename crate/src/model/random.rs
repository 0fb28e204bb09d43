//! Random values of each kind of tensor, of such sizes that activations stay near 1 through any number of layers, time steps are
//! those of trained models, and logits have a standard deviation of a few.

use super::{Config, TensorKind, TensorSpec};
use crate::quant::{DType, RandomRows, SplitMix64};

/// How much larger a product is than what it multiplies. The embedding's makes logits where it is the head, and is next to
/// nothing elsewhere, since every layer starts with a norm.
fn gain(kind: TensorKind) -> f32 {
    match kind {
        TensorKind::TokenEmbd | TensorKind::Output => 3.0,
        // Around its bias the time step is to vary, not to jump.
        TensorKind::SsmDt => 0.3,
        _ => 1.0,
    }
}

/// Time steps from 0.005 to 0.5, each order of magnitude as likely as the other, before the softplus that makes them.
fn dt_bias(random: &mut SplitMix64) -> f32 {
    let dt = random.between(0.005f32.ln(), 0.5f32.ln()).exp();
    dt.exp_m1().ln()
}

/// The value at `index` of a tensor that is no matrix.
fn element(kind: TensorKind, config: &Config, index: usize, random: &mut SplitMix64) -> f32 {
    match kind {
        TensorKind::OutputNorm | TensorKind::AttnNorm => random.between(0.9, 1.1),
        TensorKind::Conv1dWeight => random.between(-1.0, 1.0) * (3.0 / config.d_conv as f32).sqrt(),
        TensorKind::Conv1dBias => random.between(-0.1, 0.1),
        TensorKind::SsmDtBias => dt_bias(random),
        // The usual start (S4D-Real): -1 to -d_state in every channel.
        TensorKind::SsmA => -((index % config.d_state + 1) as f32),
        TensorKind::SsmD => 1.0,
        matrix => unreachable!("{matrix:?} is made of random rows"),
    }
}

/// Bytes made at a time, about: enough for few writes, few enough for flat memory.
const CHUNK: usize = 1 << 20;

/// Makes a tensor's data chunk by chunk, and hands each on.
pub fn random_values<E>(
    tensor: &TensorSpec,
    dtype: DType,
    config: &Config,
    random: &mut SplitMix64,
    mut write: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let count = tensor.rows * tensor.columns;
    if tensor.kind.is_elementwise() {
        let mut chunk = Vec::with_capacity(CHUNK);
        for index in 0..count {
            chunk.extend(element(tensor.kind, config, index, random).to_le_bytes());
            if chunk.len() >= CHUNK || index + 1 == count {
                write(&chunk)?;
                chunk.clear();
            }
        }
        return Ok(());
    }
    let rows = RandomRows::new(dtype, gain(tensor.kind) / (tensor.columns as f32).sqrt());
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
