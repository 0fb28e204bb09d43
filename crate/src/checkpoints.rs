//! Snapshots kept during generation, so that a text that begins as an earlier one did is read only from where it differs.

use crate::fingerprint::BeginningHash;
use crate::snapshot::Snapshot;

/// What a checkpoint was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckpointKind {
    /// In the middle of a long prefill: of use until the prompt is read.
    Prefill,
    /// Before the last token of a prompt: to complete it again.
    Prompt,
    /// Where a text ends that other prompts begin with too: see [`GenerateOptions::keep_after`](crate::generate::GenerateOptions).
    Shared,
    /// At the end of a completion: for the next turn.
    Completion,
    /// Given from outside.
    Restored,
}

/// A checkpoint, without its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct CheckpointInfo {
    /// Names it as long as it is kept.
    pub id: u64,
    /// Tokens read.
    pub position: usize,
    /// What it was made for.
    pub kind: CheckpointKind,
}

#[derive(Debug)]
struct Entry {
    info: CheckpointInfo,
    snapshot: Snapshot,
    /// When it was last made or used.
    used: u64,
    /// Not yet listed by [`Checkpoints::take_new`].
    new: bool,
}

impl Entry {
    /// Whether a text begins as this one's did.
    fn begins(&self, beginning: Option<BeginningHash>, tokens: &[u32]) -> bool {
        self.snapshot.beginning == beginning && tokens.starts_with(&self.snapshot.tokens)
    }
}

/// The default memory budget: six states of a 7B model.
const DEFAULT_BUDGET: usize = 256 << 20;

/// The default number of tokens between two checkpoints of a prompt: seconds of prefill on a GPU.
const DEFAULT_INTERVAL: usize = 1024;

/// Checkpoints within a memory budget; the one that was not used for longest goes first.
#[derive(Debug)]
pub struct Checkpoints {
    entries: Vec<Entry>,
    budget: usize,
    interval: usize,
    clock: u64,
}

impl Default for Checkpoints {
    fn default() -> Self {
        Self { entries: Vec::new(), budget: DEFAULT_BUDGET, interval: DEFAULT_INTERVAL, clock: 0 }
    }
}

impl Checkpoints {
    /// Keeps at most `bytes` from now on; 0 keeps none and makes none.
    pub fn set_budget(&mut self, bytes: usize) {
        self.budget = bytes;
        self.evict();
    }

    /// Bytes that may be kept.
    pub fn budget(&self) -> usize {
        self.budget
    }

    /// Sets the number of tokens, at least one, between two checkpoints of a prompt.
    pub fn set_interval(&mut self, tokens: usize) {
        self.interval = tokens.max(1);
    }

    /// Tokens of a prompt between two checkpoints.
    pub fn interval(&self) -> usize {
        self.interval
    }

    /// Bytes that are kept.
    pub fn bytes(&self) -> usize {
        self.entries.iter().map(|entry| entry.snapshot.memory_bytes()).sum()
    }

    /// What is kept.
    pub fn list(&self) -> Vec<CheckpointInfo> {
        self.entries.iter().map(|entry| entry.info).collect()
    }

    /// What was made since the last call, and is kept. What was restored from outside is known there.
    pub fn take_new(&mut self) -> Vec<CheckpointInfo> {
        let new = self.entries.iter_mut().filter_map(|entry| std::mem::take(&mut entry.new).then_some(entry.info));
        new.filter(|info| info.kind != CheckpointKind::Restored).collect()
    }

    /// A checkpoint's snapshot.
    pub fn get(&self, id: u64) -> Option<&Snapshot> {
        self.entries.iter().find(|entry| entry.info.id == id).map(|entry| &entry.snapshot)
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// The state of this beginning, where one is kept.
    pub fn beginning(&mut self, beginning: BeginningHash) -> Option<&Snapshot> {
        self.clock += 1;
        let is = |entry: &&mut Entry| entry.info.position == 0 && entry.snapshot.beginning == Some(beginning);
        let entry = self.entries.iter_mut().find(is)?;
        entry.used = self.clock;
        Some(&entry.snapshot)
    }

    /// The longest checkpoint of at most `most` tokens that `tokens` begins with, made from this beginning.
    pub fn longest(&mut self, beginning: Option<BeginningHash>, tokens: &[u32], most: usize) -> Option<&Snapshot> {
        self.clock += 1;
        let clock = self.clock;
        let known = |entry: &&mut Entry| entry.begins(beginning, tokens) && entry.info.position <= most;
        let longest = self.entries.iter_mut().filter(known).max_by_key(|entry| entry.info.position)?;
        longest.used = clock;
        Some(&longest.snapshot)
    }

    /// How long [`Checkpoints::longest`] is; nothing counts as used.
    pub fn known(&self, beginning: Option<BeginningHash>, tokens: &[u32], most: usize) -> usize {
        let known = |entry: &&Entry| entry.begins(beginning, tokens) && entry.info.position <= most;
        self.entries.iter().filter(known).map(|entry| entry.info.position).max().unwrap_or(0)
    }

    /// Whether exactly these tokens have a checkpoint that stays at least as long as one of this kind.
    pub fn has(&self, beginning: Option<BeginningHash>, tokens: &[u32], kind: CheckpointKind) -> bool {
        let stays = |old| old != CheckpointKind::Prefill || kind == CheckpointKind::Prefill;
        let is = |entry: &Entry| entry.begins(beginning, tokens) && entry.info.position == tokens.len();
        self.entries.iter().any(|entry| stays(entry.info.kind) && is(entry))
    }

    /// Keeps a snapshot, in place of one of the same beginning and tokens and, while a prompt is read, of the one before in that prompt.
    pub fn add(&mut self, snapshot: Snapshot, kind: CheckpointKind) {
        let replaced = |old: &Entry| {
            let is_whole = old.info.position == snapshot.position();
            (is_whole || old.info.kind == CheckpointKind::Prefill) && old.begins(snapshot.beginning, &snapshot.tokens)
        };
        self.entries.retain(|old| !replaced(old));
        self.clock += 1;
        let info = CheckpointInfo { id: self.clock, position: snapshot.position(), kind };
        self.entries.push(Entry { info, snapshot, used: self.clock, new: true });
        self.evict();
    }

    fn evict(&mut self) {
        while self.bytes() > self.budget {
            let Some(oldest) = (0..self.entries.len()).min_by_key(|&i| self.entries[i].used) else { return };
            self.entries.swap_remove(oldest);
        }
    }
}
