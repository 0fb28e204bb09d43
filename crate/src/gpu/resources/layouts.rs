//! In which layouts each operation reads and writes its buffers, and what follows for a plan: the layouts that a buffer has on the
//! device, and those that it has to be in after each step that writes it. Whatever reads a buffer then finds it in its layout:
//! lowering converts where a kernel does not write one that is read.

use crate::gpu::kernels::Layout;
use crate::model::{BufferId, Op, Plan, Step};

/// A set of layouts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Layouts {
    pub plain: bool,
    pub activations: bool,
}

/// The layouts in which the kernel of a step by itself writes a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// As f32.
    Plain,
    /// In the one that is wanted; as f32 where both are.
    Either,
    /// In both at once.
    Both,
}

impl Layouts {
    fn with(self, layout: Layout) -> Self {
        match layout {
            Layout::Plain => Self { plain: true, ..self },
            Layout::Activations => Self { activations: true, ..self },
        }
    }

    /// The layout in which a kernel that writes either writes: what is read in both is converted afterwards.
    pub fn to_write(self) -> Layout {
        match self {
            Self { plain: false, activations: true } => Layout::Activations,
            _ => Layout::Plain,
        }
    }

    /// True where activations are read that a kernel does not write.
    pub fn lacks_activations(self, written: Written) -> bool {
        match written {
            Written::Plain => self.activations,
            Written::Either => self.activations && self.plain,
            Written::Both => false,
        }
    }
}

/// The layout in which a step reads its buffers.
fn read_by(op: Op) -> Layout {
    match op {
        Op::MatMul { .. } => Layout::Activations,
        Op::Embed
        | Op::RmsNorm { .. }
        | Op::Conv1dSilu
        | Op::SplitDtBC { .. }
        | Op::SelectiveScan
        | Op::LayerNorm { .. }
        | Op::TokenShift
        | Op::Elementwise(_)
        | Op::Multiply
        | Op::ValueResidual
        | Op::Wkv7 { .. } => Layout::Plain,
    }
}

/// The layouts in which a step writes its buffer number `index`.
pub fn written_by(op: Op, index: usize) -> Written {
    match op {
        Op::Embed | Op::MatMul { .. } | Op::Wkv7 { .. } => Written::Plain,
        // B and C, which no kernel reads otherwise.
        Op::SplitDtBC { .. } if index == 1 => Written::Plain,
        Op::Conv1dSilu => Written::Both,
        Op::RmsNorm { .. }
        | Op::SplitDtBC { .. }
        | Op::SelectiveScan
        | Op::LayerNorm { .. }
        | Op::TokenShift
        | Op::Elementwise(_)
        | Op::Multiply
        | Op::ValueResidual => Written::Either,
    }
}

/// The layouts in which a buffer is read: by steps, by those that add to it, and by the host, which reads logits.
pub fn read(plan: &Plan, id: BufferId) -> Layouts {
    let of_step = |step: &Step| {
        let adds = step.op == Op::MatMul { accumulate: true } && step.writes.contains(&id);
        let reads = step.reads.contains(&id).then(|| read_by(step.op));
        reads.into_iter().chain(adds.then_some(Layout::Plain))
    };
    let host = (plan.logits == id).then_some(Layout::Plain);
    plan.steps().flat_map(of_step).chain(host).fold(Layouts::default(), Layouts::with)
}

/// The layouts that a buffer has on the device: those in which it is read, and those that its kernels write anyhow.
pub fn stored(plan: &Plan, id: BufferId) -> Layouts {
    let read = read(plan, id);
    let written = plan.steps().flat_map(|step| {
        let numbers = step.writes.iter().enumerate().filter(|(_, written)| **written == id);
        numbers.map(|(index, _)| written_by(step.op, index))
    });
    written.fold(read, |stored, written| match written {
        Written::Plain => stored.with(Layout::Plain),
        Written::Either => stored.with(read.to_write()),
        Written::Both => Layouts { plain: true, activations: true },
    })
}

/// Outputs that one kernel writes together, in more buffers than it could bind: each list is laid out as planes of one buffer. They
/// are those of token shifts, where products alone read them and nothing else writes them: no kernel then reads one plane and writes
/// another, which WebGPU does not allow.
pub fn planes(plan: &Plan) -> Vec<Vec<BufferId>> {
    let mut found: Vec<Vec<BufferId>> = Vec::new();
    for step in plan.steps().filter(|step| step.op == Op::TokenShift && step.writes.len() > 1) {
        let are_new = !step.writes.iter().any(|id| found.iter().flatten().any(|other| other == id));
        let activations = Layouts { plain: false, activations: true };
        let is_plane = |id: BufferId| {
            let mut writers = plan.steps().filter(|other| other.writes.contains(&id));
            stored(plan, id) == activations && writers.all(|other| other.writes == step.writes)
        };
        if are_new && step.writes.iter().all(|&id| is_plane(id)) {
            found.push(step.writes.clone());
        }
    }
    found
}
