//! The debug mode: runs a chunk on CPU and GPU step by step and names the first buffer that differs, on any GPU.

use super::GpuExecutor;
use crate::cpu::CpuExecutor;
use crate::error::Result;
use crate::executor::Executor;
use crate::model::Step;

/// Where two executors part.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Number of the step, through layers and head; one past the last for the states.
    pub step: usize,
    /// The step itself, or what else was compared.
    pub what: String,
    /// Name of the buffer that it wrote.
    pub buffer: &'static str,
    /// Index of the worst value in the buffer.
    pub index: usize,
    /// The CPU's value there.
    pub cpu: f32,
    /// The GPU's value there.
    pub gpu: f32,
}

/// Runs `tokens` on both from the states that they have, and gives the first buffer with a value that differs by more than
/// `tolerance * max(1, |value|, root mean square of what was written)`. Logits of every token are compared. Each step of the GPU is given what the CPU computed
/// before it, so that a wrong kernel stands out from rounding that a deep model only amplifies.
///
/// # Errors
/// [`crate::Error::Gpu`] where the device fails.
pub async fn first_difference(
    cpu: &mut CpuExecutor,
    gpu: &mut GpuExecutor,
    tokens: &[u32],
    tolerance: f32,
) -> Result<Option<Difference>> {
    let plan = cpu.plan().clone();
    gpu.write_batch(tokens, tokens.len());
    for (number, step) in plan.layers.iter().chain(&plan.head).enumerate() {
        cpu.run_step(step, tokens, tokens.len());
        gpu.run_step(number, tokens.len(), tokens.len());
        let written = step.output();
        let buffer = plan.buffer(written);
        let values = gpu.buffer(written, tokens.len()).await?;
        if let Some((index, cpu, gpu)) = worst(cpu.buffer(written), &values, view_of(step, buffer.width), tolerance) {
            return Ok(Some(Difference {
                step: number,
                what: format!("{step:?}"),
                buffer: buffer.name,
                index,
                cpu,
                gpu,
            }));
        }
        gpu.write_buffer(written, &cpu.buffer(written)[..values.len()]);
    }
    let (a, b) = (cpu.read_state().await?, gpu.read_state().await?);
    for (buffer, a, b) in [("conv state", &a.conv, &b.conv), ("ssm state", &a.ssm, &b.ssm)] {
        if let Some((index, cpu, gpu)) = worst(a, b, (0, 1, 1), tolerance) {
            let step = plan.layers.len() + plan.head.len();
            return Ok(Some(Difference { step, what: "the state left behind".into(), buffer, index, cpu, gpu }));
        }
    }
    gpu.write_state(&a)?;
    Ok(None)
}

/// First column, width and stride of what a step writes.
fn view_of(step: &Step, stride: usize) -> (usize, usize, usize) {
    match step {
        Step::RmsNorm { out, .. } => (out.start, out.width, stride),
        _ => (0, stride, stride),
    }
}

/// The value that differs most, where one differs by more than the tolerance. NaN differs from everything.
fn worst(
    cpu: &[f32],
    gpu: &[f32],
    (start, width, stride): (usize, usize, usize),
    tolerance: f32,
) -> Option<(usize, f32, f32)> {
    let written = cpu.iter().zip(gpu).enumerate().filter(|(i, _)| (start..start + width).contains(&(i % stride)));
    let (count, squares) = written.clone().fold((0, 0.0), |(n, sum), (_, (a, _))| (n + 1, sum + f64::from(a * a)));
    // A small value that large terms cancelled to carries their rounding.
    let scale = ((squares / f64::from(count.max(1))).sqrt() as f32).max(1.0);
    let excess = |&(_, a, b): &(usize, f32, f32)| {
        let error = (a - b).abs() / a.abs().max(scale);
        if error.is_nan() { f32::INFINITY } else { error }
    };
    written
        .map(|(i, (&a, &b))| (i, a, b))
        .max_by(|a, b| excess(a).total_cmp(&excess(b)))
        .filter(|worst| excess(worst) > tolerance)
}
