//! Hidden states for the host: the residual stream is read back, where it lies as f32 whatever products see, and normed here.

use super::model::LoadedModel;
use crate::cpu::kernels;
use crate::error::Result;
use crate::gpu::device::Gpu;
use crate::gpu::kernels::Layout;
use crate::gpu::lowering::Extent;
use crate::gpu::resources::DeviceWeight;
use crate::model::Op;

/// The hidden states, (tokens, d_model), of a chunk of one sequence that ran last.
///
/// # Errors
/// [`crate::Error::Gpu`] where the device fails.
pub async fn hidden_states(model: &LoadedModel, tokens: usize) -> Result<Vec<f32>> {
    let (gpu, plan) = (model.gpu(), &model.network().plan);
    let (norms, _) = plan.hidden();
    let [norm] = norms else { unreachable!("the head of every architecture is a norm and a product") };
    let one_token = Extent { tokens, sequences: 1, outputs: 0 }.is_one_token();
    let x = model.storage().read(gpu, (norm.reads[0], Layout::Plain), tokens, one_token).await?;
    let mut factors = Vec::with_capacity(norm.weights.len());
    for &id in &norm.weights {
        factors.push(values(gpu, model.weight(id)).await?);
    }
    let mut hidden = vec![0.0; x.len()];
    match (norm.op, factors.as_slice()) {
        (Op::RmsNorm { eps }, [weight]) => kernels::rms_norm(&x, weight, eps, &mut hidden),
        (Op::LayerNorm { eps }, [weight, bias]) => kernels::layer_norm(&x, [weight, bias], eps, &mut hidden),
        _ => unreachable!("{} is no norm", norm.op.name()),
    }
    Ok(hidden)
}

/// A vector of weights, which a device has as f32.
async fn values(gpu: &Gpu, weight: &DeviceWeight) -> Result<Vec<f32>> {
    let bound = weight.shards[0].bound();
    gpu.read_parts(&[(&bound.buffer, bound.offset, weight.columns)]).await
}
