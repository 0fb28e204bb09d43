//! What a step sees of the chunk of tokens that runs.

use super::kernels::Columns;
use crate::model::{BufferId, Plan, Rows, Step};

/// Everything that a step reads but the weights and the state.
#[derive(Clone, Copy)]
pub struct Chunk<'a> {
    pub plan: &'a Plan,
    /// By id; those that the step writes are empty here.
    pub buffers: &'a [Vec<f32>],
    pub tokens: &'a [u32],
    /// Where its rows begin in the buffers: not at the first where it is one of a batch.
    pub first_row: usize,
    /// The token of the first row of the embedding that is here.
    pub first_token: usize,
    /// Rows that the step writes: one a token, or one an output.
    pub rows: usize,
}

impl<'a> Chunk<'a> {
    /// Rows that a step writes.
    pub fn rows(plan: &Plan, step: &Step, tokens: usize, outputs: usize) -> usize {
        match plan.buffer(step.output()).rows {
            Rows::Tokens => tokens,
            Rows::Outputs => outputs,
        }
    }

    /// Each token's row of the embedding; none where another rank has it.
    pub fn embedding_rows(&self, rows: usize) -> impl Iterator<Item = Option<usize>> {
        self.tokens.iter().map(move |&token| (token as usize).checked_sub(self.first_token).filter(|&row| row < rows))
    }

    /// One of its rows by itself.
    pub fn row(&self, row: usize) -> Self {
        Self { first_row: self.first_row + row, rows: 1, ..*self }
    }

    /// A buffer's rows, (rows, width).
    pub fn buffer(&self, id: BufferId) -> &'a [f32] {
        let width = self.width(id);
        &self.buffers[id.0][self.first_row * width..][..self.rows * width]
    }

    /// Floats of a buffer's row.
    pub fn width(&self, id: BufferId) -> usize {
        self.plan.buffer(id).width
    }

    /// Some columns of a buffer's rows.
    pub fn columns(&self, id: BufferId, start: usize, width: usize) -> Columns<'a> {
        let stride = self.width(id);
        Columns { data: &self.buffers[id.0][self.first_row * stride..], stride, start, width }
    }

    /// All columns of a buffer's rows.
    pub fn all_columns(&self, id: BufferId) -> Columns<'a> {
        self.columns(id, 0, self.plan.buffer(id).width)
    }

    /// The rows of `x` that go into a norm whose result is `out`: where that has a row an output, those of the last tokens.
    pub fn norm_input(&self, x: BufferId, out: BufferId) -> &'a [f32] {
        let first_row = match self.plan.buffer(out).rows {
            Rows::Outputs => self.tokens.len() - self.rows,
            Rows::Tokens => 0,
        };
        let width = self.plan.buffer(x).width;
        &self.buffers[x.0][first_row * width..][..self.rows * width]
    }
}
