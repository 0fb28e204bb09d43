//! The test that loading begins with: a tiny model with random weights runs on this very adapter and on the CPU, and both must
//! agree. It has the types, state sizes and switches of the model that is to be loaded, so that it runs the same kernels.
//! Some drivers miscompile shaders; without this test that shows only as a model that writes nonsense.

use super::compare::{first_difference, worst};
use crate::cpu::CpuExecutor;
use crate::error::{Error, Result};
use crate::executor::{Activations, Executor, Outputs};
use crate::gpu::device::Gpu;
use crate::gpu::executor::GpuExecutor;
use crate::gpu::run::FEW_TOKENS;
use crate::model::arch::Scale;
use crate::model::{ModelFile, State};
use crate::quant::SplitMix64;
use crate::sampler::{Sampler, SamplerOptions};
use crate::synthetic;

/// Rows and columns of most matrices: one block of the types with the largest blocks. Of low ranks too, where they have such types.
const MOST: Scale = Scale { d_model: 256, inner: 256, rank: 16 };

const VOCAB_SIZE: usize = 96;

/// Decode; a product's small tile, its large tile, and decode again from the states that these left behind.
const CHUNKS: [usize; 4] = [1, 3, 17, 1];

/// Largest difference of a logit, as a part of their root mean square. Sums in another order and a driver's `exp` differ by
/// about 1e-4, activations of 8 bits by about 1e-2; a wrong kernel by about 1.
fn tolerance(activations: Activations) -> f32 {
    match activations {
        Activations::F32 => 1e-2,
        Activations::Q8 => 0.1,
    }
}

/// Runs the test.
///
/// # Errors
/// [`Error::SelfTest`] where the GPU computes something else than the CPU, with the kernel at which they part;
/// [`Error::Gpu`] or [`Error::OutOfMemory`] where it does not run at all.
pub async fn self_test(gpu: &Gpu, file: &ModelFile, activations: Activations) -> Result<()> {
    let tiny = synthetic::model_like(file, MOST, VOCAB_SIZE).await?;
    let mut cpu = CpuExecutor::load(&tiny, Activations::F32, &mut |_| {}).await?;
    let mut gpu = GpuExecutor::load(gpu.clone(), &tiny, activations, &mut |_| {}).await?;
    let tolerance = tolerance(activations);
    begin(&mut cpu, &mut gpu)?;
    let mut agree = true;
    for tokens in chunks() {
        // On a slow device the chunks would have become smaller.
        gpu.set_max_tokens(tokens.len());
        let right = cpu.forward(0, &tokens, Outputs::Each).await?;
        let found = gpu.forward(0, &tokens, Outputs::Each).await?;
        agree &= worst(&right, &found, tolerance, &[]).is_none();
    }
    if !agree {
        return Err(fault(&mut cpu, &mut gpu, tolerance).await?);
    }
    samples_alike(&mut gpu).await
}

/// Gives both the same state, of random numbers. The first token after a state of zeros may be ill-conditioned: in RWKV-7 the norm of a
/// head leaves little but the sign of a product of two vectors, which rounding to 8 bits may turn.
fn begin(cpu: &mut CpuExecutor, gpu: &mut GpuExecutor) -> Result<()> {
    let mut state = State::new(cpu.network());
    let mut random = SplitMix64::new(0);
    state.tensors.iter_mut().flatten().for_each(|value| *value = (random.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0);
    cpu.write_state(0, &state)?;
    gpu.write_state(0, &state)
}

/// Both sides sample in integers: from the same logits they give the same token.
async fn samples_alike(gpu: &mut GpuExecutor) -> Result<()> {
    for temperature in [0.0, 1.5] {
        let mut here =
            Sampler::new(SamplerOptions { temperature, min_p: 0.0, seed: Some(0), ..SamplerOptions::default() })?;
        let mut there = here.clone();
        // A few tokens before a sampled one are read one by one, and not as a chunk: that rounds otherwise.
        for tokens in chunks().filter(|tokens| tokens.len() == 1 || tokens.len() > FEW_TOKENS) {
            gpu.set_max_tokens(tokens.len());
            gpu.reset(0)?;
            let right = here.sample_unchecked(&mut gpu.forward(0, &tokens, Outputs::Last).await?);
            gpu.set_max_tokens(tokens.len());
            gpu.reset(0)?;
            let sampled = match gpu.sample(0, &tokens, &mut there).await {
                Ok(found) if found == right => continue,
                Ok(found) => format!("token {found}"),
                Err(Error::NotFinite { .. }) => "none".into(),
                Err(error) => return Err(error),
            };
            let problem = format!("`sample_maxima` and `sample_token` gave {sampled} where token {right} is right");
            return Err(Error::SelfTest { adapter: gpu.backend().adapter, problem });
        }
    }
    Ok(())
}

fn chunks() -> impl Iterator<Item = Vec<u32>> {
    CHUNKS.iter().map(|&count| (0..count).map(|i| ((31 * i + count) % VOCAB_SIZE) as u32).collect())
}

/// Runs it again step by step, which takes longer, to name the kernel.
async fn fault(cpu: &mut CpuExecutor, gpu: &mut GpuExecutor, tolerance: f32) -> Result<Error> {
    let adapter = gpu.backend().adapter;
    begin(cpu, gpu)?;
    for tokens in chunks() {
        if let Some(found) = first_difference(cpu, gpu, &tokens, tolerance).await? {
            let stages = gpu.stage_steps(tokens.len());
            // One past the last step stands for the states, which no single kernel is to blame for.
            let kernel =
                stages.iter().find(|(steps, _)| steps.end == found.step + 1).map_or("a scan", |(_, kernel)| kernel);
            let problem = format!("`{kernel}` gave {} where {} is right, in `{}`", found.gpu, found.cpu, found.buffer);
            return Ok(Error::SelfTest { adapter, problem });
        }
    }
    let problem = "the same steps gave two results".into();
    Ok(Error::SelfTest { adapter, problem })
}
