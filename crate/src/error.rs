//! The one error type of the crate. Each variant carries the data that a person needs to understand it;
//! [`Error::code`] is stable for programs and [`Error::remedy`] says what to do next.

mod nearest;
mod remedy;

use std::fmt;

/// Short for `Result<T, Error>`.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Where in a GGUF file something was found, by the field's name and its byte offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The field being read: a metadata key, a tensor's name, or a header field.
    pub field: String,
    /// Bytes from the start of the file.
    pub offset: u64,
}

impl Place {
    /// Names a field and the byte offset at which it starts.
    pub fn new(field: impl Into<String>, offset: u64) -> Self {
        Self { field: field.into(), offset }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.field, self.offset)
    }
}

/// Everything that can go wrong on input that a user, a file or a server supplies.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The first four bytes are not `GGUF`.
    #[error("this is not a GGUF file: it starts with {found:02x?}, not with the letters GGUF")]
    NotGguf {
        /// The first bytes of the file, four at most.
        found: Vec<u8>,
    },
    /// A GGUF version other than 2 or 3, or a big-endian file.
    #[error("GGUF version {version} is not supported, only versions 2 and 3, little-endian")]
    GgufVersion {
        /// The version field as read.
        version: u32,
    },
    /// The file ends before a field does.
    #[error("the file is truncated: {place} needs {needed} bytes and only {available} remain")]
    Truncated {
        /// The field that does not fit.
        place: Place,
        /// Bytes that it needs.
        needed: u64,
        /// Bytes that are left.
        available: u64,
    },
    /// A count or length above what any real model has, or above what the file could hold.
    #[error("{place} says {count}, more than the limit of {limit}")]
    TooLarge {
        /// The field that holds the count.
        place: Place,
        /// The count as read.
        count: u64,
        /// The largest accepted value.
        limit: u64,
    },
    /// A field whose value breaks the format.
    #[error("{place} is invalid: {problem}")]
    Malformed {
        /// The field.
        place: Place,
        /// What is wrong with it, as a clause.
        problem: String,
    },
    /// A metadata key that the model needs is absent.
    #[error("the model file has no metadata key `{key}`")]
    MissingKey {
        /// The key.
        key: String,
    },
    /// A metadata key holds another type, or a value outside its range.
    #[error("metadata key `{key}` holds {found} where {expected} is needed")]
    KeyValue {
        /// The key.
        key: String,
        /// What the key must hold.
        expected: String,
        /// What it holds.
        found: String,
    },
    /// `general.architecture` is not one that this engine runs.
    #[error("the model's architecture is `{found}`; this engine runs {supported}")]
    Architecture {
        /// The architecture named by the file.
        found: String,
        /// Those that this engine runs.
        supported: String,
    },
    /// A tensor that the architecture needs is absent.
    #[error("the model file has no tensor `{tensor}`")]
    MissingTensor {
        /// The tensor's name.
        tensor: String,
    },
    /// A tensor's shape does not fit the model's configuration.
    #[error("tensor `{tensor}` has shape {found:?} where {expected:?} is needed")]
    TensorShape {
        /// The tensor's name.
        tensor: String,
        /// Rows and columns that the configuration asks for.
        expected: Vec<u64>,
        /// Rows and columns in the file.
        found: Vec<u64>,
    },
    /// A tensor's type is unknown, or not one that this tensor may have.
    #[error("tensor `{tensor}` has type {dtype}, which is not supported{}", if *.needs_f32 { " there (F32 is needed)" } else { "" })]
    TensorType {
        /// The tensor's name.
        tensor: String,
        /// The type's name, or its number where the name is unknown.
        dtype: String,
        /// True where the tensor must be F32.
        needs_f32: bool,
    },
    /// The parts of a split model do not belong together.
    #[error("the split model is incomplete or mixed: {problem}")]
    Split {
        /// What does not fit, as a clause.
        problem: String,
    },
    /// The vocabulary cannot be used.
    #[error("the model's vocabulary cannot be used: {problem}")]
    Vocabulary {
        /// What is wrong, as a clause.
        problem: String,
    },
    /// `tokenizer.ggml.pre` names a pre-tokenizer that this engine does not know.
    #[error("the pre-tokenizer `{name}` is unknown; known are {known}")]
    PreTokenizer {
        /// The name in the file.
        name: String,
        /// The names that are known, comma-separated.
        known: String,
    },
    /// The chat template does not compile or does not render.
    #[error("the chat template failed: {problem}")]
    ChatTemplate {
        /// The template engine's or the template's own message.
        problem: String,
    },
    /// Tools, or calls of them, where the chat template has none.
    #[error("the model's chat template has no tools, or calls them in a form that is not known")]
    NoTools,
    /// A chat template that was given in place of the file's does not compile or does not render.
    #[error("the given chat template failed: {problem}")]
    OwnChatTemplate {
        /// The template engine's or the template's own message, with the line.
        problem: String,
    },
    /// A token id outside the vocabulary.
    #[error("token {token} is outside the vocabulary of {vocab_size} tokens")]
    TokenRange {
        /// The token id.
        token: u32,
        /// Number of tokens in the vocabulary.
        vocab_size: usize,
    },
    /// The constraint of an answer failed, or allows nothing.
    #[error("the constraint of the answer failed: {problem}")]
    Grammar {
        /// What is wrong with it, in the words of what knows the grammar.
        problem: String,
    },
    /// There is nothing to read: the prompt has no token.
    #[error("the prompt is empty")]
    EmptyPrompt,
    /// An option outside its range.
    #[error("the option `{option}` is {found}; it must be {expected}")]
    InvalidOption {
        /// The option's name.
        option: &'static str,
        /// The value given.
        found: String,
        /// What is accepted.
        expected: &'static str,
    },
    /// An option that the call does not have.
    #[error("there is no option `{option}`{}", suggestion.map_or_else(String::new, |name| format!("; `{name}` may be meant")))]
    UnknownOption {
        /// The name given; of an option within another, with the other's name and a dot before it.
        option: String,
        /// The known name that is most like it, where one is.
        suggestion: Option<&'static str>,
    },
    /// An argument that is not of the documented form.
    #[error("the argument `{argument}` is {found}; it must be {expected}")]
    InvalidArgument {
        /// Which, or which part of it.
        argument: String,
        /// What was given.
        found: String,
        /// What is accepted.
        expected: &'static str,
    },
    /// A message of another part of the engine that this one does not understand.
    #[error("the request is not understood: {problem}")]
    Request {
        /// What does not fit, as the decoder gave it.
        problem: String,
    },
    /// A read from the place where the model is kept failed.
    #[error("reading {length} bytes at byte {offset} of {what} failed: {problem}")]
    Read {
        /// The file, URL or store that was read.
        what: String,
        /// First byte of the range.
        offset: u64,
        /// Length of the range in bytes.
        length: u64,
        /// The cause, as the system gave it.
        problem: String,
    },
    /// No usable GPU.
    #[error("no usable GPU: {problem}")]
    NoGpu {
        /// Why, as a clause.
        problem: String,
    },
    /// The GPU refused or lost something while it ran.
    #[error("the GPU failed: {problem}")]
    Gpu {
        /// The driver's or the API's message.
        problem: String,
    },
    /// The GPU is gone: a driver's reset, sleep, or a browser that wants its memory. The model can be loaded again.
    #[error("the GPU was lost: {problem}")]
    DeviceLost {
        /// What the system says of it.
        problem: String,
    },
    /// The GPU computes other results than the CPU.
    #[error("the GPU {adapter} computes wrongly: {problem}")]
    SelfTest {
        /// The adapter's name.
        adapter: String,
        /// Where it differs from the CPU, as a clause.
        problem: String,
    },
    /// The model does not fit in memory.
    #[error("{what} needs {needed} bytes of memory{}", available.map_or_else(String::new, |n| format!(" and only {n} can be had")))]
    OutOfMemory {
        /// What asks for it, as the subject of a sentence.
        what: String,
        /// Bytes needed.
        needed: u64,
        /// Bytes available, where that is known.
        available: Option<u64>,
    },
    /// One of the workers that run the model failed or is gone.
    #[error("worker {rank} of those that share the model failed: {problem}")]
    Worker {
        /// Which, from 0.
        rank: usize,
        /// Its error, or that it no longer responds.
        problem: String,
    },
    /// What a model computes or remembers, or one of its weights, is infinite or NaN: no token can be sampled from it.
    #[error("{what} is infinite or not a number")]
    NotFinite {
        /// Which number, as the subject of a sentence.
        what: String,
    },
    /// A state made for another model.
    #[error("the state holds {found} numbers where this model needs {expected}")]
    StateShape {
        /// Numbers that the model's state has.
        expected: usize,
        /// Numbers that were given.
        found: usize,
    },
    /// The first bytes are not those of a state file.
    #[error("this is not a saved state: it starts with {found:02x?}")]
    NotState {
        /// The first bytes of the file, eight at most.
        found: Vec<u8>,
    },
    /// A state file of a version that this engine does not know.
    #[error("the saved state has version {version}; this engine reads version {known}")]
    StateVersion {
        /// As read.
        version: u32,
        /// The version that is known.
        known: u32,
    },
    /// A state file that is truncated, was altered, or contradicts itself.
    #[error("the saved state is damaged: {problem}")]
    StateDamaged {
        /// What is wrong with it, as a clause.
        problem: String,
    },
    /// A state that was saved with another model.
    #[error("the state was saved with the model {found}, and this is {expected}")]
    StateModel {
        /// The fingerprint of this model.
        expected: String,
        /// The fingerprint in the state.
        found: String,
    },
    /// A file of a tuned state that cannot be used: of another model, damaged, or with more in it than numbers.
    #[error("this tuned state cannot be used: {problem}")]
    TunedState {
        /// Why, as a clause.
        problem: String,
    },
    /// A text has to be read from its beginning, which is a tuned state whose numbers are not here.
    #[error("this conversation began from the tuned state {beginning}, which is not here")]
    BeginningUnknown {
        /// Its fingerprint.
        beginning: String,
    },
    /// The tokens that led to the model's present state are unknown.
    #[error("the model's present state cannot be saved or continued: {problem}")]
    StateUnknown {
        /// Why, as a clause.
        problem: &'static str,
    },
    /// The model is in use by another call.
    #[error("the model is busy with another request")]
    Busy,
    /// The object was freed.
    #[error("this {what} was freed")]
    Freed {
        /// `model` or `state`.
        what: &'static str,
    },
    /// The caller cancelled the call.
    #[error("the call was cancelled")]
    Cancelled,
}

impl Error {
    /// Whether a device or a worker is lost: once the model is loaded again, its generations go on.
    pub(crate) fn is_loss(&self) -> bool {
        matches!(self, Self::DeviceLost { .. } | Self::Worker { .. })
    }

    /// A stable identifier for programs and for the page's table of sentences.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotGguf { .. } => "not-gguf",
            Self::GgufVersion { .. } => "gguf-version",
            Self::Truncated { .. } => "truncated",
            Self::TooLarge { .. } | Self::Malformed { .. } => "malformed-gguf",
            Self::MissingKey { .. } | Self::KeyValue { .. } => "metadata",
            Self::Architecture { .. } => "architecture",
            Self::MissingTensor { .. } | Self::TensorShape { .. } | Self::TensorType { .. } => "tensor",
            Self::Split { .. } => "split",
            Self::Vocabulary { .. } | Self::PreTokenizer { .. } => "tokenizer",
            Self::ChatTemplate { .. } => "chat-template",
            Self::NoTools => "no-tools",
            Self::OwnChatTemplate { .. } => "own-chat-template",
            Self::TokenRange { .. } => "token-range",
            Self::Grammar { .. } => "grammar",
            Self::EmptyPrompt => "empty-prompt",
            Self::InvalidOption { .. } | Self::UnknownOption { .. } => "invalid-option",
            Self::InvalidArgument { .. } | Self::Request { .. } => "invalid-request",
            Self::Read { .. } => "read",
            Self::NoGpu { .. } => "no-gpu",
            Self::Gpu { .. } => "gpu",
            Self::DeviceLost { .. } => "device-lost",
            Self::SelfTest { .. } => "gpu-wrong",
            Self::OutOfMemory { .. } => "out-of-memory",
            Self::Worker { .. } => "worker",
            Self::NotFinite { .. } => "not-finite",
            Self::StateShape { .. } => "state",
            Self::NotState { .. } => "not-state",
            Self::StateVersion { .. } => "state-version",
            Self::StateDamaged { .. } => "state-damaged",
            Self::StateModel { .. } => "state-model",
            Self::TunedState { .. } => "tuned-state",
            Self::BeginningUnknown { .. } => "state-beginning",
            Self::StateUnknown { .. } => "state-unknown",
            Self::Busy => "busy",
            Self::Freed { .. } => "freed",
            Self::Cancelled => "cancelled",
        }
    }
}
