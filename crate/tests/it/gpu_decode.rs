//! The units of every type, decoded on a GPU (a software one in CI), against `decode_row`, bit for bit.
//!
//! Two things are allowed because WGSL allows them, and nothing else: zero of either sign, and zero in place of an f32
//! subnormal. Only F32 and BF16 can hold one; what the other types yield is zero or at least 2^-24.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;

use crate::support::unit_shader::{WORKGROUP, quants_shader, unit_shader};
use half::{bf16, f16};
use web_mamba::quant::{DType, SplitMix64, UNIT_LEN, VECTOR_BYTES, decode_row, device_row_bytes, to_device_rows};

struct Device {
    device: wgpu::Device,
    queue: wgpu::Queue,
    /// By shader: one takes longer to make than its blocks to decode.
    pipelines: RefCell<HashMap<String, wgpu::ComputePipeline>>,
}

impl Device {
    fn open() -> Self {
        pollster::block_on(async {
            let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
            let adapter = instance.request_adapter(&Default::default()).await;
            let adapter = adapter.expect("a GPU, or a software Vulkan (scripts/setup --test)");
            // Default limits: what WebGPU promises everywhere.
            let (device, queue) = adapter.request_device(&Default::default()).await.unwrap();
            Self { device, queue, pipelines: RefCell::default() }
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

    /// Decodes device rows into rows of whole units.
    fn decode(&self, shader: &str, dtype: DType, columns: usize, device_rows: &[u8]) -> Vec<f32> {
        let rows = device_rows.len() / device_row_bytes(dtype, columns);
        let units = columns.div_ceil(UNIT_LEN);
        let row_vectors = device_row_bytes(dtype, columns) / VECTOR_BYTES;
        let params = [rows, units, columns / dtype.block_len(), row_vectors].map(|n| n as u32);
        let out_bytes = 4 * rows * units * UNIT_LEN;
        let uniform = self.buffer(size_of_val(&params), wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST);
        let weights = self.buffer(device_rows.len(), wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST);
        let decoded = self.buffer(out_bytes, wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC);
        let staging = self.buffer(out_bytes, wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
        self.queue.write_buffer(&uniform, 0, bytemuck::bytes_of(&params));
        self.queue.write_buffer(&weights, 0, device_rows);

        let pipeline = self.pipeline(dtype, shader);
        let entries = [(0, &uniform), (2, &weights), (3, &decoded)]
            .map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() });
        let bind_group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &bind_group, &[]);
        pass.dispatch_workgroups((rows * units).div_ceil(WORKGROUP) as u32, 1, 1);
        drop(pass);
        encoder.copy_buffer_to_buffer(&decoded, 0, &staging, 0, out_bytes as u64);
        self.queue.submit([encoder.finish()]);

        staging.map_async(wgpu::MapMode::Read, .., |result| result.unwrap());
        self.device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
        bytemuck::pod_collect_to_vec(&staging.get_mapped_range(..).unwrap())
    }

    fn pipeline(&self, dtype: DType, shader: &str) -> wgpu::ComputePipeline {
        let make = || {
            let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(dtype.name()),
                source: wgpu::ShaderSource::Wgsl(shader.into()),
            });
            self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(dtype.name()),
                layout: None,
                module: &module,
                entry_point: Some("main"),
                compilation_options: Default::default(),
                cache: None,
            })
        };
        self.pipelines.borrow_mut().entry(shader.into()).or_insert_with(make).clone()
    }

    /// Decodes file rows of `columns` values on the device and compares each value with `decode_row`; what a row is padded
    /// with must be zero, because kernels multiply by it. Quants must be what `load_unit` promises, too.
    fn check(&self, name: &str, dtype: DType, columns: usize, rows: &[u8]) {
        let mut expected = vec![f32::NAN; rows.len() / dtype.block_bytes() * dtype.block_len()];
        decode_row(dtype, rows, &mut expected);
        let device_rows = to_device_rows(dtype, columns, rows);
        let shaders = [Some(unit_shader(dtype)), (dtype.block_len() > 1).then(|| quants_shader(dtype))];
        for shader in shaders.into_iter().flatten() {
            let actual = self.decode(&shader, dtype, columns, &device_rows);
            let device_columns = columns.next_multiple_of(UNIT_LEN);
            assert_eq!(actual.len() / device_columns, expected.len() / columns, "{name}: rows");
            let rows = actual.chunks_exact(device_columns).zip(expected.chunks_exact(columns));
            for (row, (actual, expected)) in rows.enumerate() {
                let expected = expected.iter().chain(std::iter::repeat(&0.0));
                for (i, (&actual, &expected)) in actual.iter().zip(expected).enumerate() {
                    assert!(
                        agree(actual, expected),
                        "{name}, row {row}, value {i}: {actual:e} in place of {expected:e}"
                    );
                }
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
        for columns in [1, 2, 3, 4, 5, 15, 16, 17, 31, 32, 33, 63, 70] {
            device.check(&format!("{dtype}, {columns} columns"), dtype, columns, &one.repeat(3 * columns));
        }
    }
}

/// Where a block has f16 numbers, from which random bits could make infinities.
fn halves(dtype: DType) -> &'static [usize] {
    match dtype {
        DType::F32 | DType::F16 | DType::BF16 => panic!("{dtype} has no blocks"),
        DType::Q4_0 | DType::Q5_0 | DType::Q8_0 | DType::IQ4_NL | DType::IQ4_XS => &[0],
        DType::Q4_1 | DType::Q5_1 | DType::Q4_K | DType::Q5_K => &[0, 2],
        DType::Q2_K => &[80, 82],
        DType::Q3_K => &[108],
        DType::Q6_K => &[208],
    }
}

/// Scales and minimums at the corners of f16: zeros, the smallest and largest subnormals, the smallest normal, one, the largest.
const CORNERS: [u16; 8] = [0x0000, 0x8000, 0x0001, 0x83ff, 0x0400, 0xbc00, 0x7bff, 0xfbff];

/// Rows of any number of blocks, so that planes end anywhere in a vector: random bits; and the least and the most that any
/// field can hold.
#[test]
fn rows_of_any_length_decode_to_the_bits_of_decode_row() {
    let device = Device::open();
    let mut random = SplitMix64::new(7);
    for dtype in DType::all().filter(|dtype| dtype.block_len() > 1) {
        for blocks in [1, 2, 3, 4, 5, 7, 8, 9, 17] {
            for fill in [None, Some(0x00), Some(0xff), Some(0x55)] {
                let mut bytes = vec![fill.unwrap_or(0); 3 * blocks * dtype.block_bytes()];
                for (block, i) in bytes.chunks_exact_mut(dtype.block_bytes()).zip(0..) {
                    if fill.is_none() {
                        block.fill_with(|| random.bits() as u8);
                    }
                    for (&at, j) in halves(dtype).iter().zip(0..) {
                        let corner = CORNERS[(i + 3 * j) % CORNERS.len()];
                        let any = random.bits() as u16;
                        let finite = if any & 0x7c00 == 0x7c00 { any & !0x4000 } else { any };
                        let half = if random.bits() & 1 == 0 { corner } else { finite };
                        block[at..at + 2].copy_from_slice(&half.to_le_bytes());
                    }
                }
                let name = format!("{dtype}, {blocks} blocks of {fill:x?}");
                device.check(&name, dtype, blocks * dtype.block_len(), &bytes);
            }
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
