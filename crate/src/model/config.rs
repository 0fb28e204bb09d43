//! Sizes of a Mamba model, read from GGUF metadata and checked.

use crate::error::{Error, Result};
use crate::gguf::{Metadata, Value};

/// Sizes and switches of one model. Names follow the Mamba paper and llama.cpp's keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Width of the residual stream.
    pub d_model: usize,
    /// Channels of the SSM (`ssm.inner_size`).
    pub d_inner: usize,
    /// States per channel (`ssm.state_size`).
    pub d_state: usize,
    /// Taps of the causal convolution (`ssm.conv_kernel`).
    pub d_conv: usize,
    /// Rank of the time-step projection (`ssm.time_step_rank`).
    pub dt_rank: usize,
    /// Number of layers (`block_count`).
    pub n_layers: usize,
    /// Epsilon of every RMS norm, the weightless ones included: llama.cpp's reading of the file.
    /// (transformers keeps a second one, `mixer_rms_eps`, for those; GGUF has no key for it.)
    pub rms_eps: f32,
    /// True for Falcon-Mamba: dt, B and C are RMS-normalised, without weights.
    pub norm_dt_b_c: bool,
}

/// The only `general.architecture` that this engine runs.
const ARCHITECTURE: &str = "mamba";

impl Config {
    /// Reads and checks the sizes.
    ///
    /// # Errors
    /// [`Error::Architecture`] for another architecture; [`Error::MissingKey`] or [`Error::KeyValue`] for a size that is
    /// absent, of another type, or outside what the kernels hold.
    pub fn from_metadata(metadata: &Metadata) -> Result<Self> {
        let architecture = metadata.string("general.architecture")?;
        if architecture != ARCHITECTURE {
            return Err(Error::Architecture { found: architecture.into() });
        }
        // The upper bounds are far above any published model (7B: 4096, 8192, 16, 4, 256, 64): they keep products of sizes
        // inside u32 on the device and refuse a file that would only exhaust memory.
        let rms_eps = metadata.f32("mamba.attention.layer_norm_rms_epsilon")?;
        if rms_eps <= 0.0 {
            return Err(Error::KeyValue {
                key: "mamba.attention.layer_norm_rms_epsilon".into(),
                expected: "a float above 0".into(),
                found: rms_eps.to_string(),
            });
        }
        Ok(Self {
            d_model: size(metadata, "mamba.embedding_length", 1 << 16)?,
            d_inner: size(metadata, "mamba.ssm.inner_size", 1 << 17)?,
            d_state: size(metadata, "mamba.ssm.state_size", 256)?,
            d_conv: size(metadata, "mamba.ssm.conv_kernel", 16)?,
            dt_rank: size(metadata, "mamba.ssm.time_step_rank", 1 << 14)?,
            n_layers: size(metadata, "mamba.block_count", 1024)?,
            rms_eps,
            norm_dt_b_c: metadata.opt_bool("mamba.ssm.dt_b_c_rms")?.unwrap_or(false),
        })
    }

    /// The keys and values that [`Config::from_metadata`] reads these sizes from.
    pub fn to_pairs(&self) -> Vec<(&'static str, Value)> {
        let size = |value: usize| Value::Unsigned(value as u64);
        vec![
            ("general.architecture", Value::String(ARCHITECTURE.into())),
            ("mamba.embedding_length", size(self.d_model)),
            ("mamba.block_count", size(self.n_layers)),
            ("mamba.ssm.conv_kernel", size(self.d_conv)),
            ("mamba.ssm.inner_size", size(self.d_inner)),
            ("mamba.ssm.state_size", size(self.d_state)),
            ("mamba.ssm.time_step_rank", size(self.dt_rank)),
            ("mamba.ssm.dt_b_c_rms", Value::Bool(self.norm_dt_b_c)),
            ("mamba.attention.layer_norm_rms_epsilon", Value::Float(self.rms_eps.into())),
        ]
    }

    /// Width of W_x's output: dt, B and C side by side.
    pub fn dbc_width(&self) -> usize {
        self.dt_rank + 2 * self.d_state
    }

    /// Floats in one layer's convolution state, (d_inner, d_conv - 1).
    pub fn conv_state_len(&self) -> usize {
        self.d_inner * (self.d_conv - 1)
    }

    /// Floats in one layer's SSM state, (d_inner, d_state).
    pub fn ssm_state_len(&self) -> usize {
        self.d_inner * self.d_state
    }

    /// Bytes of the whole state, which is all that the model remembers, at any position.
    pub fn state_bytes(&self) -> usize {
        4 * self.n_layers * (self.conv_state_len() + self.ssm_state_len())
    }
}

fn size(metadata: &Metadata, key: &str, limit: u32) -> Result<usize> {
    let value = metadata.u32(key)?;
    if value == 0 || value > limit {
        return Err(Error::KeyValue {
            key: key.into(),
            expected: format!("an integer from 1 to {limit}"),
            found: value.to_string(),
        });
    }
    Ok(value as usize)
}
