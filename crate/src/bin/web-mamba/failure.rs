//! What ends a command: the engine's errors, and what only the tool can meet, since the library writes no files.

use web_mamba::error::Error;

#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Engine(#[from] Error),
    #[error("writing {file} failed: {problem}")]
    Write { file: String, problem: String },
    #[error("{file} is there already")]
    Exists { file: String },
}

impl Failure {
    /// One sentence that says what a person can do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Engine(error) => error.remedy(),
            Self::Write { .. } => "Free some room on the disk, or choose a place that can be written.",
            Self::Exists { .. } => "Choose another name, or pass --force to write over a file.",
        }
    }
}
