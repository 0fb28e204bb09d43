//! The debug mode: runs a chunk on CPU and GPU stage by stage and names the first buffer that differs, on any GPU.

use super::GpuExecutor;
use super::stages::Extent;
use super::storage::act_row_words;
use super::submission::encode;
use crate::cpu::CpuExecutor;
use crate::error::Result;
use crate::executor::{Activations, Executor};
use crate::model::BufferId;

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
/// rounding that a deep model only amplifies.
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
    gpu.write_batch(tokens, extent, &[gpu.current_slots(0)]);
    for number in 0..gpu.stages(extent).len() {
        let stage = &gpu.stages(extent)[number];
        for step in &steps[stage.steps.clone()] {
            cpu.run_step(step, tokens, extent.outputs);
        }
        let mut encoder = gpu.gpu.device.create_command_encoder(&Default::default());
        encode(&mut encoder.begin_compute_pass(&Default::default()), std::iter::once(stage), extent);
        gpu.gpu.queue.submit([encoder.finish()]);
        for &written in &stage.writes {
            let rows = extent.rows(plan.buffer(written).rows);
            let right = &cpu.buffer(written)[..rows * plan.buffer(written).width];
            let values = gpu.read_buffer(written, rows).await?;
            let slack = gpu.half_quants(written, right);
            if let Some((index, cpu, gpu)) = worst(right, &values, tolerance, &slack) {
                let step = stage.steps.end - 1;
                let what = format!("{:?}", steps[step].op);
                return Ok(Some(Difference { step, what, buffer: plan.buffer(written).name.into(), index, cpu, gpu }));
            }
            gpu.write_buffer(written, right);
        }
    }
    gpu.advance(0, tokens.len());
    let (a, b) = (cpu.read_state(0).await?, gpu.read_state(0).await?);
    for (spec, (a, b)) in gpu.network.state.iter().zip(a.tensors.iter().zip(&b.tensors)) {
        if let Some((index, cpu, gpu)) = worst(a, b, tolerance, &[]) {
            let (what, buffer) = ("the state left behind".into(), spec.name.clone());
            return Ok(Some(Difference { step: steps.len(), what, buffer, index, cpu, gpu }));
        }
    }
    gpu.write_state(0, &a)?;
    Ok(None)
}

impl GpuExecutor {
    /// What a buffer holds now: its first `rows` rows, in f32 whatever its form.
    async fn read_buffer(&self, id: BufferId, rows: usize) -> Result<Vec<f32>> {
        let buffer = self.storage.buffer(id);
        if let Some(plain) = &buffer.plain {
            return self.gpu.read_parts(&[(plain, 0, rows * buffer.width)]).await;
        }
        let words = act_row_words(self.activations, buffer.width);
        let rows = self.gpu.read_parts(&[(&buffer.acts(), 0, rows * words)]).await?;
        let decode = |row: &[f32]| decode_row(self.activations, row, buffer.width);
        Ok(rows.chunks_exact(words).flat_map(decode).collect())
    }

    /// How far rounding alone may take each of some values from what a buffer holds; nothing where it rounds none.
    fn half_quants(&self, id: BufferId, values: &[f32]) -> Vec<f32> {
        let buffer = self.storage.buffer(id);
        if self.activations == Activations::F32 || buffer.plain.is_some() {
            return Vec::new();
        }
        let half = |run: &[f32]| {
            let half = run.iter().fold(0.0, |highest: f32, value| highest.max(value.abs())) / 254.0;
            vec![1.001 * half; run.len()]
        };
        values.chunks_exact(buffer.width).flat_map(|row| row.chunks(16)).flat_map(half).collect()
    }

    /// Puts values into a buffer, from its start, in each of its forms.
    fn write_buffer(&self, id: BufferId, values: &[f32]) {
        let buffer = self.storage.buffer(id);
        if let Some(plain) = &buffer.plain {
            self.gpu.queue.write_buffer(plain, 0, bytemuck::cast_slice(values));
        }
        if let (Some(acts), Activations::F32) = (&buffer.acts, self.activations) {
            let stride = 4 * act_row_words(self.activations, buffer.width) as u64;
            for (row, at) in values.chunks_exact(buffer.width).zip(0..) {
                self.gpu.queue.write_buffer(acts, at * stride, bytemuck::cast_slice(row));
            }
        }
    }
}

/// A row of activations as f32; see `shaders/acts`.
fn decode_row(activations: Activations, row: &[f32], width: usize) -> Vec<f32> {
    match activations {
        Activations::F32 => row[..width].to_vec(),
        Activations::Q8 => {
            let bytes: &[i8] = bytemuck::cast_slice(row);
            let scales = &row[super::kernels::runs(width) * 4..];
            (0..width).map(|c| f32::from(bytes[c]) * scales[2 * (c / 16)]).collect()
        }
    }
}

/// The value that differs most, where one differs by more than the tolerance, beyond the slack that it has where there is any.
/// NaN differs from everything.
pub(super) fn worst(cpu: &[f32], gpu: &[f32], tolerance: f32, slack: &[f32]) -> Option<(usize, f32, f32)> {
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
