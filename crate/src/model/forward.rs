//! Records the Mamba forward pass.
//!
//! Glossary: T tokens of a chunk; x the residual stream; h its norm; xi the channels' input; z the gate; dt (the paper's
//! Delta) the time step, first as a projection of rank dt_rank; A, B, C, D and s as in the paper (Gu and Dao, 2023,
//! "Mamba: Linear-Time Sequence Modeling with Selective State Spaces", algorithm 2). Falcon-Mamba adds an RMS norm without
//! weights on dt, B and C.

use super::plan::{Buffer, BufferId, Plan, Rows, Step};
use super::{Config, LayerWeights, Weights};

/// Records the plan of a model. The same plan serves decode (T = 1) and prefill (T up to a chunk).
pub fn record(config: &Config, weights: &Weights) -> Plan {
    let mut recorder = Recorder { buffers: Vec::new(), steps: Vec::new() };
    let r = &mut recorder;
    let scratch = Scratch {
        x: r.buffer("x", config.d_model, Rows::Tokens),
        h: r.buffer("h", config.d_model, Rows::Tokens),
        xz: r.buffer("xz", 2 * config.d_inner, Rows::Tokens),
        xi: r.buffer("xi", config.d_inner, Rows::Tokens),
        dbc: r.buffer("dbc", config.dbc_width(), Rows::Tokens),
        dt_low: r.buffer("dt_low", config.dt_rank, Rows::Tokens),
        bc: r.buffer("bc", 2 * config.d_state, Rows::Tokens),
        dt: r.buffer("dt", config.d_inner, Rows::Tokens),
        y: r.buffer("y", config.d_inner, Rows::Tokens),
    };
    r.steps.push(Step::Embed { table: weights.token_embd, out: scratch.x });
    for (layer, w) in weights.layers.iter().enumerate() {
        r.layer(config, &scratch, layer, w);
    }
    let layers = std::mem::take(&mut r.steps);

    // logits = W_head (rms_norm(x) * output_norm)
    let last = r.buffer("last", config.d_model, Rows::Outputs);
    let logits = r.buffer("logits", weights.vocab_size, Rows::Outputs);
    r.steps.push(Step::RmsNorm { x: scratch.x, weight: weights.output_norm, eps: config.rms_eps, out: last });
    r.steps.push(Step::MatMul { weight: weights.output, x: last, out: logits, accumulate: false });
    Plan { buffers: recorder.buffers, layers, head: recorder.steps, logits }
}

struct Scratch {
    x: BufferId,
    h: BufferId,
    xz: BufferId,
    xi: BufferId,
    dbc: BufferId,
    dt_low: BufferId,
    bc: BufferId,
    dt: BufferId,
    y: BufferId,
}

struct Recorder {
    buffers: Vec<Buffer>,
    steps: Vec<Step>,
}

impl Recorder {
    fn buffer(&mut self, name: &'static str, width: usize, rows: Rows) -> BufferId {
        self.buffers.push(Buffer { name, width, rows });
        BufferId(self.buffers.len() - 1)
    }

    fn layer(&mut self, config: &Config, s: &Scratch, layer: usize, w: &LayerWeights) {
        let eps = config.rms_eps;

        // h = rms_norm(x) * attn_norm
        self.steps.push(Step::RmsNorm { x: s.x, weight: w.attn_norm, eps, out: s.h });

        // xi, z = split(W_in h)
        self.steps.push(Step::MatMul { weight: w.ssm_in, x: s.h, out: s.xz, accumulate: false });

        // xi = silu(conv1d(xi) + b_conv)
        let (weight, bias) = (w.conv1d_weight, w.conv1d_bias);
        self.steps.push(Step::Conv1dSilu { xz: s.xz, weight, bias, layer, out: s.xi });

        // dt, B, C = split(W_x xi), each RMS-normalised where the model says so
        self.steps.push(Step::MatMul { weight: w.ssm_x, x: s.xi, out: s.dbc, accumulate: false });
        let eps = config.norm_dt_b_c.then_some(eps);
        self.steps.push(Step::SplitDtBC { dbc: s.dbc, eps, dt: s.dt_low, bc: s.bc });

        // D_t = softplus(W_dt dt + b_dt); the bias and softplus are the scan's
        self.steps.push(Step::MatMul { weight: w.ssm_dt, x: s.dt_low, out: s.dt, accumulate: false });

        // s = exp(D_t A) s + D_t B xi;  y = (C . s + D xi) * silu(z)
        self.steps.push(Step::SelectiveScan {
            x: s.xi,
            dt: s.dt,
            dt_bias: w.ssm_dt_bias,
            a: w.ssm_a,
            d: w.ssm_d,
            bc: s.bc,
            xz: s.xz,
            layer,
            out: s.y,
        });

        // x = x + W_out y
        self.steps.push(Step::MatMul { weight: w.ssm_out, x: s.y, out: s.x, accumulate: true });
    }
}
