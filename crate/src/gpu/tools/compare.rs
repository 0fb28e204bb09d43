//! The debug mode: runs a chunk on CPU and GPU stage by stage and names the first buffer that differs, on any GPU.

use crate::cpu::CpuExecutor;
use crate::error::Result;
use crate::executor::{Activations, Executor};
use crate::gpu::executor::GpuExecutor;
use crate::gpu::kernels::Layout;
use crate::gpu::lowering::Extent;
use crate::gpu::resources::{Storage, rounding};
use crate::model::{BufferId, Plan};

/// Where two executors part.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Number of the stage's last step, through layers and head; one past the last for the states.
    pub step: usize,
    /// The step itself, or what else was compared.
    pub what: String,
    /// Name of the buffer that it wrote.
    pub buffer: String,
    /// Index of the worst value in the buffer.
    pub index: usize,
    /// The CPU's value there.
    pub cpu: f32,
    /// The GPU's value there.
    pub gpu: f32,
}

/// Runs `tokens` on both from the states that they have, sequence 0, and gives the first buffer with a value that differs by
/// more than `tolerance * max(1, |value|, root mean square of what was written)`. Logits of as many tokens as one call gives
/// are compared. Each stage of the GPU is given what the CPU computed before it, so that a wrong kernel stands out from
/// rounding that a deep model only amplifies; but not in 8 bits, see [`not_compared`].
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
    let steps: Vec<_> = plan.steps().cloned().collect();
    let extent = Extent { tokens: tokens.len(), sequences: 1, outputs: tokens.len().min(gpu.max_outputs()) };
    gpu.begin_stages(tokens, extent);
    let runner = gpu.runner();
    let (device, storage) = (runner.model().gpu(), runner.model().storage());
    for (number, stage) in runner.model().stages(extent).iter().enumerate() {
        for step in &steps[stage.steps.clone()] {
            cpu.run_step(step, tokens, extent.outputs);
        }
        runner.run_stage(number, extent);
        for &(written, layout) in &stage.writes {
            let rows = extent.rows(plan.buffer(written).rows);
            let right = &cpu.buffer(written)[..rows * plan.buffer(written).width];
            let values = storage.read(device, (written, layout), rows, extent.is_one_token()).await?;
            let slack = slack(storage, &plan, (written, layout), right);
            if let Some((index, cpu, gpu)) = worst(right, &values, tolerance, &slack) {
                let step = stage.steps.end - 1;
                let what = format!("{:?}", steps[step].op);
                return Ok(Some(Difference { step, what, buffer: plan.buffer(written).name.into(), index, cpu, gpu }));
            }
            storage.write(device, written, right);
        }
    }
    gpu.end_stages(extent);
    let (a, b) = (cpu.read_state(0).await?, gpu.read_state(0).await?);
    for (spec, (a, b)) in gpu.network().state.iter().zip(a.tensors.iter().zip(&b.tensors)) {
        if let Some((index, cpu, gpu)) = worst(a, b, tolerance, &[]) {
            let (what, buffer) = ("the state left behind".into(), spec.name.clone());
            return Ok(Some(Difference { step: steps.len(), what, buffer, index, cpu, gpu }));
        }
    }
    gpu.write_state(0, &a)?;
    Ok(None)
}

/// What [`first_difference`] does not do with this executor's activations, for people; none where it compares everything.
pub fn not_compared(gpu: &GpuExecutor) -> Option<String> {
    let model = gpu.runner().model();
    if model.activations() == Activations::F32 {
        return None;
    }
    let (plan, storage) = (&model.network().plan, model.storage());
    let named = |kind: &dyn Fn(BufferId) -> bool| {
        let ids = (0..plan.buffers.len()).map(BufferId).filter(|&id| kind(id));
        ids.map(|id| format!("`{}`", plan.buffer(id).name)).collect::<Vec<_>>().join(", ")
    };
    let all = named(&|id| storage.has_8_bit_form(id));
    let both = named(&|id| storage.has_8_bit_form(id) && !storage.is_8_bit_only(id));
    let alone = named(&|id| storage.is_8_bit_only(id));
    let mut sentences = vec![
        "With 8-bit activations the CPU still computes in f32.".to_owned(),
        format!("The 8-bit values of {all} stay the GPU's own: a step that reads them is not given the CPU's."),
    ];
    if !alone.is_empty() {
        sentences.push(format!("In {alone} a difference of up to half a quant counts as rounding."));
    }
    if !both.is_empty() {
        sentences.push(format!("Of {both} only the f32 values are compared, not the 8-bit ones."));
    }
    Some(sentences.join(" "))
}

/// How far rounding alone may take each of some values from what a buffer holds in a layout; empty where it holds f32.
fn slack(storage: &Storage, plan: &Plan, (id, layout): (BufferId, Layout), values: &[f32]) -> Vec<f32> {
    match layout == Layout::Activations && storage.has_8_bit_form(id) {
        true => values.chunks_exact(plan.buffer(id).width).flat_map(rounding).collect(),
        false => Vec::new(),
    }
}

/// The value that differs most, where one differs by more than the tolerance, beyond the slack that it has where there is any.
/// NaN differs from everything.
pub fn worst(cpu: &[f32], gpu: &[f32], tolerance: f32, slack: &[f32]) -> Option<(usize, f32, f32)> {
    let squares: f64 = cpu.iter().map(|a| f64::from(a * a)).sum();
    // A small value that large terms cancelled to carries their rounding.
    let scale = ((squares / cpu.len().max(1) as f64).sqrt() as f32).max(1.0);
    let excess = |&(i, a, b): &(usize, f32, f32)| {
        let beyond = (a - b).abs() - slack.get(i).unwrap_or(&0.0);
        // `max` would make 0 of NaN.
        let error = if beyond < 0.0 { 0.0 } else { beyond } / a.abs().max(scale);
        if error.is_nan() { f32::INFINITY } else { error }
    };
    let values = cpu.iter().zip(gpu).enumerate().map(|(i, (&a, &b))| (i, a, b));
    values.max_by(|a, b| excess(a).total_cmp(&excess(b))).filter(|worst| excess(worst) > tolerance)
}
