//! Runs that several tests make, and what came of them.

use pollster::block_on;
use web_mamba::engine::Model;
use web_mamba::executor::{Executor, Outputs};
use web_mamba::generate::{Event, GenerateOptions, Generation, Prompt};

/// Tokens all over a vocabulary of 2051.
pub const IDS: [u32; 40] = {
    let mut ids = [0; 40];
    let mut i = 0;
    while i < 40 {
        ids[i] = (i as u32 * 371 + 11) % 2051;
        i += 1;
    }
    ids
};

/// Logits of each of [`IDS`]: a chunk, one token, the rest.
pub fn logits(executor: &mut dyn Executor) -> Vec<f32> {
    executor.reset(0).unwrap();
    let chunks = [&IDS[..7], &IDS[7..8], &IDS[8..40]];
    chunks.iter().flat_map(|ids| block_on(executor.forward(0, ids, Outputs::Each)).unwrap()).collect()
}

/// A completion's tokens, and the numbers of tokens of its prompt and of tokens that were read for it.
pub struct Run {
    pub ids: Vec<u32>,
    pub prompt: usize,
    pub prefilled: usize,
}

/// Runs a generation to its end, or for this number of tokens.
pub fn run_until(model: &mut Model, prompt: &Prompt, options: GenerateOptions, most: usize) -> Run {
    let mut generation = Generation::new(model, prompt, options).unwrap();
    let mut run = Run { ids: Vec::new(), prompt: 0, prefilled: 0 };
    while run.ids.len() < most
        && let Some(event) = block_on(generation.next(model)).unwrap()
    {
        match event {
            Event::Token { id, .. } => run.ids.push(id),
            Event::End { prompt_tokens, prefilled_tokens, .. } => {
                (run.prompt, run.prefilled) = (prompt_tokens, prefilled_tokens);
            }
            Event::Prefill { .. } => {}
        }
    }
    run
}
