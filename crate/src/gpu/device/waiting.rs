//! Waiting for the device, and reading back what it made.

use super::gpu::Gpu;
use crate::error::{Error, Result};

/// How often a device that failed a read is asked whether it is lost; each time is one turn of a browser's event loop.
const LOSS_TURNS: usize = 20;

impl Gpu {
    /// Waits natively until all submitted work is done; in a browser the event loop does that by itself.
    pub(in crate::gpu) fn wait(&self) -> Result<()> {
        match self.device.poll(wgpu::PollType::wait_indefinitely()) {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::Gpu { problem: error.to_string() }),
        }
    }

    /// Sends all writes so far on their way; the future is done when they and everything submitted before have run.
    pub(in crate::gpu) fn submitted(&self) -> impl Future<Output = Result<()>> + use<'_> {
        let submission = self.queue.submit([]);
        let (sender, receiver) = futures_channel::oneshot::channel();
        self.queue.on_submitted_work_done(move || {
            // The receiver is gone only where the caller stopped waiting.
            let _ = sender.send(());
        });
        async move {
            self.wait_for(submission)?;
            // A dropped sender is a lost device, which the check reports.
            let _ = receiver.await;
            self.check()
        }
    }

    /// Waits until everything submitted has run.
    pub(in crate::gpu) async fn finish(&self) -> Result<()> {
        self.submitted().await
    }

    /// Reads parts one after the other: of each a buffer, the byte to start at, and how many floats.
    pub(in crate::gpu) async fn read_parts(&self, parts: &[(&wgpu::Buffer, u64, usize)]) -> Result<Vec<f32>> {
        let floats: usize = parts.iter().map(|(_, _, floats)| floats).sum();
        if floats == 0 {
            // Nothing can be mapped of an empty buffer.
            return Ok(Vec::new());
        }
        let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("read-back"),
            size: 4 * floats as u64,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut to = 0;
        for &(buffer, offset, floats) in parts {
            encoder.copy_buffer_to_buffer(buffer, offset, &staging, to, 4 * floats as u64);
            to += 4 * floats as u64;
        }
        self.queue.submit([encoder.finish()]);
        self.read_floats(&staging, floats).await
    }

    /// Waits natively until a submission is done, and no longer.
    pub(in crate::gpu) fn wait_for(&self, submission: wgpu::SubmissionIndex) -> Result<()> {
        match self.device.poll(wgpu::PollType::Wait { submission_index: Some(submission), timeout: None }) {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::Gpu { problem: error.to_string() }),
        }
    }

    /// Whether a buffer could be mapped: what arrived from its callback.
    pub(in crate::gpu) async fn mapped<E>(&self, arrived: Result<Result<(), wgpu::BufferAsyncError>, E>) -> Result<()> {
        self.check()?;
        let problem = match arrived {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the device dropped a read".into(),
        };
        // A browser fails the reads of a lost device a moment before it says that it is lost.
        for _ in 0..LOSS_TURNS {
            self.device.push_error_scope(wgpu::ErrorFilter::Validation).pop().await;
            self.check()?;
        }
        Err(Error::Gpu { problem })
    }

    /// The start of a mapped buffer.
    pub(in crate::gpu) fn view(&self, staging: &wgpu::Buffer, bytes: u64) -> Result<wgpu::BufferView> {
        staging.get_mapped_range(..bytes).map_err(|error| Error::Gpu { problem: error.to_string() })
    }

    /// Copies the start of a mappable buffer out: `floats` numbers.
    pub(in crate::gpu) async fn read_floats(&self, staging: &wgpu::Buffer, floats: usize) -> Result<Vec<f32>> {
        let bytes = 4 * floats as u64;
        let (sender, receiver) = futures_channel::oneshot::channel();
        staging.map_async(wgpu::MapMode::Read, ..bytes, move |result| {
            // The receiver is gone only where the caller stopped waiting.
            let _ = sender.send(result);
        });
        self.wait()?;
        self.mapped(receiver.await).await?;
        let view = self.view(staging, bytes)?;
        let values = bytemuck::pod_collect_to_vec(&view);
        drop(view);
        staging.unmap();
        Ok(values)
    }
}
