//! A loaded model: file, vocabulary and executor together, on the backend that suits.

mod reading;

use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::checkpoints::Checkpoints;
use crate::cpu::CpuExecutor;
use crate::cpu::calibrate::choose_ranks;
use crate::cpu::team::{Crew, TeamExecutor};
use crate::error::{Error, Result};
use crate::executor::{Activations, Executor};
use crate::fingerprint::ModelHash;
use crate::gguf::Gguf;
use crate::model::{Config, Weights};
use crate::source::ByteSource;
use crate::tokenizer::Tokenizer;
use reading::Reading;

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
    /// Threads of the CPU; by default as many as run at once here. In wasm there is one.
    pub threads: Option<usize>,
    /// Workers with memories of their own that can share the model on the CPU.
    pub crew: Option<Rc<dyn Crew>>,
    /// Today, in seconds since 1970 (UTC), for chat templates that write the date. The library reads no clock for it.
    pub unix_seconds: Option<i64>,
    /// How the GPU is asked for, and whether it is tested first.
    #[cfg(feature = "gpu")]
    pub gpu: crate::gpu::GpuOptions,
}

/// What people want to know of a loaded model.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelInfo {
    /// `general.name`, or the file's name.
    pub name: String,
    /// `mamba`, or `falcon-mamba` where dt, B and C are normalised.
    pub architecture: &'static str,
    /// Number of parameters.
    pub parameters: u64,
    /// Number of layers.
    pub layers: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Number of tokens in the vocabulary.
    pub vocab_size: usize,
    /// Bytes of the file, or of all parts together.
    pub file_bytes: u64,
    /// Bytes of the state: the memory of a whole conversation, at any length.
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
    /// How long the GPU's self-test took; none where it was left out.
    pub self_test_milliseconds: Option<f64>,
}

/// A model ready to run.
pub struct Model {
    executor: Box<dyn Executor>,
    tokenizer: Option<Rc<Tokenizer>>,
    info: ModelInfo,
    epoch: u64,
    hash: ModelHash,
    /// What the first sequence has read; none where the executor was run from outside.
    reading: Option<Reading>,
    checkpoints: Checkpoints,
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
        let gguf = Gguf::open(sources).await?;
        let config = Config::from_metadata(&gguf.metadata)?;
        let weights = Weights::find(&gguf, &config)?;
        // Everything about the file that can fail does so before the long part, the upload.
        let tokenizer = read_tokenizer(&gguf, options)?.map(Rc::new);
        let loader = Loader { gguf: &gguf, config: &config, weights: &weights };
        let hash = ModelHash::of(&gguf).await?;
        let loaded = loader.load(options, progress).await?;
        let info = info(&gguf, &config, &weights, &loaded);
        let (reading, checkpoints) = (Some(Reading::default()), Checkpoints::default());
        Ok(Self { executor: loaded.executor, tokenizer, info, epoch: 0, hash, reading, checkpoints })
    }

    /// Loads the same model again, where its device was lost. Its checkpoints stay, and an answer that was interrupted goes on.
    ///
    /// # Errors
    /// As of [`Model::load`], and [`Error::StateModel`] for another model. The old executor stays then.
    pub async fn reload(
        &mut self,
        sources: Vec<Rc<dyn ByteSource>>,
        options: &LoadOptions,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<()> {
        let again = Self::load(sources, options, progress).await?;
        if again.hash != self.hash {
            return Err(Error::StateModel { expected: self.hash.to_string(), found: again.hash.to_string() });
        }
        let checkpoints = std::mem::take(&mut self.checkpoints);
        *self = Self { checkpoints, epoch: self.epoch + 1, ..again };
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

    /// What runs it. Whoever runs it directly moves the state past what the model knows of it: such a state cannot be saved.
    pub fn executor(&mut self) -> &mut dyn Executor {
        self.reading = None;
        self.executor.as_mut()
    }

    /// The most tokens that one step reads now: see [`Executor::max_tokens`].
    pub(crate) fn max_tokens(&self) -> usize {
        self.executor.max_tokens()
    }

    /// Forgets everything read so far and gives the new reading a number: whoever finds another number later knows that
    /// the state is no longer its own.
    ///
    /// # Errors
    /// [`Error::Gpu`] where the device fails.
    pub fn begin(&mut self) -> Result<u64> {
        self.epoch += 1;
        self.reading = None;
        self.executor.reset(0)?;
        self.reading = Some(Reading::default());
        Ok(self.epoch)
    }

    /// The same with so many sequences: their states are made anew.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] where there is no room for them, [`Error::Gpu`] where the device fails.
    pub async fn begin_many(&mut self, sequences: usize) -> Result<u64> {
        self.epoch += 1;
        self.reading = None;
        self.executor.set_sequences(sequences).await?;
        self.reading = (sequences == 1).then(Reading::default);
        Ok(self.epoch)
    }

    /// The number that the last [`Model::begin`] gave.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Logits after the last of `tokens`, (vocab_size), read from a fresh state.
    ///
    /// # Errors
    /// [`Error::EmptyPrompt`], [`Error::TokenRange`] or [`Error::Gpu`].
    pub async fn logits(&mut self, tokens: &[u32]) -> Result<Vec<f32>> {
        self.begin()?;
        self.continue_logits(tokens).await
    }
}

/// A file's vocabulary, where it has one.
pub(crate) fn read_tokenizer(gguf: &Gguf, options: &LoadOptions) -> Result<Option<Tokenizer>> {
    if gguf.metadata.get("tokenizer.ggml.tokens").is_none() {
        return Ok(None);
    }
    let mut tokenizer = Tokenizer::from_metadata(&gguf.metadata)?;
    if let Some(now) = options.unix_seconds {
        tokenizer.set_now(now);
    }
    Ok(Some(tokenizer))
}

struct Loader<'a> {
    gguf: &'a Gguf,
    config: &'a Config,
    weights: &'a Weights,
}

/// Natively a software adapter is only a slower CPU. A browser shows one only where it was told to, so there it is taken.
#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
pub(crate) fn any_hardware(options: &LoadOptions) -> LoadOptions {
    let hardware_only = options.gpu.adapter.is_none();
    LoadOptions { gpu: crate::gpu::GpuOptions { hardware_only, ..options.gpu.clone() }, ..options.clone() }
}

#[cfg(not(all(feature = "gpu", not(target_arch = "wasm32"))))]
pub(crate) fn any_hardware(options: &LoadOptions) -> LoadOptions {
    options.clone()
}

struct Loaded {
    executor: Box<dyn Executor>,
    reason: String,
    self_test: Option<Duration>,
}

impl Loader<'_> {
    async fn load(&self, options: &LoadOptions, progress: &mut dyn FnMut(u64, u64)) -> Result<Loaded> {
        match options.backend {
            BackendChoice::Cpu => self.cpu(options, "The CPU was asked for.".into(), progress).await,
            BackendChoice::WebGpu => self.gpu(options, "The GPU was asked for.", progress).await,
            BackendChoice::Auto => match self.gpu(&any_hardware(options), "A GPU is available.", progress).await {
                Err(
                    error @ (Error::NoGpu { .. }
                    | Error::Gpu { .. }
                    | Error::DeviceLost { .. }
                    | Error::SelfTest { .. }
                    | Error::OutOfMemory { .. }),
                ) => {
                    let reason = match error {
                        Error::NoGpu { problem } => format!("There is no GPU to use: {problem}."),
                        other => format!("The GPU cannot be used: {other}."),
                    };
                    self.cpu(options, reason, progress).await
                }
                loaded => loaded,
            },
        }
    }

    fn count<'p>(&self, progress: &'p mut dyn FnMut(u64, u64)) -> impl FnMut(u64) + 'p {
        let total = self.weights.all().iter().map(|w| w.tensor.bytes).sum();
        let mut done = 0;
        move |bytes| {
            done += bytes;
            progress(done, total);
        }
    }

    async fn cpu(&self, options: &LoadOptions, reason: String, progress: &mut dyn FnMut(u64, u64)) -> Result<Loaded> {
        let mut count = self.count(progress);
        let activations = options.activations.unwrap_or(Activations::Q8);
        if let Some(crew) = &options.crew {
            let ranks = choose_ranks(&**crew, self.config, self.weights, activations).await?;
            if ranks > 1 {
                let (gguf, config, weights) = (self.gguf, self.config, self.weights);
                let team = (&**crew, ranks, false);
                let executor = TeamExecutor::load(gguf, config, weights, activations, team, &mut count).await?;
                return Ok(Loaded { executor: Box::new(executor), reason, self_test: None });
            }
        }
        let mut executor = CpuExecutor::load(self.gguf, self.config, self.weights, activations, &mut count).await?;
        let all = || std::thread::available_parallelism().map_or(1, usize::from);
        executor.set_threads(options.threads.unwrap_or_else(all));
        Ok(Loaded { executor: Box::new(executor), reason, self_test: None })
    }

    #[cfg(feature = "gpu")]
    async fn gpu(&self, options: &LoadOptions, reason: &str, progress: &mut dyn FnMut(u64, u64)) -> Result<Loaded> {
        let gpu = crate::gpu::Gpu::open(&options.gpu).await?;
        let activations = gpu.activations(options.activations)?;
        let self_test = match options.gpu.self_test.unwrap_or(!gpu.is_software()) {
            false => None,
            true => {
                let start = web_time::Instant::now();
                crate::gpu::self_test(&gpu, self.config, self.weights, activations).await?;
                Some(start.elapsed())
            }
        };
        let mut count = self.count(progress);
        let load = crate::gpu::GpuExecutor::load(gpu, self.gguf, self.config, self.weights, activations, &mut count);
        Ok(Loaded { executor: Box::new(load.await?), reason: reason.into(), self_test })
    }

    #[cfg(not(feature = "gpu"))]
    async fn gpu(&self, _: &LoadOptions, _: &str, _: &mut dyn FnMut(u64, u64)) -> Result<Loaded> {
        Err(Error::NoGpu { problem: "this build has no GPU support".into() })
    }
}

fn info(gguf: &Gguf, config: &Config, weights: &Weights, loaded: &Loaded) -> ModelInfo {
    let backend = loaded.executor.backend();
    let file_name = || gguf.sources().first().map_or("model", |source| source.name()).to_string();
    let name = gguf.metadata.opt_string("general.name").ok().flatten().map_or_else(file_name, String::from);
    ModelInfo {
        name,
        architecture: if config.norm_dt_b_c { "falcon-mamba" } else { "mamba" },
        parameters: weights.parameters(),
        layers: config.n_layers,
        d_model: config.d_model,
        vocab_size: weights.vocab_size,
        file_bytes: gguf.total_bytes(),
        state_bytes: config.state_bytes(),
        bytes_per_token: weights.bytes_per_token(),
        activations: backend.activations,
        memory_bytes: backend.memory_bytes,
        backend: backend.kind,
        adapter: backend.adapter,
        reason: loaded.reason.clone(),
        self_test_milliseconds: loaded.self_test.map(|time| 1e3 * time.as_secs_f64()),
    }
}
