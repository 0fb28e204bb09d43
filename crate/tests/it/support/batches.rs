//! Sequences side by side, and the same ones by themselves.

use pollster::block_on;
use web_mamba::executor::{Executor, Outputs};

/// Beginnings of different lengths, and what each goes on with. Sequences come and go: not all take part in each batch.
const BEGINNINGS: [&[u32]; 4] = [&[1], &[200, 31, 7, 7, 90], &[5, 6], &[300, 2, 1]];
const STEPS: [&[(usize, u32)]; 4] =
    [&[(0, 7), (1, 9), (2, 11), (3, 400)], &[(3, 1), (0, 2)], &[(2, 8)], &[(1, 3), (3, 3), (2, 3), (0, 3)]];

/// The bits of every logit and state, by sequence.
pub type Bits = Vec<(Vec<u32>, Vec<u32>)>;

fn bits(values: &[f32]) -> impl Iterator<Item = u32> {
    values.iter().map(|value| value.to_bits())
}

fn begin(executor: &mut dyn Executor) -> Bits {
    block_on(executor.set_sequences(BEGINNINGS.len())).unwrap();
    let begun = BEGINNINGS.iter().enumerate().map(|(sequence, tokens)| {
        let logits = block_on(executor.forward(sequence, tokens, Outputs::Last)).unwrap();
        (bits(&logits).collect(), Vec::new())
    });
    begun.collect()
}

fn end(executor: &mut dyn Executor, mut all: Bits) -> Bits {
    for (sequence, (_, state)) in all.iter_mut().enumerate() {
        let read = block_on(executor.read_state(sequence)).unwrap();
        let steps = STEPS.iter().flat_map(|step| *step).filter(|(of, _)| *of == sequence).count();
        assert_eq!(read.position as usize, BEGINNINGS[sequence].len() + steps);
        state.extend(read.tensors.iter().flat_map(|tensor| bits(tensor)));
    }
    all
}

/// In batches.
pub fn batched(executor: &mut dyn Executor) -> Bits {
    let mut all = begin(executor);
    for step in STEPS {
        let logits = block_on(executor.decode_batch(step)).unwrap();
        for ((sequence, _), row) in step.iter().zip(logits.chunks_exact(executor.vocab_size())) {
            all[*sequence].0.extend(bits(row));
        }
    }
    end(executor, all)
}

/// Token by token.
pub fn alone(executor: &mut dyn Executor) -> Bits {
    let mut all = begin(executor);
    for &(sequence, token) in STEPS.iter().flat_map(|step| *step) {
        let logits = block_on(executor.forward(sequence, &[token], Outputs::Last)).unwrap();
        all[sequence].0.extend(bits(&logits));
    }
    end(executor, all)
}
