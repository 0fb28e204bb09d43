//! Steps that compute each value, or each row, by itself.

use super::dispatch::{Grid, LoweredDispatch};
use super::steps::{Lowering, PER_CHANNEL};
use crate::gpu::kernels::{
    ELEMENTWISE, LAYER_NORM, Layout, MULTIPLY, RMS_NORM, RUN_LEN, VALUE_RESIDUAL, Variant, params,
};
use crate::model::{BufferId, Function, Operands, Rows, Step};

impl Lowering<'_> {
    pub fn rms_norm(&self, step: &Step, eps: f32) -> LoweredDispatch {
        let Operands { reads: [x], weights: [weight], state: [], writes: [out] } = step.operands();
        let rows = self.network.plan.buffer(out).rows;
        let width = self.width(x);
        let params = params::RmsNorm { width: width as u32, to_outputs: (rows == Rows::Outputs).into(), eps };
        let (variant, out) = self.writing(out, self.gpu.row_workgroup());
        LoweredDispatch {
            kernel: &RMS_NORM,
            variant,
            kinds: Vec::new(),
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: vec![self.plain(x), self.values(weight), out],
            grid: Grid::PerRow { x: 1, rows },
        }
    }

    pub fn layer_norm(&self, step: &Step, eps: f32) -> LoweredDispatch {
        let Operands { reads: [x], weights: [weight, bias], state: [], writes: [out] } = step.operands();
        let rows = self.network.plan.buffer(out).rows;
        let params = params::LayerNorm { width: self.width(x) as u32, to_outputs: (rows == Rows::Outputs).into(), eps };
        let (variant, out) = self.writing(out, self.gpu.row_workgroup());
        LoweredDispatch {
            kernel: &LAYER_NORM,
            variant,
            kinds: Vec::new(),
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: vec![self.plain(x), self.values(weight), self.values(bias), out],
            grid: Grid::PerRow { x: 1, rows },
        }
    }

    /// The grid of a kernel whose invocations own a run of a row each.
    pub fn grid_of_runs(&self, out: BufferId) -> Grid {
        Grid::PerRow { x: self.width(out).div_ceil(RUN_LEN * PER_CHANNEL), rows: self.network.plan.buffer(out).rows }
    }

    pub fn elementwise(&self, step: &Step, function: Function) -> LoweredDispatch {
        let Operands { reads: [x], weights: [], state: [], writes: [out] } = step.operands();
        let (variant, buffer) = self.writing(out, PER_CHANNEL);
        LoweredDispatch {
            kernel: &ELEMENTWISE,
            variant: Variant { function: Some(function), ..variant },
            kinds: Vec::new(),
            params: bytemuck::bytes_of(&params::Elementwise { width: self.width(x) as u32 }).to_vec(),
            buffers: vec![self.plain(x), buffer],
            grid: self.grid_of_runs(out),
        }
    }

    /// A buffer's f32 values as its activations.
    pub fn laid_out_as_activations(&self, id: BufferId) -> LoweredDispatch {
        let (variant, _) = self.writing(id, PER_CHANNEL);
        LoweredDispatch {
            kernel: &ELEMENTWISE,
            variant: Variant { out_layout: Layout::Activations, function: None, ..variant },
            kinds: Vec::new(),
            params: bytemuck::bytes_of(&params::Elementwise { width: self.width(id) as u32 }).to_vec(),
            buffers: vec![self.plain(id), self.acts(id)],
            grid: self.grid_of_runs(id),
        }
    }

    pub fn multiply(&self, step: &Step) -> LoweredDispatch {
        let Operands { reads: [x, y], weights: [], state: [], writes: [out] } = step.operands();
        let (variant, buffer) = self.writing(out, PER_CHANNEL);
        LoweredDispatch {
            kernel: &MULTIPLY,
            variant,
            kinds: Vec::new(),
            params: bytemuck::bytes_of(&params::Multiply { width: self.width(x) as u32 }).to_vec(),
            buffers: vec![self.plain(x), self.plain(y), buffer],
            grid: self.grid_of_runs(out),
        }
    }

    pub fn value_residual(&self, step: &Step) -> LoweredDispatch {
        let Operands { reads: [x, first, mix], weights: [bias], state: [], writes: [out] } = step.operands();
        let (variant, buffer) = self.writing(out, PER_CHANNEL);
        let [x, first, mix] = [x, first, mix].map(|id| self.plain(id));
        LoweredDispatch {
            kernel: &VALUE_RESIDUAL,
            variant,
            kinds: Vec::new(),
            params: bytemuck::bytes_of(&params::ValueResidual { width: self.width(out) as u32 }).to_vec(),
            buffers: vec![x, first, mix, self.values(bias), buffer],
            grid: self.grid_of_runs(out),
        }
    }
}
