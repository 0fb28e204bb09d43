//! A pause between two steps of a long call, in which it may end.

use futures_util::future::{LocalBoxFuture, ready};

use crate::error::Result;

/// Awaited between two tokens, or two chunks of them.
pub trait Pause {
    /// Resolves when the call may continue. Other work may run meanwhile; the time that it takes is unspecified.
    ///
    /// # Errors
    /// [`Error::Cancelled`](crate::Error::Cancelled) where the call is to end.
    fn pause(&mut self) -> LocalBoxFuture<'_, Result<()>>;
}

/// Continues at once.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPause;

impl Pause for NoPause {
    fn pause(&mut self) -> LocalBoxFuture<'_, Result<()>> {
        Box::pin(ready(Ok(())))
    }
}
