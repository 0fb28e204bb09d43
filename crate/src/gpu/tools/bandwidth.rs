//! How fast this device reads its own memory: the bound of decode, since every weight is read once a token.

use std::time::Duration;

use web_time::Instant;

use crate::error::{Error, Result};
use crate::gpu::device::Gpu;
use crate::gpu::resources::make_pipeline;
use crate::quant::VECTOR_BYTES;

/// Bytes to read, far more than caches hold. A software adapter shares the processor's memory and is slow.
const HARDWARE_BYTES: u64 = 512 << 20;
const SOFTWARE_BYTES: u64 = 64 << 20;

/// Fewer would be read from a cache.
const LEAST_BYTES: u64 = 16 << 20;

const INVOCATIONS: u64 = 256;
/// Workgroups: enough to fill any GPU, few enough for the sums to cost nothing.
const GROUPS: u64 = 2048;

/// Bytes that all invocations read in one turn of the kernel's loop: what is read is a multiple of this.
const TURN_BYTES: u64 = 4 * VECTOR_BYTES as u64 * GROUPS * INVOCATIONS;

/// The least time of a measurement: browsers round timestamps to a tenth of a millisecond.
const LEAST_TIME: Duration = Duration::from_millis(20);

/// Measurements, of which the median counts.
const RUNS: usize = 7;

/// Bytes that a kernel reads per second, from a buffer of up to 512 MB, with clocks warmed up.
///
/// # Errors
/// [`Error::Gpu`] where the device fails, [`Error::OutOfMemory`] where not even a small buffer finds room.
pub async fn read_bandwidth(gpu: &Gpu) -> Result<f64> {
    let wanted = if gpu.software { SOFTWARE_BYTES } else { HARDWARE_BYTES };
    let mut bytes = wanted.min(gpu.max_binding_bytes) / TURN_BYTES * TURN_BYTES;
    let data = loop {
        if bytes < LEAST_BYTES {
            let what = "measuring bandwidth".into();
            return Err(Error::OutOfMemory { what, needed: LEAST_BYTES, available: Some(gpu.max_binding_bytes) });
        }
        match try_buffer(gpu, bytes).await {
            Some(buffer) => break buffer,
            None => bytes = bytes / 2 / TURN_BYTES * TURN_BYTES,
        }
    };
    let (pipeline, bind_group) = read_kernel(gpu, &data, bytes);
    let pass = async |times: usize| {
        gpu.time_pass(|pass| {
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &bind_group, &[]);
            (0..times).for_each(|_| pass.dispatch_workgroups(GROUPS as u32, 1, 1));
        })
        .await
    };
    // The first pass also compiles and clears the buffer.
    pass(1).await?;
    let once = pass(1).await?.max(Duration::from_micros(10));
    let times = (LEAST_TIME.as_secs_f64() / once.as_secs_f64()).ceil().clamp(1.0, 1000.0) as usize;
    let start = Instant::now();
    while start.elapsed() < crate::instruments::WARM_UP {
        pass(times).await?;
    }
    let mut seconds = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        seconds.push(pass(times).await?.as_secs_f64());
    }
    Ok((times as u64 * bytes) as f64 / crate::instruments::median(&mut seconds))
}

/// None where there is no room for it.
async fn try_buffer(gpu: &Gpu, bytes: u64) -> Option<wgpu::Buffer> {
    let scope = gpu.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let buffer = gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("bandwidth"),
        size: bytes,
        usage: wgpu::BufferUsages::STORAGE,
        mapped_at_creation: false,
    });
    scope.pop().await.is_none().then_some(buffer)
}

fn read_kernel(gpu: &Gpu, data: &wgpu::Buffer, bytes: u64) -> (wgpu::ComputePipeline, wgpu::BindGroup) {
    let (vectors, invocations) = (bytes / VECTOR_BYTES as u64, GROUPS * INVOCATIONS);
    let wgsl = format!(
        "const VECTORS: u32 = {vectors}u;\nconst INVOCATIONS: u32 = {invocations}u;\n{}",
        include_str!("bandwidth.wgsl")
    );
    let sums = gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("bandwidth sums"),
        size: 4 * invocations,
        usage: wgpu::BufferUsages::STORAGE,
        mapped_at_creation: false,
    });
    let entry = |binding, read_only| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Storage { read_only },
            has_dynamic_offset: false,
            min_binding_size: None,
        },
        count: None,
    };
    let entries = [entry(0, true), entry(1, false)];
    let descriptor = wgpu::BindGroupLayoutDescriptor { label: Some("bandwidth"), entries: &entries };
    let layout = gpu.device.create_bind_group_layout(&descriptor);
    let pipeline = make_pipeline(gpu, "bandwidth", &layout, &wgsl);
    let entries = [(0, data), (1, &sums)]
        .map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() });
    let descriptor = wgpu::BindGroupDescriptor { label: Some("bandwidth"), layout: &layout, entries: &entries };
    (pipeline, gpu.device.create_bind_group(&descriptor))
}
