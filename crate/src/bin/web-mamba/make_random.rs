//! `web-mamba make-random`: a model of real shape and types with random weights, to measure real sizes without real weights.

mod mixture;
mod new_file;
mod shapes;
mod vocabulary;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use serde_json::json;
use web_mamba::gguf::Value;
use web_mamba::model::Network;
use web_mamba::synthetic::Synthetic;

use crate::failure::Failure;
use crate::print;
use mixture::FileType;
use new_file::NewFile;
use shapes::Shape;

#[derive(Debug, Args)]
pub struct MakeRandom {
    /// The file to write.
    out: PathBuf,
    /// Whose sizes the model has.
    #[arg(long, value_enum)]
    shape: Shape,
    /// Type of the matrices; llama.cpp's rules mix others in, as in real files.
    #[arg(long = "type", value_enum)]
    file_type: FileType,
    /// Number of layers, if not the shape's own.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    layers: Option<u16>,
    /// The same seed gives the same file.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Leave the weights out: the header, and zeros in their place that take no room on the disk. Enough for `inspect`.
    #[arg(long)]
    no_weights: bool,
    /// Write over a file of this name.
    #[arg(long)]
    force: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl MakeRandom {
    pub fn run(&self) -> Result<(), Failure> {
        let start = Instant::now();
        let mut network = self.shape.network(self.layers.map(usize::from));
        network.tensors.extend(network.architecture.unread_tensors());
        let mut model = Synthetic::new(&network, |tensor| self.file_type.dtype_of(tensor, network.tied_head));
        (model.pairs, model.seed) = (self.pairs(&network), self.seed);
        let mut file = NewFile::create(&self.out, self.force)?;
        let bytes = if self.no_weights {
            let (header, length) = model.header();
            file.write(&header)?;
            file.extend_to(length)?;
            length
        } else {
            model.write(|piece| file.write(piece))?
        };
        file.finish()?;

        let parameters: usize = network.tensors.iter().map(|tensor| tensor.rows * tensor.columns).sum();
        let mut types = BTreeMap::new();
        for dtype in &model.dtypes {
            *types.entry(dtype.name()).or_insert(0) += 1;
        }
        let seconds = start.elapsed().as_secs_f64();
        let value = json!({
            "file": self.out, "bytes": bytes, "shape": self.shape.name(), "type": self.file_type.name(),
            "layers": network.n_layers, "seed": self.seed, "parameters": parameters, "tensors": types, "seconds": seconds,
        });
        print(self.json, &value, || {
            let types: Vec<String> = types.iter().map(|(name, count)| format!("{count} {name}")).collect();
            format!(
                "wrote {}: {bytes} bytes, {:.1} million random parameters, {} layers, tensors: {}; {seconds:.1} s",
                self.out.display(),
                parameters as f64 / 1e6,
                network.n_layers,
                types.join(", "),
            )
        })?;
        Ok(())
    }

    /// The metadata beside the architecture's: what llama.cpp asks for, and a vocabulary.
    fn pairs(&self, network: &Network) -> Vec<(String, Value)> {
        let name = format!("random {} {}", self.shape.name(), self.file_type.name());
        let architecture = network.architecture.name();
        let general = [
            ("general.name", Value::String(name)),
            ("general.file_type", Value::Unsigned(self.file_type.number())),
            ("general.quantization_version", Value::Unsigned(2)),
        ];
        let asked_for = [
            ("context_length", 1 << 20),
            ("feed_forward_length", 0),
            ("attention.head_count", 0),
            ("vocab_size", network.vocab_size as u64),
        ];
        let own = network.architecture.to_pairs();
        let asked_for = asked_for.map(|(key, value)| (format!("{architecture}.{key}"), Value::Unsigned(value)));
        let asked_for = asked_for.into_iter().filter(|(key, _)| own.iter().all(|(other, _)| other != key));
        let vocabulary = self.shape.vocabulary();
        let named = general.into_iter().chain(vocabulary).map(|(key, value)| (key.to_owned(), value));
        asked_for.chain(named).collect()
    }
}
