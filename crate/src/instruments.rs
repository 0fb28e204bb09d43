//! Measurements of an executor's device.

use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use serde::Serialize;

use crate::error::Result;

/// Work before the first measurement.
pub const WARM_UP: Duration = Duration::from_millis(500);

/// Work before each further one, while little time has passed.
pub const SHORT_WARM_UP: Duration = Duration::from_millis(150);

/// Measurements of an executor's device.
pub trait Instruments {
    /// Dispatches of one decoded token, head included.
    fn dispatches_per_token(&self) -> usize;

    /// True where the device times its own kernels. Without that, times include submitting and waiting.
    fn has_timestamps(&self) -> bool;

    /// The device's memory bandwidth, in bytes per second.
    ///
    /// # Errors
    /// [`crate::Error::Gpu`] or [`crate::Error::OutOfMemory`].
    fn read_bandwidth(&self) -> LocalBoxFuture<'_, Result<f64>>;

    /// The times of the stages of a chunk of `tokens` tokens.
    ///
    /// # Errors
    /// [`crate::Error::Gpu`] where the device fails.
    fn stage_times(&self, tokens: usize) -> LocalBoxFuture<'_, Result<Vec<StageTime>>>;

    /// The time of all stages of a chunk of `tokens` tokens, one after the other as a chunk runs them: more than the sum of
    /// [`Instruments::stage_times`] where stages of one kind profit from each other.
    ///
    /// # Errors
    /// [`crate::Error::Gpu`] where the device fails.
    fn chunk_time(&self, tokens: usize) -> LocalBoxFuture<'_, Result<Duration>>;
}

/// The time of one kind of stage in all layers together.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StageTime {
    /// The steps that it joins, such as `ssm_in Q4_K + conv`.
    pub name: String,
    /// The kernel that runs them.
    pub kernel: &'static str,
    /// How many there are.
    pub stages: usize,
    /// Of all together.
    pub milliseconds: f64,
    /// Bytes of weights that all together read.
    pub bytes: u64,
}

/// The median of some values, which it sorts; 0 without any.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n.is_multiple_of(2) => (values[n / 2 - 1] + values[n / 2]) / 2.0,
        n => values[n / 2],
    }
}
