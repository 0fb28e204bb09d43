//! State files of commands: written beside their place first, read whether compressed or not.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use web_mamba::error::Error;
use web_mamba::snapshot::{Numbers, Snapshot, TunedOrder};

use crate::failure::Failure;

/// More than any model's state, and little enough to hold: a small file must not unpack into all memory.
const MOST_BYTES: u64 = 2 << 30;

/// Where a state goes.
#[derive(Debug, Args)]
pub struct StateOutput {
    /// The file to write.
    #[arg(id = "output", short = 'o', long, value_name = "OUTPUT")]
    pub file: PathBuf,
    /// Do not compress the file.
    #[arg(long)]
    no_gzip: bool,
    /// Write over a file.
    #[arg(long)]
    force: bool,
}

/// What was written.
pub struct Written {
    pub bytes: usize,
    pub unpacked_bytes: usize,
}

impl StateOutput {
    /// Refuses to write over a file that is not to be lost.
    pub fn require_free(&self) -> Result<(), Failure> {
        match self.file.exists() && !self.force {
            true => Err(Failure::Exists { file: self.file.display().to_string() }),
            false => Ok(()),
        }
    }

    pub fn write(&self, snapshot: &Snapshot, numbers: Numbers) -> Result<Written, Failure> {
        let plain = snapshot.to_bytes(numbers)?;
        let bytes = self.packed(&plain).map_err(|error| self.failed(&error))?;
        // Beside its place first: nothing half-written is left where the file is to be.
        let part = self.file.with_extension("part");
        let written = std::fs::write(&part, &bytes).and_then(|()| std::fs::rename(&part, &self.file));
        written.map_err(|error| {
            let _ = std::fs::remove_file(&part);
            self.failed(&error)
        })?;
        Ok(Written { bytes: bytes.len(), unpacked_bytes: plain.len() })
    }

    pub fn describe(&self, Written { bytes, unpacked_bytes }: &Written) -> String {
        format!("{} has {bytes} bytes ({unpacked_bytes} unpacked)", self.file.display())
    }

    fn packed(&self, plain: &[u8]) -> std::io::Result<Vec<u8>> {
        if self.no_gzip {
            return Ok(plain.to_vec());
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain)?;
        encoder.finish()
    }

    fn failed(&self, problem: &std::io::Error) -> Failure {
        Failure::Write { file: self.file.display().to_string(), problem: problem.to_string() }
    }
}

/// [`TunedOrder`], on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum OrderArgument {
    /// A row a value: as training writes it.
    ValueKey,
    /// A row a key: as web-rwkv and Ai00 write it.
    KeyValue,
}

impl From<OrderArgument> for TunedOrder {
    fn from(order: OrderArgument) -> Self {
        match order {
            OrderArgument::ValueKey => Self::ValueKey,
            OrderArgument::KeyValue => Self::KeyValue,
        }
    }
}

/// Reads the bytes of a state file, compressed or not.
pub fn read_state(path: &Path) -> web_mamba::Result<Vec<u8>> {
    let failed = |problem: std::io::Error| Error::Read {
        what: path.display().to_string(),
        offset: 0,
        length: std::fs::metadata(path).map_or(0, |m| m.len()),
        problem: problem.to_string(),
    };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MOST_BYTES).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut unpacked = Vec::new();
        let unpack = GzDecoder::new(bytes.as_slice()).take(MOST_BYTES).read_to_end(&mut unpacked);
        unpack.map_err(|error| Error::StateDamaged { problem: format!("it does not unpack: {error}") })?;
        bytes = unpacked;
    }
    Ok(bytes)
}
