//! A model whose next token follows from the last one alone, so that a test says what is written.

use std::rc::Rc;

use web_mamba::engine::{BackendChoice, LoadOptions, Model};
use web_mamba::executor::Activations;
use web_mamba::gguf::{Gguf, Metadata};
use web_mamba::model::arch::Architecture as _;
use web_mamba::model::arch::mamba::Mamba;
use web_mamba::quant::DType;
use web_mamba::source::{ByteSource, MemorySource};
use web_mamba::synthetic::Synthetic;

/// A Mamba model with the vocabulary of `metadata` that writes, after a token of `chain`, the one that stands beside it. Embeddings are
/// one-hot and the layer adds nothing to them; it has a state nevertheless.
pub fn chain_model(metadata: &Metadata, chain: &[(u32, u32)]) -> Model {
    let vocab_size = metadata.strings("tokenizer.ggml.tokens").unwrap().len();
    let d_model = vocab_size.next_multiple_of(32);
    let mamba = Mamba {
        d_model,
        d_inner: 64,
        d_state: 16,
        d_conv: 4,
        dt_rank: 8,
        n_layers: 1,
        rms_eps: 1e-5,
        norm_dt_b_c: false,
    };
    let network = Rc::new(mamba).network(vocab_size, false);
    let pairs =
        metadata.sorted().into_iter().filter(|(key, _)| key.starts_with("tokenizer.") || *key == "general.name");
    let pairs = pairs.map(|(key, value)| (key.to_owned(), value.clone())).collect();
    let mut bytes = Synthetic { pairs, ..Synthetic::new(&network, |_| DType::F32) }.to_bytes();
    let file = pollster::block_on(Gguf::open(vec![Rc::new(MemorySource::new("chain", bytes.clone()))])).unwrap();
    let place = |name: &str| file.tensor(name).unwrap().offset as usize;
    let one_hot = |row: usize, column: usize| 4 * (row * d_model + column);
    let (embedding, head, out) = (place("token_embd.weight"), place("output.weight"), place("blk.0.ssm_out.weight"));
    for (start, length) in [(embedding, vocab_size * d_model), (head, vocab_size * d_model), (out, d_model * 64)] {
        bytes[start..start + 4 * length].fill(0);
    }
    let mut set = |at: usize| bytes[at..at + 4].copy_from_slice(&1f32.to_le_bytes());
    (0..vocab_size).for_each(|token| set(embedding + one_hot(token, token)));
    chain.iter().for_each(|&(token, next)| set(head + one_hot(next as usize, token as usize)));
    let source: Rc<dyn ByteSource> = Rc::new(MemorySource::new("chain", bytes));
    let options =
        LoadOptions { backend: BackendChoice::Cpu, activations: Some(Activations::F32), ..LoadOptions::default() };
    pollster::block_on(Model::load(vec![source], &options, &mut |_, _| {})).unwrap()
}
