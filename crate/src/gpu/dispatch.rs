//! Turns a plan's steps into dispatches: pipelines, bind groups and parameters, all made once at load.

use super::kernels::{
    CONV1D_SILU, Dot, EMBED, Kernel, MATMUL, MATMUL_TILE, MATVEC, MATVEC_ROW, RMS_NORM, SELECTIVE_SCAN, WORKGROUP,
};
use super::pipelines::Pipelines;
use super::weights::{DeviceWeight, Shard};
use super::{Gpu, params};
use crate::model::{BufferId, Config, Plan, Rows, Step, View, WeightId};
use crate::quant::{DType, UNIT_LEN};

/// Workgroups that WebGPU promises for one dimension of a dispatch.
const MAX_GROUPS: usize = 65_535;

/// One dispatch, ready to be encoded for any number of tokens.
pub struct Dispatch {
    bind_group: wgpu::BindGroup,
    grid: Grid,
}

/// How many workgroups, given how many rows the step has this time.
enum Grid {
    /// `(x, rows, 1)`.
    PerRow { pipeline: wgpu::ComputePipeline, x: u32, rows: Rows },
    /// `(x, 1, 1)`, walking through time inside.
    PerChannel { pipeline: wgpu::ComputePipeline, x: u32 },
    /// A matrix product: one row of x is a matrix-vector product, of which a workgroup makes `rows_per_group` rows; more are
    /// tiles.
    Product {
        matvec: wgpu::ComputePipeline,
        rows_per_group: usize,
        matmul: wgpu::ComputePipeline,
        out_rows: usize,
        rows: Rows,
    },
}

impl Dispatch {
    /// Encodes it for a chunk of `tokens`, of which `outputs` want logits.
    pub fn encode(&self, pass: &mut wgpu::ComputePass<'_>, tokens: u32, outputs: u32) {
        let count = |rows: Rows| match rows {
            Rows::Tokens => tokens,
            Rows::Outputs => outputs,
        };
        let (pipeline, [x, y, z]) = match &self.grid {
            Grid::PerRow { pipeline, x, rows } => (pipeline, [*x, count(*rows), 1]),
            Grid::PerChannel { pipeline, x } => (pipeline, [*x, 1, 1]),
            Grid::Product { matvec, rows_per_group, matmul, out_rows, rows } => match count(*rows) {
                1 => {
                    let groups = out_rows.div_ceil(*rows_per_group);
                    (matvec, [groups.min(MAX_GROUPS) as u32, 1, groups.div_ceil(MAX_GROUPS) as u32])
                }
                rows => (matmul, [out_rows.div_ceil(MATMUL_TILE) as u32, rows.div_ceil(MATMUL_TILE as u32), 1]),
            },
        };
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.dispatch_workgroups(x, y, z);
    }
}

/// Buffers that the steps of a plan touch, beside the weights.
pub struct Storage {
    /// One a plan buffer.
    pub buffers: Vec<wgpu::Buffer>,
    /// Token ids of the chunk.
    pub tokens: wgpu::Buffer,
    /// [`params::Batch`].
    pub batch: wgpu::Buffer,
    /// Convolution state, one a layer.
    pub conv: Vec<wgpu::Buffer>,
    /// SSM state, one a layer.
    pub ssm: Vec<wgpu::Buffer>,
}

/// Turns steps into dispatches; `steps[i]` of the result holds one dispatch a shard of step `i`.
pub fn prepare(
    gpu: &Gpu,
    config: &Config,
    plan: &Plan,
    weights: &[DeviceWeight],
    storage: &Storage,
    steps: &[Step],
) -> Vec<Vec<Dispatch>> {
    let unused = gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("unused"),
        size: 16,
        usage: wgpu::BufferUsages::STORAGE,
        mapped_at_creation: false,
    });
    let alignment = gpu.device.limits().min_uniform_buffer_offset_alignment as usize;
    let drafter = Drafter { config, plan, weights, storage, unused };
    let drafts: Vec<Vec<Draft>> = steps.iter().map(|step| drafter.step(step)).collect();

    let mut bytes = Vec::new();
    for draft in drafts.iter().flatten() {
        bytes.extend_from_slice(&draft.params);
        bytes.resize(bytes.len().next_multiple_of(alignment), 0);
    }
    let params = gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("params"),
        size: bytes.len().max(alignment) as u64,
        usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    gpu.queue.write_buffer(&params, 0, &bytes);

    let mut pipelines = Pipelines::new(gpu, config);
    let mut offset = 0;
    let mut dispatch = |draft: Draft| {
        let at = offset;
        offset += (draft.params.len().next_multiple_of(alignment)) as u64;
        build(&mut pipelines, draft, &params, at, &storage.batch)
    };
    drafts.into_iter().map(|step| step.into_iter().map(&mut dispatch).collect()).collect()
}

/// A dispatch before its parameters have an address.
struct Draft {
    kernel: &'static Kernel,
    dtype: DType,
    params: Vec<u8>,
    buffers: Vec<wgpu::Buffer>,
    shape: Shape,
}

enum Shape {
    PerRow { x: usize, rows: Rows },
    PerChannel { channels: usize },
    Product { out_rows: usize, rows: Rows, dot: Dot },
}

struct Drafter<'a> {
    config: &'a Config,
    plan: &'a Plan,
    weights: &'a [DeviceWeight],
    storage: &'a Storage,
    unused: wgpu::Buffer,
}

impl Drafter<'_> {
    fn weight(&self, id: WeightId) -> &DeviceWeight {
        &self.weights[id.0]
    }

    /// An elementwise weight, which is never sharded.
    fn values(&self, id: WeightId) -> wgpu::Buffer {
        self.weight(id).shards[0].buffer.clone()
    }

    fn buffer(&self, id: BufferId) -> wgpu::Buffer {
        self.storage.buffers[id.0].clone()
    }

    fn stride(&self, id: BufferId) -> u32 {
        self.plan.buffer(id).width as u32
    }

    fn step(&self, step: &Step) -> Vec<Draft> {
        match *step {
            Step::Embed { table, out } => self.sharded(table, |w, shard| self.embed(w, shard, out)),
            Step::RmsNorm { x, weight, eps, out } => vec![self.rms_norm(x, weight, eps, out)],
            Step::MatMul { weight, x, out, accumulate } => {
                self.sharded(weight, |w, shard| self.product(w, shard, x, out, accumulate))
            }
            Step::Conv1dSilu { x, weight, bias, layer, out } => vec![self.conv1d_silu(x, weight, bias, layer, out)],
            Step::SelectiveScan { .. } => vec![self.selective_scan(step)],
        }
    }

    fn sharded(&self, id: WeightId, draft: impl Fn(&DeviceWeight, &Shard) -> Draft) -> Vec<Draft> {
        let weight = self.weight(id);
        weight.shards.iter().map(|shard| draft(weight, shard)).collect()
    }

    fn embed(&self, weight: &DeviceWeight, shard: &Shard, out: BufferId) -> Draft {
        let params = params::Embed {
            width: weight.columns as u32,
            first_row: shard.first_row as u32,
            rows: shard.rows as u32,
            row_vectors: weight.row_vectors as u32,
        };
        Draft {
            kernel: &EMBED,
            dtype: weight.dtype,
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: vec![shard.buffer.clone(), self.storage.tokens.clone(), self.buffer(out)],
            shape: Shape::PerRow { x: weight.columns.div_ceil(UNIT_LEN * WORKGROUP), rows: Rows::Tokens },
        }
    }

    fn rms_norm(&self, x: View, weight: Option<WeightId>, eps: f32, out: View) -> Draft {
        let rows = self.plan.buffer(out.buffer).rows;
        let params = params::RmsNorm {
            width: x.width as u32,
            x_stride: self.stride(x.buffer),
            x_start: x.start as u32,
            out_stride: self.stride(out.buffer),
            out_start: out.start as u32,
            weighted: weight.is_some().into(),
            to_outputs: (rows == Rows::Outputs).into(),
            eps,
        };
        let weight = weight.map_or_else(|| self.unused.clone(), |id| self.values(id));
        Draft {
            kernel: &RMS_NORM,
            dtype: DType::F32,
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: vec![self.buffer(x.buffer), weight, self.buffer(out.buffer)],
            shape: Shape::PerRow { x: 1, rows },
        }
    }

    fn product(&self, weight: &DeviceWeight, shard: &Shard, x: View, out: BufferId, accumulate: bool) -> Draft {
        let rows = self.plan.buffer(out).rows;
        let params = params::MatMul {
            rows: shard.rows as u32,
            columns: weight.columns as u32,
            row_vectors: weight.row_vectors as u32,
            first_row: shard.first_row as u32,
            x_stride: self.stride(x.buffer),
            x_start: x.start as u32,
            out_stride: self.stride(out),
            accumulate: accumulate.into(),
            to_outputs: (rows == Rows::Outputs).into(),
        };
        let in_vectors = [params.columns, params.x_stride, params.x_start].iter().all(|n| n.is_multiple_of(4));
        let dot = Dot::of(shard.rows, weight.columns, in_vectors);
        Draft {
            kernel: &MATVEC,
            dtype: weight.dtype,
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: vec![shard.buffer.clone(), self.buffer(x.buffer), self.buffer(out)],
            shape: Shape::Product { out_rows: shard.rows, rows, dot },
        }
    }

    fn conv1d_silu(&self, x: View, weight: WeightId, bias: WeightId, layer: usize, out: BufferId) -> Draft {
        let params = params::Conv1dSilu {
            d_inner: self.config.d_inner as u32,
            x_stride: self.stride(x.buffer),
            x_start: x.start as u32,
        };
        let (weight, bias) = (self.values(weight), self.values(bias));
        Draft {
            kernel: &CONV1D_SILU,
            dtype: DType::F32,
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: vec![self.buffer(x.buffer), weight, bias, self.storage.conv[layer].clone(), self.buffer(out)],
            shape: Shape::PerChannel { channels: self.config.d_inner },
        }
    }

    fn selective_scan(&self, step: &Step) -> Draft {
        let Step::SelectiveScan { x, dt, dt_bias, a, d, b, c, z, layer } = *step else {
            unreachable!("called for a selective scan only")
        };
        assert_eq!(b.buffer, c.buffer, "the kernel reads B and C from one buffer");
        let params = params::SelectiveScan {
            d_inner: self.config.d_inner as u32,
            bc_stride: self.stride(b.buffer),
            b_start: b.start as u32,
            c_start: c.start as u32,
            z_stride: self.stride(z.buffer),
            z_start: z.start as u32,
        };
        Draft {
            kernel: &SELECTIVE_SCAN,
            dtype: DType::F32,
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: vec![
                self.buffer(dt),
                self.values(dt_bias),
                self.values(a),
                self.values(d),
                self.buffer(b.buffer),
                self.buffer(z.buffer),
                self.buffer(x),
                self.storage.ssm[layer].clone(),
            ],
            shape: Shape::PerChannel { channels: self.config.d_inner },
        }
    }
}

/// Gives a draft its bind group and its pipelines.
fn build(
    pipelines: &mut Pipelines<'_>,
    draft: Draft,
    params: &wgpu::Buffer,
    at: u64,
    batch: &wgpu::Buffer,
) -> Dispatch {
    let uniform = |buffer, offset, size: usize| {
        let size = wgpu::BufferSize::new(size as u64);
        wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size })
    };
    let uniforms = [uniform(params, at, draft.params.len()), uniform(batch, 0, size_of::<params::Batch>())];
    let storage = draft.buffers.iter().map(wgpu::Buffer::as_entire_binding);
    let bind_group = pipelines.bind_group(draft.kernel, uniforms.into_iter().chain(storage));
    let (kernel, dtype) = (draft.kernel, draft.dtype);
    let grid = match draft.shape {
        Shape::PerRow { x, rows } => {
            Grid::PerRow { pipeline: pipelines.get(kernel, dtype, Dot::default()), x: x as u32, rows }
        }
        Shape::PerChannel { channels } => Grid::PerChannel {
            pipeline: pipelines.get(kernel, dtype, Dot::default()),
            x: channels.div_ceil(WORKGROUP) as u32,
        },
        Shape::Product { out_rows, rows, dot } => {
            let (matvec, rows_per_group) = match pipelines.software() {
                true => {
                    let alone = Dot { x_in_vectors: dot.x_in_vectors, ..Dot::default() };
                    (pipelines.get(&MATVEC_ROW, dtype, alone), WORKGROUP)
                }
                false => (pipelines.get(&MATVEC, dtype, dot), dot.group_rows()),
            };
            let matmul = pipelines.get(&MATMUL, dtype, Dot::default());
            Grid::Product { matvec, rows_per_group, matmul, out_rows, rows }
        }
    };
    Dispatch { bind_group, grid }
}
