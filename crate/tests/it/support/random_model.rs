//! Small models with random weights, of any shape and with matrices of any type, made in memory.

use std::ops::Deref;
use std::rc::Rc;

use half::{bf16, f16};
use web_mamba::gguf::Gguf;
use web_mamba::model::arch::Architecture as _;
use web_mamba::model::arch::mamba::Mamba;
use web_mamba::model::arch::rwkv7::{Ranks, Rwkv7};
use web_mamba::model::{Init, ModelFile, Network, TensorSpec};
use web_mamba::quant::DType;
use web_mamba::source::MemorySource;
use web_mamba::synthetic::Synthetic;

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

/// Sizes of RWKV-7, named as in `arch::rwkv7::Rwkv7`.
#[derive(Debug, Clone, Copy)]
pub struct WkvShape {
    pub heads: usize,
    pub head_size: usize,
    pub d_ffn: usize,
    pub ranks: Ranks,
    pub vocab_size: usize,
    /// The gain of what tanh and the gate's sigmoid are applied to.
    pub gain: f32,
}

impl WkvShape {
    /// As [`Shape::odd`].
    pub fn odd(dtype: DType) -> Self {
        let (heads, head_size, d_ffn, ranks) = match dtype.block_len() {
            1 => (3, 16, 70, [5, 8, 24, 40]),
            32 => (2, 48, 160, [32, 64, 32, 96]),
            _ => (4, 64, 512, [256; 4]),
        };
        let [decay, iclr, value_residual, gate] = ranks;
        let ranks = Ranks { decay, iclr, value_residual, gate };
        Self { heads, head_size, d_ffn, ranks, vocab_size: 2051, gain: 1.0 }
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
        let mut network = shape.network();
        network.tensors.iter_mut().for_each(|tensor| tensor.init = init(tensor, shape));
        let mut in_turn = matrices.iter().cycle();
        let dtype_of = |tensor: &TensorSpec| match tensor.elementwise {
            true => vectors,
            false => *in_turn.next().unwrap(),
        };
        let mut bytes = Synthetic { seed, ..Synthetic::new(&network, dtype_of) }.to_bytes();
        let gguf = open(bytes.clone());
        for layer in 0..LAYERS {
            // Channel 0 has a time step around 20, where softplus becomes the identity. What a channel adds grows with its time
            // step and with its input, so its input is small: all values stay near 1, and differences mean the same everywhere.
            let taps: Vec<f32> = (0..shape.d_conv).map(|tap| if tap % 2 == 0 { 0.006 } else { -0.004 }).collect();
            for (suffix, values) in
                [("ssm_conv1d.weight", taps), ("ssm_conv1d.bias", vec![0.002]), ("ssm_dt.bias", vec![20.0])]
            {
                let at = gguf.tensor(&format!("blk.{layer}.{suffix}")).unwrap().offset as usize;
                let values: Vec<u8> = values.iter().flat_map(|&value| encoded(vectors, value)).collect();
                bytes[at..at + values.len()].copy_from_slice(&values);
            }
        }
        Self(ModelFile::of(open(bytes)).unwrap())
    }
}

impl RandomModel {
    /// RWKV-7 with all matrices of `dtype`, all vectors of F32.
    pub fn rwkv7(shape: &WkvShape, dtype: DType, seed: u64) -> Self {
        Self::rwkv7_mixed(shape, &[dtype], seed)
    }

    /// Matrices take `matrices` in turn, those whose rows are no whole blocks the next type that has none; all vectors are of F32.
    pub fn rwkv7_mixed(shape: &WkvShape, matrices: &[DType], seed: u64) -> Self {
        let WkvShape { heads, head_size, d_ffn, ranks, vocab_size, gain } = *shape;
        let d_model = heads * head_size;
        let sizes = Rwkv7 { d_model, head_size, d_ffn, ranks, n_layers: LAYERS, eps: 1e-5 };
        let mut network = Rc::new(sizes).network(vocab_size, false);
        for tensor in &mut network.tensors {
            tensor.init = match tensor.suffix {
                "token_embd.weight" | "output.weight" => Init::Gain(1.0),
                "time_mix_w1.weight" | "time_mix_g1.weight" => Init::Gain(gain),
                _ => tensor.init,
            };
        }
        let mut in_turn = matrices.iter().copied().cycle();
        let dtype_of = |tensor: &TensorSpec| match tensor.elementwise {
            true => DType::F32,
            // At most once around.
            false => in_turn
                .by_ref()
                .take(matrices.len())
                .find(|dtype| tensor.columns.is_multiple_of(dtype.block_len()))
                .unwrap(),
        };
        let mut bytes = Synthetic { seed, ..Synthetic::new(&network, dtype_of) }.to_bytes();
        let gguf = open(bytes.clone());
        // Channels whose sigmoids are 0 and 1, from numbers whose exponentials overflow on one side.
        for (suffix, values) in [
            ("time_mix_w0.weight", [-200.0, 200.0]),
            ("time_mix_a0.weight", [200.0, -200.0]),
            ("time_mix_v0.weight", [-200.0, 200.0]),
        ] {
            let at = gguf.tensor(&format!("blk.{}.{suffix}", LAYERS - 1)).unwrap().offset as usize;
            let values: Vec<u8> = values.iter().flat_map(|&value: &f32| value.to_le_bytes()).collect();
            bytes[at..at + values.len()].copy_from_slice(&values);
        }
        Self(ModelFile::of(open(bytes)).unwrap())
    }
}

fn open(bytes: Vec<u8>) -> Gguf {
    pollster::block_on(Gguf::open(vec![Rc::new(MemorySource::new("random", bytes))])).unwrap()
}

impl Shape {
    fn network(&self) -> Network {
        let Self { d_model, d_inner, d_state, d_conv, dt_rank, norm_dt_b_c, .. } = *self;
        let mamba = Mamba { d_model, d_inner, d_state, d_conv, dt_rank, n_layers: LAYERS, rms_eps: 1e-5, norm_dt_b_c };
        Rc::new(mamba).network(self.vocab_size, self.tied_head)
    }
}

/// Values all over what kernels must bear, more than those of real models.
fn init(tensor: &TensorSpec, shape: &Shape) -> Init {
    match tensor.suffix {
        "token_embd.weight" | "output.weight" => Init::Gain(1.0),
        "output_norm.weight" | "attn_norm.weight" => Init::Between(0.5, 1.5),
        // Without a norm on B and C, their product grows with the square of what W_x yields.
        "ssm_x.weight" if !shape.norm_dt_b_c => Init::Gain(0.1),
        "ssm_conv1d.weight" | "ssm_d" => Init::Between(-1.0, 1.0),
        "ssm_conv1d.bias" => Init::Between(-0.5, 0.5),
        // Down to time steps of e^-9, where softplus could lose digits.
        "ssm_dt.bias" => Init::Between(-9.0, 1.0),
        "ssm_a" => Init::Between(-16.0, -0.1),
        _ => tensor.init,
    }
}

fn encoded(dtype: DType, value: f32) -> Vec<u8> {
    match dtype {
        DType::F16 => f16::from_f32(value).to_le_bytes().to_vec(),
        DType::BF16 => bf16::from_f32(value).to_le_bytes().to_vec(),
        _ => value.to_le_bytes().to_vec(),
    }
}
