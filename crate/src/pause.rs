//! What a long call asks between two of its steps: whether it goes on, and when.

use futures_util::future::{LocalBoxFuture, ready};

use crate::error::Result;

/// Asked between two tokens, or two chunks of them.
pub trait Pause {
    /// Resolves when the call goes on. Others may run meanwhile, so nothing is promised of the time that it takes.
    ///
    /// # Errors
    /// [`Error::Cancelled`](crate::Error::Cancelled) where the call is to end.
    fn pause(&mut self) -> LocalBoxFuture<'_, Result<()>>;
}

/// Goes on at once.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPause;

impl Pause for NoPause {
    fn pause(&mut self) -> LocalBoxFuture<'_, Result<()>> {
        Box::pin(ready(Ok(())))
    }
}
