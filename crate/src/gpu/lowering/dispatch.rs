//! A dispatch: as lowering describes it (kernel, variant, parameters, buffers, grid), and bound to its pipelines and bind group,
//! ready to be encoded for any number of tokens.

use super::schedule::Access;
use crate::gpu::device::Gpu;
use crate::gpu::kernels::{Kernel, SELECTIVE_SCAN, SMALL_BATCH, Tile, Variant, WKV7, compose_group};
use crate::gpu::resources::{Bound, Program};
use crate::model::Rows;

/// Kernels that walk through time: each token waits for the one before it, in few workgroups.
const WALKS: [&str; 2] = [SELECTIVE_SCAN.name, WKV7.name];

/// A dispatch before it has pipelines and a bind group.
pub struct LoweredDispatch {
    pub kernel: &'static Kernel,
    pub variant: Variant,
    /// Of a group of products: the variant of each kind of weights in it.
    pub kinds: Vec<Variant>,
    pub params: Vec<u8>,
    pub buffers: Vec<Bound>,
    pub grid: Grid,
}

impl LoweredDispatch {
    /// The buffers that it reads and writes.
    pub fn access(&self) -> Access<&wgpu::Buffer> {
        let (reads, writes) = self.buffers.split_at(self.kernel.inputs as usize);
        Access {
            reads: reads.iter().map(|bound| &bound.buffer).collect(),
            writes: writes.iter().map(|bound| &bound.buffer).collect(),
            leaves_room: WALKS.contains(&self.kernel.name),
        }
    }

    /// The programs that it runs for many tokens and for a small batch: those of a tiled product differ.
    pub fn programs(&self, gpu: &Gpu) -> [Program; 2] {
        let small_batch = match self.grid {
            Grid::Tiled { small_batch: Some(tile), .. } => Variant { tile, ..self.variant },
            _ => self.variant,
        };
        [self.variant, small_batch].map(|variant| match self.kinds.as_slice() {
            [] => Program::of_variant(gpu, self.kernel, &variant),
            kinds => Program::new(gpu, self.kernel, compose_group(kinds)),
        })
    }
}

/// How many workgroups, given an [`Extent`].
pub enum Grid {
    /// `(x, 1, 1)`.
    Fixed { x: usize },
    /// `(x, rows, 1)`.
    PerRow { x: usize, rows: Rows },
    /// `(x, sequences, 1)`.
    PerSequence { x: usize },
    /// A matrix product of `out_rows` rows of weights: the dispatch's variant is tiled for many tokens, `small_batch` for a small
    /// batch; none where another dispatch takes small batches.
    Tiled { out_rows: usize, rows: Rows, small_batch: Option<Tile> },
    /// `(x, rows, 1)` for a small batch, nothing for more tokens.
    SmallBatchPerRow { x: usize },
    /// `(x, 1, 1)` for a small batch, nothing for more tokens.
    SmallBatch { x: usize },
}

/// A dispatch that can be encoded.
pub struct Dispatch {
    kernel: &'static str,
    bind_group: wgpu::BindGroup,
    pipeline: wgpu::ComputePipeline,
    grid: Grid,
    /// Of a tiled product: the tile of `pipeline`, and the pipeline for a small batch.
    tiles: Option<(Tile, wgpu::ComputePipeline)>,
}

/// What one submission runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Tokens of each sequence.
    pub tokens: usize,
    pub sequences: usize,
    /// Rows whose logits are wanted.
    pub outputs: usize,
}

impl Extent {
    /// How many rows of a kind there are.
    pub fn rows(self, rows: Rows) -> usize {
        match rows {
            Rows::Tokens => self.tokens * self.sequences,
            Rows::Outputs => self.outputs,
        }
    }

    /// True for up to [`SMALL_BATCH`] rows of a kind.
    pub fn is_small_batch(self, rows: Rows) -> bool {
        self.rows(rows) <= SMALL_BATCH
    }

    /// True for one token of one sequence, which the fused kernels take.
    pub fn is_one_token(self) -> bool {
        self.rows(Rows::Tokens) == 1 && self.outputs <= 1
    }
}

impl Grid {
    /// True where an extent has work for it.
    pub fn runs(&self, extent: Extent) -> bool {
        match self {
            Self::SmallBatchPerRow { .. } | Self::SmallBatch { .. } => extent.is_small_batch(Rows::Tokens),
            Self::Tiled { rows, small_batch: None, .. } => !extent.is_small_batch(*rows),
            _ => true,
        }
    }
}

impl Dispatch {
    /// Binds a dispatch; `pipelines` are those of [`LoweredDispatch::programs`].
    pub fn new(
        lowered: LoweredDispatch,
        bind_group: wgpu::BindGroup,
        [pipeline, small_batch]: [wgpu::ComputePipeline; 2],
    ) -> Self {
        let LoweredDispatch { kernel, variant, grid, .. } = lowered;
        let tiles = matches!(grid, Grid::Tiled { .. }).then_some((variant.tile, small_batch));
        Self { kernel: kernel.name, bind_group, pipeline, grid, tiles }
    }

    /// The kernel's name.
    pub fn kernel(&self) -> &'static str {
        self.kernel
    }

    /// True where an extent has work for it.
    pub fn runs(&self, extent: Extent) -> bool {
        self.grid.runs(extent)
    }

    /// Encodes it, where the extent has work for it.
    pub fn encode(&self, pass: &mut wgpu::ComputePass<'_>, extent: Extent) {
        if !self.runs(extent) {
            return;
        }
        let (pipeline, [x, y]) = match (&self.grid, &self.tiles) {
            (Grid::Fixed { x } | Grid::SmallBatch { x }, _) => (&self.pipeline, [*x, 1]),
            (Grid::PerRow { x, rows }, _) => (&self.pipeline, [*x, extent.rows(*rows)]),
            (Grid::SmallBatchPerRow { x }, _) => (&self.pipeline, [*x, extent.rows(Rows::Tokens)]),
            (Grid::PerSequence { x }, _) => (&self.pipeline, [*x, extent.sequences]),
            (Grid::Tiled { out_rows, rows, small_batch }, Some((prefill_tile, small_batch_pipeline))) => {
                let (tile, pipeline) = match small_batch {
                    Some(tile) if extent.is_small_batch(*rows) => (tile, small_batch_pipeline),
                    _ => (prefill_tile, &self.pipeline),
                };
                (pipeline, [out_rows.div_ceil(tile.rows), extent.rows(*rows).div_ceil(tile.tokens)])
            }
            (Grid::Tiled { .. }, None) => unreachable!("a tiled product has a pipeline for each of its tiles"),
        };
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.dispatch_workgroups(x as u32, y as u32, 1);
    }
}
