//! How long the device takes.

use std::time::Duration;

use web_time::Instant;

use super::gpu::Gpu;
use crate::error::Result;

/// Untimed passes before the timed one.
const WARM_UP: usize = 20;

impl Gpu {
    /// Time of one compute pass: by timestamps where the device has them, else from submission to the end of waiting.
    ///
    /// # Errors
    /// [`crate::Error::Gpu`] where the device fails.
    pub(in crate::gpu) async fn time_pass(&self, record: impl Fn(&mut wgpu::ComputePass<'_>)) -> Result<Duration> {
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
