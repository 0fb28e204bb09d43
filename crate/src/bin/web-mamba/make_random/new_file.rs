//! A file that has its name only once it is whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Writes beside `target`, under its name with `.partial` after it. What a run that was cut off left there, the next one
/// writes over; a run that fails takes it away.
pub struct NewFile {
    target: PathBuf,
    partial: PathBuf,
    file: File,
    is_finished: bool,
}

impl NewFile {
    /// Refuses a target that is there already, unless `force` and it is a file.
    pub fn create(target: &Path, force: bool) -> Result<Self, Failure> {
        let exists = || Failure::Exists { file: target.display().to_string() };
        let there = fs::metadata(target).ok();
        if there.is_some_and(|there| !force || !there.is_file()) {
            return Err(exists());
        }
        let mut partial = target.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let file = File::create(&partial).map_err(|problem| failed(target, &problem))?;
        Ok(Self { target: target.to_owned(), partial, file, is_finished: false })
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file.write_all(bytes).map_err(|problem| failed(&self.target, &problem))
    }

    /// Makes it `length` bytes long with zeros, which file systems need not store.
    pub fn extend_to(&mut self, length: u64) -> Result<(), Failure> {
        self.file.set_len(length).map_err(|problem| failed(&self.target, &problem))
    }

    /// Gives the file its name.
    pub fn finish(mut self) -> Result<(), Failure> {
        fs::rename(&self.partial, &self.target).map_err(|problem| failed(&self.target, &problem))?;
        self.is_finished = true;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_finished {
            // The error that ended the run is the one to tell.
            let _ = fs::remove_file(&self.partial);
        }
    }
}

fn failed(target: &Path, problem: &io::Error) -> Failure {
    Failure::Write { file: target.display().to_string(), problem: problem.to_string() }
}
