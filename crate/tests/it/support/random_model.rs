//! Small GGUF models with random weights, of any shape and with matrices of any type, made in memory.

use std::ops::Deref;
use std::rc::Rc;

use half::{bf16, f16};
use web_mamba::gguf::Gguf;
use web_mamba::model::ModelFile;
use web_mamba::quant::{DType, decode_row};
use web_mamba::source::MemorySource;

use crate::support::gguf_writer::GgufWriter;

/// Sizes and switches, named as in `arch::mamba::Mamba`.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub d_model: usize,
    pub d_inner: usize,
    pub d_state: usize,
    pub d_conv: usize,
    pub dt_rank: usize,
    pub vocab_size: usize,
    pub norm_dt_b_c: bool,
    pub tied_head: bool,
}

impl Shape {
    /// Sizes as odd as the type's blocks allow: columns of matrices are whole blocks, everything else shares no factor with
    /// tiles and workgroups.
    pub fn odd(dtype: DType) -> Self {
        let (d_model, d_inner, dt_rank) = match dtype.block_len() {
            1 => (37, 70, 5),
            32 => (96, 160, 32),
            _ => (256, 512, 256),
        };
        let (norm_dt_b_c, tied_head) = (true, false);
        // Enough rows that a matrix-vector product takes several at once, in the head.
        Self { d_model, d_inner, d_state: 16, d_conv: 4, dt_rank, vocab_size: 2051, norm_dt_b_c, tied_head }
    }
}

/// A model, opened; every source of randomness is `seed`.
pub struct RandomModel(pub ModelFile);

impl Deref for RandomModel {
    type Target = ModelFile;

    fn deref(&self) -> &ModelFile {
        &self.0
    }
}

const LAYERS: usize = 2;

impl RandomModel {
    /// All matrices of `dtype`, all vectors of F32.
    pub fn new(shape: &Shape, dtype: DType, seed: u64) -> Self {
        Self::mixed(shape, &[dtype], DType::F32, seed)
    }

    /// Matrices take `matrices` in turn; vectors, conv taps and A are of type `vectors`.
    pub fn mixed(shape: &Shape, matrices: &[DType], vectors: DType, seed: u64) -> Self {
        let maker = Maker { random: Random(seed), writer: header(shape), matrices, next: 0, vectors };
        let source = MemorySource::new("random", maker.tensors(shape).build());
        Self(ModelFile::of(pollster::block_on(Gguf::open(vec![Rc::new(source)])).unwrap()).unwrap())
    }
}

fn header(shape: &Shape) -> GgufWriter {
    GgufWriter::new()
        .string("general.architecture", "mamba")
        .u32("mamba.block_count", LAYERS as u32)
        .u32("mamba.embedding_length", shape.d_model as u32)
        .f32("mamba.attention.layer_norm_rms_epsilon", 1e-5)
        .u32("mamba.ssm.conv_kernel", shape.d_conv as u32)
        .u32("mamba.ssm.inner_size", shape.d_inner as u32)
        .u32("mamba.ssm.state_size", shape.d_state as u32)
        .u32("mamba.ssm.time_step_rank", shape.dt_rank as u32)
        .bool("mamba.ssm.dt_b_c_rms", shape.norm_dt_b_c)
}

struct Maker<'a> {
    random: Random,
    writer: GgufWriter,
    matrices: &'a [DType],
    next: usize,
    vectors: DType,
}

impl Maker<'_> {
    fn tensors(mut self, s: &Shape) -> GgufWriter {
        // Channel 0 has a time step around 20, where softplus becomes the identity. What a channel adds grows with its time
        // step and with its input, so its input is small: all values stay near 1, and differences mean the same everywhere.
        let small = |index, length| if index < length { 0.01 } else { 1.0 };
        // Without a norm on B and C, their product grows with the square of what W_x yields.
        let gain = if s.norm_dt_b_c { 1.0 } else { 0.1 };

        self.matrix("token_embd.weight", s.vocab_size, s.d_model, 1.0);
        self.vector("output_norm.weight", &[s.d_model], |r, _| r.between(0.5, 1.5));
        if !s.tied_head {
            self.matrix("output.weight", s.vocab_size, s.d_model, 1.0);
        }
        for n in 0..LAYERS {
            let name = |suffix: &str| format!("blk.{n}.{suffix}");
            let (taps, states) = ([s.d_conv, s.d_inner], [s.d_state, s.d_inner]);
            self.vector(&name("attn_norm.weight"), &[s.d_model], |r, _| r.between(0.5, 1.5));
            self.matrix(&name("ssm_in.weight"), 2 * s.d_inner, s.d_model, 1.0);
            self.vector(&name("ssm_conv1d.weight"), &taps, |r, i| small(i, s.d_conv) * r.between(-1.0, 1.0));
            self.vector(&name("ssm_conv1d.bias"), &[s.d_inner], |r, i| small(i, 1) * r.between(-0.5, 0.5));
            self.matrix(&name("ssm_x.weight"), s.dt_rank + 2 * s.d_state, s.d_inner, gain);
            self.matrix(&name("ssm_dt.weight"), s.d_inner, s.dt_rank, 0.3);
            // Down to time steps of e^-9, where softplus could lose digits.
            self.vector(&name("ssm_dt.bias"), &[s.d_inner], |r, i| if i == 0 { 20.0 } else { r.between(-9.0, 1.0) });
            self.vector(&name("ssm_a"), &states, |r, _| r.between(-16.0, -0.1));
            self.vector(&name("ssm_d"), &[s.d_inner], |r, _| r.between(-1.0, 1.0));
            self.matrix(&name("ssm_out.weight"), s.d_model, s.d_inner, 1.0);
        }
        self.writer
    }

    /// Values of such size that a product is about `gain` times as large as what it multiplies.
    fn matrix(&mut self, name: &str, rows: usize, columns: usize, gain: f32) {
        let dtype = self.matrices[self.next % self.matrices.len()];
        self.next += 1;
        let rms = gain / (columns as f32).sqrt();
        let data = match dtype.block_len() {
            1 => self.values(dtype, rows * columns, |r, _| r.between(-1.7, 1.7) * rms),
            _ => self.blocks(dtype, rows * columns / dtype.block_len(), rms),
        };
        self.add(name, dtype, &[columns, rows], data);
    }

    /// `value` is given each value's index.
    fn vector(&mut self, name: &str, dims: &[usize], value: impl Fn(&mut Random, usize) -> f32) {
        let data = self.values(self.vectors, dims.iter().product(), value);
        self.add(name, self.vectors, dims, data);
    }

    fn add(&mut self, name: &str, dtype: DType, dims: &[usize], data: Vec<u8>) {
        let dims: Vec<_> = dims.iter().map(|&dim| dim as u64).collect();
        let number = (0..64).find(|&number| DType::from_ggml(number) == Some(dtype)).unwrap();
        self.writer = std::mem::take(&mut self.writer).tensor(name, number, &dims, data);
    }

    fn values(&mut self, dtype: DType, count: usize, value: impl Fn(&mut Random, usize) -> f32) -> Vec<u8> {
        let mut bytes = Vec::new();
        for index in 0..count {
            let value = value(&mut self.random, index);
            match dtype {
                DType::F16 => bytes.extend(f16::from_f32(value).to_le_bytes()),
                DType::BF16 => bytes.extend(bf16::from_f32(value).to_le_bytes()),
                _ => bytes.extend(value.to_le_bytes()),
            }
        }
        bytes
    }

    /// Random quants and group scales under block scales that give the values about this root mean square.
    fn blocks(&mut self, dtype: DType, count: usize, rms: f32) -> Vec<u8> {
        let sample = self.blocks_scaled(dtype, 64, |_| 1.0);
        let mut values = vec![0.0; 64 * dtype.block_len()];
        decode_row(dtype, &sample, &mut values);
        let unit = (values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32).sqrt();
        self.blocks_scaled(dtype, count, |r| {
            r.between(0.5, 1.5) * (rms / unit) * if r.unit() < 0.5 { -1.0 } else { 1.0 }
        })
    }

    fn blocks_scaled(&mut self, dtype: DType, count: usize, scale: impl Fn(&mut Random) -> f32) -> Vec<u8> {
        let (scale_at, minimum) = scales(dtype);
        let mut bytes = vec![0; count * dtype.block_bytes()];
        for block in bytes.chunks_exact_mut(dtype.block_bytes()) {
            block.fill_with(|| self.random.next() as u8);
            let d = scale(&mut self.random);
            block[scale_at..][..2].copy_from_slice(&f16::from_f32(d).to_le_bytes());
            if let Some((at, per_scale)) = minimum {
                block[at..][..2].copy_from_slice(&f16::from_f32(d * per_scale).to_le_bytes());
            }
        }
        bytes
    }
}

/// Where a block has its f16 scale; where its f16 minimum, and how many scales that must be for values to lie around zero:
/// the mean quant, subtracted by the K types and added by the others.
fn scales(dtype: DType) -> (usize, Option<(usize, f32)>) {
    match dtype {
        DType::Q4_0 | DType::Q5_0 | DType::Q8_0 | DType::IQ4_NL | DType::IQ4_XS => (0, None),
        DType::Q4_1 => (0, Some((2, -7.5))),
        DType::Q5_1 => (0, Some((2, -15.5))),
        DType::Q2_K => (80, Some((82, 1.5))),
        DType::Q3_K => (108, None),
        DType::Q4_K => (0, Some((2, 7.5))),
        DType::Q5_K => (0, Some((2, 15.5))),
        DType::Q6_K => (208, None),
        DType::F32 | DType::F16 | DType::BF16 => panic!("{dtype} has no blocks"),
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): the same numbers everywhere, from any seed.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// At least 0, below 1.
    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 24) as f32
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }
}
