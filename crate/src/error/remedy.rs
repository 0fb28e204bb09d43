//! What a person can do about each error.

use super::Error;

/// The families of models that this engine runs: the only place where a sentence of the crate has their names. `FAMILIES` of
/// `web/engine/src/base/messages.ts` is the same for a page.
macro_rules! families {
    () => {
        "Mamba, Falcon-Mamba or RWKV-7"
    };
}

impl Error {
    /// One sentence that says what a person can do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NotGguf { .. } => {
                "Choose a file whose name ends in .gguf, or check that the address does not lead to a web page."
            }
            Self::GgufVersion { .. } => "Convert the model again with a current llama.cpp converter.",
            Self::Truncated { .. } => "Download the file again; the copy is incomplete.",
            Self::TooLarge { .. } | Self::Malformed { .. } => {
                "Download the file again; if it fails the same way, the file itself is broken."
            }
            Self::MissingKey { .. } | Self::KeyValue { .. } | Self::MissingTensor { .. } | Self::TensorShape { .. } => {
                concat!("Use a file made by llama.cpp's converter from a ", families!(), " model.")
            }
            Self::TensorType { .. } => "Use a file quantised to one of the types that README.md lists.",
            Self::Architecture { .. } => concat!("Choose a ", families!(), " model."),
            Self::Split { .. } => "Provide every part of the set, all from the same release.",
            Self::Vocabulary { .. } | Self::PreTokenizer { .. } => {
                "Use a file with a byte-level BPE or RWKV World vocabulary, converted by a current llama.cpp."
            }
            Self::ChatTemplate { .. } => "Pass a plain prompt, or a template of your own.",
            Self::NoTools => {
                "Leave tools and calls of them out, or choose a model whose chat template calls tools as Hermes and Qwen, Llama 3 or Mistral do."
            }
            Self::OwnChatTemplate { .. } => {
                "Correct the template in the line that the message names, or leave the option out: then the file's holds."
            }
            Self::TokenRange { .. } => "Pass ids made by this model's own tokenizer.",
            Self::Grammar { .. } => {
                "Change the schema, the expression or the grammar: the message says what cannot be done with it."
            }
            Self::EmptyPrompt => "Write something first.",
            Self::InvalidOption { .. } | Self::UnknownOption { .. } => "Correct the option and try again.",
            Self::InvalidArgument { .. } | Self::Request { .. } => {
                "Compare the call with the types that the package declares."
            }
            Self::Read { .. } => "Check that the file or the network is reachable and try again.",
            Self::NoGpu { .. } => "Update the browser and the graphics driver, or let the model run on the CPU.",
            Self::Gpu { .. } => "Reload the page; if it happens again, choose the CPU or a smaller model.",
            Self::DeviceLost { .. } => "Load the model again: the answer goes on from the last checkpoint.",
            Self::SelfTest { .. } => "Update the graphics driver and the browser, or let the model run on the CPU.",
            Self::OutOfMemory { .. } => "Close other tabs and programs, or choose a smaller model or quantisation.",
            Self::Worker { .. } => {
                "Load the model again; if it happens again, choose a smaller one or close other tabs."
            }
            Self::NotFinite { .. } => {
                "Ask anew; if it happens again, the model's file is damaged: download it again, or choose another model."
            }
            Self::StateShape { .. } | Self::StateModel { .. } => {
                "Open the model that the state was saved with, or use a state of this very model."
            }
            Self::NotState { .. } => {
                "Choose a file that was saved as a state, or check that the address does not lead to a web page."
            }
            Self::StateVersion { .. } => {
                "Reload the page or update the tool, or save the state again with this version."
            }
            Self::StateDamaged { .. } => "Get the state file again; this copy is not what was saved.",
            Self::TunedState { .. } => {
                "Use a state that was tuned for this very size of RWKV-7, as .pth, .safetensors or .st, and get the file again if it may be damaged."
            }
            Self::BeginningUnknown { .. } => "Open the file of that tuned state first, or begin a new conversation.",
            Self::StateUnknown { .. } => "Generate something first, and save the state after that.",
            Self::Busy => "Wait for the running answer to end, or stop it.",
            Self::Freed { .. } => "Load the model or read the state again, and free it after its last call.",
            Self::Cancelled => "Call again.",
        }
    }
}
