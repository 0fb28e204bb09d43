//! How long the device takes.

use std::time::Duration;

use web_time::Instant;

use super::chunk_tokens::ChunkTokens;
use super::stages::{Extent, Stage};
use super::{Gpu, GpuExecutor};
use crate::error::Result;

/// Untimed passes before the timed one.
const WARM_UP: usize = 20;

impl Gpu {
    /// Time of one compute pass: by timestamps where the device has them, else from submission to the end of waiting.
    ///
    /// # Errors
    /// [`crate::Error::Gpu`] where the device fails.
    pub(super) async fn time_pass(&self, record: impl Fn(&mut wgpu::ComputePass<'_>)) -> Result<Duration> {
        self.finish().await?;
        let mut encoder = self.device.create_command_encoder(&Default::default());
        if !self.software {
            // A GPU that has been idle runs at a fraction of its clock.
            (0..WARM_UP).for_each(|_| record(&mut encoder.begin_compute_pass(&Default::default())));
        }
        if !self.timestamps {
            self.queue.submit([encoder.finish()]);
            self.finish().await?;
            let mut encoder = self.device.create_command_encoder(&Default::default());
            record(&mut encoder.begin_compute_pass(&Default::default()));
            let start = Instant::now();
            self.queue.submit([encoder.finish()]);
            self.finish().await?;
            return Ok(start.elapsed());
        }
        let queries = self.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: None,
            ty: wgpu::QueryType::Timestamp,
            count: 2,
        });
        let bytes = u64::from(2 * wgpu::QUERY_SIZE);
        let resolved = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("timestamps"),
            size: bytes,
            usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        record(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: None,
            timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                query_set: &queries,
                beginning_of_pass_write_index: Some(0),
                end_of_pass_write_index: Some(1),
            }),
        }));
        encoder.resolve_query_set(&queries, 0..2, &resolved, 0);
        self.queue.submit([encoder.finish()]);
        let words = self.read_parts(&[(&resolved, 0, 4)]).await?;
        let ticks: &[u64] = &bytemuck::pod_collect_to_vec(&words);
        let nanoseconds = ticks[1].saturating_sub(ticks[0]) as f64 * f64::from(self.queue.get_timestamp_period());
        Ok(Duration::from_nanos(nanoseconds as u64))
    }
}

impl GpuExecutor {
    /// Dispatches of one decoded token, head included.
    pub fn dispatches_per_token(&self) -> usize {
        self.stages(Extent { tokens: 1, sequences: 1, outputs: 1 }).iter().map(|stage| stage.dispatches.len()).sum()
    }

    /// The steps of each stage over so many tokens, and the kernel that runs them.
    pub fn stage_steps(&self, tokens: usize) -> Vec<(std::ops::Range<usize>, &'static str)> {
        let extent = Extent { tokens, sequences: 1, outputs: 1 };
        let kernel = |stage: &Stage| stage.dispatches.iter().find(|dispatch| dispatch.runs(extent)).map(|d| d.kernel);
        let stages = self.stages(extent).iter();
        stages.filter_map(|stage| Some((stage.steps.clone(), kernel(stage)?))).collect()
    }

    /// Time that some stages take together over a chunk of the first tokens of the vocabulary: the device's own where it has
    /// timestamps, else with submission and waiting. Which stages ran before does not matter to their cost.
    ///
    /// # Errors
    /// [`crate::Error::Gpu`] where the device fails.
    pub async fn time_stages(&self, stages: &[usize], tokens: usize) -> Result<Duration> {
        let extent = Extent { tokens: tokens.min(ChunkTokens::MOST), sequences: 1, outputs: 1 };
        let ids: Vec<u32> = (0..extent.tokens as u32).map(|id| id % self.network.vocab_size as u32).collect();
        self.write_batch(&ids, extent, &[self.current_slots(0)]);
        let all = self.stages(extent);
        self.gpu
            .time_pass(|pass| {
                for dispatch in stages.iter().flat_map(|&stage| &all[stage].dispatches) {
                    dispatch.encode(pass, extent);
                }
            })
            .await
    }
}
