//! A loaded model: vocabulary and executor together, on the backend that was selected.

mod aside;
mod beginning;
mod embedding;
mod history;
mod loading;
mod scoring;

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::checkpoints::Checkpoints;
use crate::cpu::tensor_parallel::WorkerPool;
use crate::error::{Error, Result};
use crate::executor::{Activations, Executor};
use crate::fingerprint::ModelHash;
use crate::gguf::Gguf;
use crate::model::ModelFile;
use crate::source::ByteSource;
use crate::tokenizer::{ChatTemplate, Tokenizer, ToolFormat};
use beginning::Beginning;
pub use embedding::{EmbedOptions, Pooling};
use history::History;
use loading::Loaded;

pub(crate) use loading::any_hardware;

/// Which backend to run on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendChoice {
    /// The GPU where there is one that holds the model, else the CPU.
    #[default]
    Auto,
    /// The GPU or an error.
    #[serde(alias = "gpu")]
    WebGpu,
    /// The CPU.
    Cpu,
}

/// How a model is loaded.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Which backend.
    pub backend: BackendChoice,
    /// How matrix products see their input; by default in 8 bits on the CPU and on a GPU that multiplies these fast, else as
    /// f32.
    pub activations: Option<Activations>,
    /// Threads of the CPU; by default the parallelism of the machine. In wasm there is one.
    pub threads: Option<usize>,
    /// Workers with memories of their own that can run the model together on the CPU.
    pub workers: Option<Rc<dyn WorkerPool>>,
    /// Today, in seconds since 1970 (UTC), for chat templates that write the date. The library reads no clock for it.
    pub unix_seconds: Option<i64>,
    /// A chat template in place of the file's: Jinja, or the name `rwkv-world`.
    pub chat_template: Option<String>,
    /// How the GPU is asked for, and whether it is tested first.
    #[cfg(feature = "gpu")]
    pub gpu: crate::gpu::GpuOptions,
}

impl LoadOptions {
    /// These options, and of another's those that are `None` here.
    fn or(self, before: &Self) -> Self {
        Self {
            activations: self.activations.or(before.activations),
            threads: self.threads.or(before.threads),
            workers: self.workers.or_else(|| before.workers.clone()),
            unix_seconds: self.unix_seconds.or(before.unix_seconds),
            chat_template: self.chat_template.or_else(|| before.chat_template.clone()),
            ..self
        }
    }
}

/// A description of a loaded model.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelInfo {
    /// `general.name`, or the file's name.
    pub name: String,
    /// The common name of its architecture: `mamba`, or `falcon-mamba` where dt, B and C are normalised.
    pub architecture: &'static str,
    /// Number of parameters.
    pub parameters: u64,
    /// Number of layers.
    pub layers: usize,
    /// Whether it can think before it answers a conversation: see [`ChatTemplate::can_think`].
    ///
    /// [`ChatTemplate::can_think`]: crate::tokenizer::ChatTemplate::can_think
    pub can_think: bool,
    /// How it calls tools, where it can: see [`ChatTemplate::tool_format`].
    ///
    /// [`ChatTemplate::tool_format`]: crate::tokenizer::ChatTemplate::tool_format
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_format: Option<ToolFormat>,
    /// The control token that its calls begin with, where they do: it is no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_opening: Option<u32>,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Number of tokens in the vocabulary.
    pub vocab_size: usize,
    /// Bytes of the file, or of all parts together.
    pub file_bytes: u64,
    /// Bytes of the state, at any position.
    pub state_bytes: usize,
    /// Bytes of weights read for one token.
    pub bytes_per_token: u64,
    /// How matrix products see their input.
    pub activations: Activations,
    /// Bytes that the backend holds.
    pub memory_bytes: u64,
    /// `webgpu` (natively the GPU's API, such as `vulkan`) or `cpu`.
    pub backend: &'static str,
    /// The adapter's name, or `CPU`.
    pub adapter: String,
    /// Why this backend, as a sentence.
    pub reason: String,
    /// How long the GPU's self-test took; `None` where there was none.
    pub self_test_milliseconds: Option<f64>,
}

/// A model ready to run.
pub struct Model {
    executor: Box<dyn Executor>,
    tokenizer: Option<Rc<Tokenizer>>,
    info: ModelInfo,
    /// What it was loaded with.
    options: LoadOptions,
    epoch: u64,
    /// The epoch that loading the model again has ended, while no other has begun.
    interrupted: Option<u64>,
    hash: ModelHash,
    /// What each sequence has read. `None` for a sequence, and an empty list for all, where that is unknown: the executor was run
    /// directly.
    histories: Vec<Option<History>>,
    checkpoints: Checkpoints,
    beginning: Beginning,
}

impl Model {
    /// Opens a model and loads it onto a backend. `sources` is one file, or every part of a split set in any order.
    /// `progress` is called with bytes done and bytes in all.
    ///
    /// # Errors
    /// What the file, the vocabulary or the backend give; see [`Error`].
    pub async fn load(
        sources: Vec<Rc<dyn ByteSource>>,
        options: &LoadOptions,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self> {
        let file = ModelFile::of(Gguf::open(sources).await?)?;
        // Everything about the file that can fail does so before the long part, the upload.
        let tokenizer = tokenizer(&file, options)?.map(Rc::new);
        ModelHash::keep_samples(&file.gguf)?;
        let loaded = loading::load(&file, options, progress).await?;
        let hash = ModelHash::of(&file.gguf).await?;
        let info = info(&file, tokenizer.as_deref(), &loaded);
        let (histories, checkpoints) = (vec![Some(History::default())], Checkpoints::default());
        let (executor, options) = (loaded.executor, options.clone());
        let (epoch, interrupted, beginning) = (0, None, Beginning::default());
        Ok(Self { executor, tokenizer, info, options, epoch, interrupted, hash, histories, checkpoints, beginning })
    }

    /// Loads the same model again, where its device was lost, or onto another backend. Its checkpoints and its
    /// beginning stay, and a generation that was
    /// interrupted goes on. Options that are `None` now stay as they were, the workers included.
    ///
    /// # Errors
    /// As of [`Model::load`], and [`Error::StateModel`] for another model. The old executor stays then.
    pub async fn reload(
        &mut self,
        sources: Vec<Rc<dyn ByteSource>>,
        options: &LoadOptions,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<()> {
        let options = options.clone().or(&self.options);
        let mut again = Self::load(sources, &options, progress).await?;
        if again.hash != self.hash {
            return Err(Error::StateModel { expected: self.hash.to_string(), found: again.hash.to_string() });
        }
        again.beginning = self.beginning.clone();
        again.begin_anew()?;
        let checkpoints = std::mem::take(&mut self.checkpoints);
        let interrupted = Some(self.interrupted.unwrap_or(self.epoch));
        *self = Self { checkpoints, epoch: self.epoch + 1, interrupted, ..again };
        Ok(())
    }

    /// What it is and where it runs.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Its vocabulary.
    ///
    /// # Errors
    /// [`Error::Vocabulary`] where the file has none.
    pub fn tokenizer(&self) -> Result<&Rc<Tokenizer>> {
        self.tokenizer.as_ref().ok_or_else(|| Error::Vocabulary { problem: "the file has none".into() })
    }

    /// Its executor. Running it directly leaves the histories of the sequences unknown: such a state cannot be saved.
    pub fn executor(&mut self) -> &mut dyn Executor {
        self.histories.clear();
        self.executor.as_mut()
    }

    /// The most tokens that one step reads now: see [`Executor::max_tokens`].
    pub(crate) fn max_tokens(&self) -> usize {
        self.executor.max_tokens()
    }

    /// Resets the first sequence to the beginning and begins a new epoch, whose number it returns: a caller that finds another number later knows that
    /// the state is no longer its own.
    ///
    /// # Errors
    /// [`Error::BeginningUnknown`]; [`Error::Gpu`] where the device fails.
    pub fn begin(&mut self) -> Result<u64> {
        let epoch = self.next_epoch();
        self.histories = vec![None];
        self.reset(0)?;
        Ok(epoch)
    }

    /// Begins a new epoch with `count` sequences, as [`Model::begin`] does. Where the count stays the same, each keeps its state; else
    /// all are reset.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] where there is no room for them, [`Error::Gpu`] where the device fails.
    pub async fn begin_sequences(&mut self, count: usize) -> Result<u64> {
        let epoch = self.next_epoch();
        if self.executor.sequences() != count {
            self.histories.clear();
            self.executor.set_sequences(count).await?;
            self.histories.resize_with(count, || None);
            self.begin_anew()?;
        }
        self.histories.resize_with(count, || None);
        Ok(epoch)
    }

    /// The number that the last [`Model::begin`] gave.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    fn next_epoch(&mut self) -> u64 {
        self.epoch += 1;
        self.interrupted = None;
        self.epoch
    }

    /// Whether this epoch was the last one before the model was loaded again, and no other has begun since.
    pub(crate) fn has_interrupted(&self, epoch: u64) -> bool {
        self.interrupted == Some(epoch)
    }

    /// Logits after the last of `tokens`, (vocab_size), read from the beginning.
    ///
    /// # Errors
    /// [`Error::EmptyPrompt`], [`Error::TokenRange`], [`Error::BeginningUnknown`] or [`Error::Gpu`].
    pub async fn logits(&mut self, tokens: &[u32]) -> Result<Vec<f32>> {
        self.begin()?;
        self.continue_logits(tokens).await
    }
}

/// The vocabulary, where the file has one.
///
/// # Errors
/// [`Error::Vocabulary`] or [`Error::PreTokenizer`] for one that cannot be used, [`Error::OwnChatTemplate`].
pub(crate) fn tokenizer(file: &ModelFile, options: &LoadOptions) -> Result<Option<Tokenizer>> {
    if file.gguf.metadata.get("tokenizer.ggml.tokens").is_none() {
        return Ok(None);
    }
    let mut tokenizer = Tokenizer::from_metadata(&file.gguf.metadata)?;
    if let Some(template) = &options.chat_template {
        tokenizer.set_chat_template(template, &file.gguf.metadata)?;
    }
    if let Some(now) = options.unix_seconds {
        tokenizer.set_now(now);
    }
    Ok(Some(tokenizer))
}

fn info(file: &ModelFile, tokenizer: Option<&Tokenizer>, loaded: &Loaded) -> ModelInfo {
    let ModelFile { gguf, network, weights } = file;
    let backend = loaded.executor.backend();
    let file_name = || gguf.sources().first().map_or("model", |source| source.name()).to_string();
    let name = gguf.metadata.opt_string("general.name").ok().flatten().map_or_else(file_name, String::from);
    let tool_format = tokenizer.and_then(|t| t.chat_template().ok()).and_then(ChatTemplate::tool_format);
    ModelInfo {
        name,
        architecture: network.architecture.family(),
        parameters: weights.parameters(),
        layers: network.n_layers,
        tool_format,
        tool_opening: tokenizer.zip(tool_format).and_then(|(t, format)| t.control_token(format.opening())),
        can_think: tokenizer.and_then(|t| t.chat_template().ok()).is_some_and(ChatTemplate::can_think),
        d_model: network.d_model,
        vocab_size: network.vocab_size,
        file_bytes: gguf.total_bytes(),
        state_bytes: network.state_bytes(),
        bytes_per_token: weights.bytes_per_token(network),
        activations: backend.activations,
        memory_bytes: backend.memory_bytes,
        backend: backend.kind,
        adapter: backend.adapter,
        reason: loaded.reason.clone(),
        self_test_milliseconds: loaded.self_test.map(|time| 1e3 * time.as_secs_f64()),
    }
}
