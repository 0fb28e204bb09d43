//! Opening the file that a command names, with every part of a split set, and the backend that it asks for.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::SystemTime;

use clap::{Args, ValueEnum};
use web_mamba::Result;
use web_mamba::engine::{BackendChoice, LoadOptions, Model};
use web_mamba::error::Error;
use web_mamba::executor::Activations;
use web_mamba::gguf::Gguf;
use web_mamba::gpu::GpuOptions;
use web_mamba::source::{ByteSource, FileSource};
use web_mamba::tokenizer::ChatTemplate;

/// Where a model runs.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Backend {
    /// The GPU where there is one, else the CPU.
    Auto,
    Cpu,
    Gpu,
}

#[derive(Debug, Args)]
pub struct ModelArguments {
    /// The model: a GGUF file, or the first part of a split set.
    pub file: PathBuf,
    /// Where to run it.
    #[arg(long, value_enum, default_value = "auto")]
    pub backend: Backend,
    /// How matrix products see their input: as it is, or in 8 bits. By default what is fastest here.
    #[arg(long, value_enum)]
    pub activations: Option<ActivationsArgument>,
    /// Threads of the CPU; by default the parallelism of the machine.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Only a GPU whose name contains this.
    #[arg(long)]
    pub adapter: Option<String>,
    /// Whether the GPU's kernels are tested before a model is loaded. By default unless the adapter is software.
    #[arg(long)]
    pub self_test: Option<bool>,
    /// Split weights into storage bindings of at most this many bytes.
    #[arg(long, hide = true)]
    pub max_binding_bytes: Option<u64>,
}

/// [`Activations`], on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ActivationsArgument {
    F32,
    Q8,
}

impl ModelArguments {
    pub fn activations(&self) -> Option<Activations> {
        self.activations.map(|activations| match activations {
            ActivationsArgument::F32 => Activations::F32,
            ActivationsArgument::Q8 => Activations::Q8,
        })
    }

    pub fn gpu_options(&self) -> GpuOptions {
        GpuOptions {
            adapter: self.adapter.clone(),
            max_binding_bytes: self.max_binding_bytes,
            self_test: self.self_test,
            ..GpuOptions::default()
        }
    }

    pub fn load(&self) -> Result<Model> {
        self.load_with(&self.options())
    }

    pub fn load_with(&self, options: &LoadOptions) -> Result<Model> {
        pollster::block_on(Model::load(sources(&self.file)?, options, &mut |_, _| {}))
    }

    pub fn options(&self) -> LoadOptions {
        let backend = match self.backend {
            Backend::Auto => BackendChoice::Auto,
            Backend::Cpu => BackendChoice::Cpu,
            Backend::Gpu => BackendChoice::WebGpu,
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok();
        let unix_seconds = now.and_then(|now| i64::try_from(now.as_secs()).ok());
        let (activations, threads) = (self.activations(), self.threads.map(usize::from));
        LoadOptions { backend, unix_seconds, activations, threads, gpu: self.gpu_options(), ..LoadOptions::default() }
    }
}

/// The chat template of a file, in place of the model's. One that is wrong fails before the model is read.
pub fn read_template(path: Option<&Path>) -> Result<Option<String>> {
    let template = path.map(read_text).transpose()?;
    template.as_deref().map(ChatTemplate::check).transpose()?;
    Ok(template)
}

/// The file, or every part of the set that it belongs to (`NAME-00001-of-0000N.gguf`).
pub fn sources(file: &Path) -> Result<Vec<Rc<dyn ByteSource>>> {
    let open = |path: &Path| FileSource::open(path).map(|source| Rc::new(source) as Rc<dyn ByteSource>);
    match parts(file) {
        None => Ok(vec![open(file)?]),
        Some(parts) => parts.iter().map(|path| open(path)).collect(),
    }
}

fn parts(file: &Path) -> Option<Vec<PathBuf>> {
    let stem = file.file_name()?.to_str()?.strip_suffix(".gguf")?;
    let (rest, count) = stem.rsplit_once("-of-")?;
    let (name, number) = rest.rsplit_once('-')?;
    let five_digits = |text: &str| text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
    if !five_digits(number) || !five_digits(count) {
        return None;
    }
    let total: usize = count.parse().ok()?;
    Some((1..=total).map(|n| file.with_file_name(format!("{name}-{n:05}-of-{count}.gguf"))).collect())
}

pub fn open_gguf(file: &Path) -> Result<Gguf> {
    pollster::block_on(Gguf::open(sources(file)?))
}

/// Reads a whole text file.
pub fn read_text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|problem| Error::Read {
        what: path.display().to_string(),
        offset: 0,
        length: std::fs::metadata(path).map_or(0, |m| m.len()),
        problem: problem.to_string(),
    })
}
