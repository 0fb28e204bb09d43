//! Exclusive access to the model: one call at a time, and one generation from its first event to its last.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::rc::{Rc, Weak};

use futures_channel::oneshot;

use crate::error::{Error, Result};

/// A value that one call at a time holds, also across an await. A second call fails with [`Error::Busy`]; the first goes on.
pub struct Exclusive<T>(Rc<RefCell<Inner<T>>>);

struct Inner<T> {
    content: Content<T>,
    /// Alive while a generation runs.
    generation: Weak<GenerationHold>,
    /// Steps of that generation which wait for a call between them to end.
    waiting: Vec<oneshot::Sender<()>>,
}

enum Content<T> {
    Present(T),
    Taken,
    Freed,
}

/// A running generation: while this lives, only the generation changes the model's state.
pub struct GenerationHold;

impl<T> Clone for Exclusive<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T> Exclusive<T> {
    pub fn new(value: T) -> Self {
        Self::at(Content::Present(value))
    }

    /// One that never held a value.
    pub fn freed() -> Self {
        Self::at(Content::Freed)
    }

    fn at(content: Content<T>) -> Self {
        Self(Rc::new(RefCell::new(Inner { content, generation: Weak::new(), waiting: Vec::new() })))
    }

    /// Takes the value for a call that changes the state, or frees what a generation needs.
    ///
    /// # Errors
    /// [`Error::Busy`] where another call holds it, or a generation runs; [`Error::Freed`].
    pub fn take(&self) -> Result<ExclusiveGuard<T>> {
        self.check()?;
        if self.0.borrow().generation.strong_count() > 0 {
            return Err(Error::Busy);
        }
        self.take_between_steps()
    }

    /// Takes the value for a call that leaves the state as it is: also between two steps of a generation.
    ///
    /// # Errors
    /// [`Error::Busy`] where another call holds it; [`Error::Freed`].
    pub fn take_between_steps(&self) -> Result<ExclusiveGuard<T>> {
        let mut inner = self.0.borrow_mut();
        match std::mem::replace(&mut inner.content, Content::Taken) {
            Content::Present(value) => Ok(ExclusiveGuard { value: Some(value), exclusive: self.clone() }),
            Content::Taken => Err(Error::Busy),
            Content::Freed => {
                inner.content = Content::Freed;
                Err(FREED)
            }
        }
    }

    /// Begins a generation.
    ///
    /// # Errors
    /// As of [`Exclusive::take`].
    pub fn begin_generation(&self) -> Result<Rc<GenerationHold>> {
        let mut inner = self.0.borrow_mut();
        match inner.content {
            Content::Present(_) if inner.generation.strong_count() == 0 => {
                let hold = Rc::new(GenerationHold);
                inner.generation = Rc::downgrade(&hold);
                Ok(hold)
            }
            Content::Freed => Err(FREED),
            _ => Err(Error::Busy),
        }
    }

    /// Takes the value for the next step of the running generation, once a call between two steps has ended.
    ///
    /// # Errors
    /// [`Error::Freed`].
    pub async fn take_for_generation(&self) -> Result<ExclusiveGuard<T>> {
        loop {
            match self.take_between_steps() {
                Err(Error::Busy) => {
                    let (sender, receiver) = oneshot::channel();
                    self.0.borrow_mut().waiting.push(sender);
                    // The sender dropped with the value ends the wait as well.
                    let _ = receiver.await;
                }
                taken => return taken,
            }
        }
    }

    /// # Errors
    /// [`Error::Freed`].
    pub fn check(&self) -> Result<()> {
        if matches!(self.0.borrow().content, Content::Freed) { Err(FREED) } else { Ok(()) }
    }

    /// Calls `f` with the value.
    ///
    /// # Errors
    /// [`Error::Busy`] while a call holds it; [`Error::Freed`].
    pub fn with<R>(&self, f: impl FnOnce(&T) -> Result<R>) -> Result<R> {
        self.with_mut(|value| f(value))
    }

    /// # Errors
    /// As of [`Exclusive::with`].
    pub fn with_mut<R>(&self, f: impl FnOnce(&mut T) -> Result<R>) -> Result<R> {
        match &mut self.0.borrow_mut().content {
            Content::Present(value) => f(value),
            Content::Taken => Err(Error::Busy),
            Content::Freed => Err(FREED),
        }
    }

    /// Drops the value, at the latest when the call that holds it ends.
    pub fn free(&self) {
        let content = std::mem::replace(&mut self.0.borrow_mut().content, Content::Freed);
        drop(content);
    }

    fn put_back(&self, value: T) {
        let mut inner = self.0.borrow_mut();
        // Where it was freed meanwhile, the value is dropped here.
        if matches!(inner.content, Content::Taken) {
            inner.content = Content::Present(value);
        }
        for waiting in inner.waiting.drain(..) {
            // A step that no longer waits has dropped its receiver.
            let _ = waiting.send(());
        }
    }
}

const FREED: Error = Error::Freed { what: "model" };

/// A call's hold on the value, until this is dropped.
pub struct ExclusiveGuard<T> {
    /// None only while it is put back.
    value: Option<T>,
    exclusive: Exclusive<T>,
}

impl<T> Deref for ExclusiveGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        let Some(value) = &self.value else { unreachable!("it is put back only when this is dropped") };
        value
    }
}

impl<T> DerefMut for ExclusiveGuard<T> {
    fn deref_mut(&mut self) -> &mut T {
        let Some(value) = &mut self.value else { unreachable!("it is put back only when this is dropped") };
        value
    }
}

impl<T> Drop for ExclusiveGuard<T> {
    fn drop(&mut self) {
        if let Some(value) = self.value.take() {
            self.exclusive.put_back(value);
        }
    }
}
