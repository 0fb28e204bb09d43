//! `decode4` of every type, run on a GPU (a software one in CI), against `decode_row`, bit for bit.
//!
//! Two things are allowed because WGSL allows them, and nothing else: zero of either sign, and zero in place of an f32
//! subnormal. Only F32 and BF16 can hold one; what the other types yield is zero or at least 2^-24.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/decode_shader.rs"]
mod decode_shader;

use decode_shader::{WORKGROUP, decode_shader};
use half::{bf16, f16};
use std::path::Path;
use web_mamba::quant::{DType, decode_row, device_block_bytes, device_block_len, to_device_rows};

struct Device {
    device: wgpu::Device,
    queue: wgpu::Queue,
}

impl Device {
    fn open() -> Self {
        pollster::block_on(async {
            let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
            let adapter = instance.request_adapter(&Default::default()).await;
            let adapter = adapter.expect("a GPU, or a software Vulkan (scripts/setup --test)");
            // Default limits: what WebGPU promises everywhere.
            let (device, queue) = adapter.request_device(&Default::default()).await.unwrap();
            Self { device, queue }
        })
    }

    fn buffer(&self, bytes: usize, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: bytes as u64,
            usage,
            mapped_at_creation: false,
        })
    }

    /// Decodes whole device blocks.
    fn decode(&self, dtype: DType, blocks: &[u8]) -> Vec<f32> {
        let count = blocks.len() / device_block_bytes(dtype);
        let out_bytes = 4 * count * device_block_len(dtype);
        let weights = self.buffer(blocks.len(), wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST);
        let decoded = self.buffer(out_bytes, wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC);
        let staging = self.buffer(out_bytes, wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
        self.queue.write_buffer(&weights, 0, blocks);

        let pipeline = self.pipeline(dtype);
        let bind_group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &[
                wgpu::BindGroupEntry { binding: 0, resource: weights.as_entire_binding() },
                wgpu::BindGroupEntry { binding: 1, resource: decoded.as_entire_binding() },
            ],
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &bind_group, &[]);
        pass.dispatch_workgroups(count.div_ceil(WORKGROUP) as u32, 1, 1);
        drop(pass);
        encoder.copy_buffer_to_buffer(&decoded, 0, &staging, 0, out_bytes as u64);
        self.queue.submit([encoder.finish()]);

        staging.map_async(wgpu::MapMode::Read, .., |result| result.unwrap());
        self.device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
        bytemuck::pod_collect_to_vec(&staging.get_mapped_range(..).unwrap())
    }

    fn pipeline(&self, dtype: DType) -> wgpu::ComputePipeline {
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(dtype.name()),
            source: wgpu::ShaderSource::Wgsl(decode_shader(dtype).into()),
        });
        self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(dtype.name()),
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: Default::default(),
            cache: None,
        })
    }

    /// Decodes file rows of `columns` values on the device and compares each value with `decode_row`; what a row is padded
    /// with must be zero, because `matmul.wgsl` multiplies by it.
    fn check(&self, name: &str, dtype: DType, columns: usize, rows: &[u8]) {
        let mut expected = vec![f32::NAN; rows.len() / dtype.block_bytes() * dtype.block_len()];
        decode_row(dtype, rows, &mut expected);
        let actual = self.decode(dtype, &to_device_rows(dtype, columns, rows));

        let device_columns = columns.next_multiple_of(device_block_len(dtype));
        assert_eq!(actual.len() / device_columns, expected.len() / columns, "{name}: rows");
        for (row, (actual, expected)) in
            actual.chunks_exact(device_columns).zip(expected.chunks_exact(columns)).enumerate()
        {
            let expected = expected.iter().chain(std::iter::repeat(&0.0));
            for (i, (&actual, &expected)) in actual.iter().zip(expected).enumerate() {
                assert!(agree(actual, expected), "{name}, row {row}, value {i}: {actual:e} in place of {expected:e}");
            }
        }
    }
}

fn agree(actual: f32, expected: f32) -> bool {
    actual.to_bits() == expected.to_bits() || actual == 0.0 && (expected == 0.0 || expected.is_subnormal())
}

#[test]
fn every_type_decodes_the_golden_blocks_to_the_bits_of_decode_row() {
    let device = Device::open();
    for dtype in DType::all() {
        for set in ["random", "llama"] {
            let name = format!("{dtype}-{set}");
            let path =
                Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/blocks").join(format!("{name}.blocks"));
            let blocks = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            device.check(&name, dtype, dtype.block_len().max(256), &blocks);
        }
    }
}

#[test]
fn every_finite_half_decodes() {
    let bits = (0..=u16::MAX).filter(|&bits| f16::from_bits(bits).is_finite());
    let bytes: Vec<u8> = bits.flat_map(u16::to_le_bytes).collect();
    Device::open().check("all of F16", DType::F16, 4, &bytes);

    let bits = (0..=u16::MAX).filter(|&bits| bf16::from_bits(bits).is_finite());
    let bytes: Vec<u8> = bits.flat_map(u16::to_le_bytes).collect();
    Device::open().check("all of BF16", DType::BF16, 4, &bytes);
}

#[test]
fn odd_rows_of_plain_types_end_in_zeros() {
    let device = Device::open();
    for (dtype, one) in [
        (DType::F32, 1.5_f32.to_le_bytes().to_vec()),
        (DType::F16, f16::from_f32(1.5).to_le_bytes().to_vec()),
        (DType::BF16, bf16::from_f32(1.5).to_le_bytes().to_vec()),
    ] {
        for columns in 1..=9 {
            device.check(&format!("{dtype}, {columns} columns"), dtype, columns, &one.repeat(3 * columns));
        }
    }
}

/// The comparison above must be able to fail, and only zeros and subnormals may pass unequal.
#[test]
fn only_zeros_and_subnormals_may_differ() {
    assert!(agree(1.0, 1.0) && agree(0.0, -0.0) && agree(-0.0, 1e-40) && agree(1e-40, 1e-40));
    assert!(!agree(1.0, 1.0 + f32::EPSILON) && !agree(0.0, f32::MIN_POSITIVE));
    assert!(!agree(1e-40, 0.0) && !agree(f32::NAN, 0.0) && !agree(0.0, f32::NAN));
}
