//! Who has the model: one call at a time, and one answer from its first event to its last.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::rc::{Rc, Weak};

use futures_channel::oneshot;

use crate::error::{Error, Result};

/// Something that one call at a time has, also across an await. A second call is told that it is busy, and the first goes on.
pub struct Slot<T>(Rc<RefCell<Inner<T>>>);

struct Inner<T> {
    place: Place<T>,
    /// Alive while an answer is under way.
    answer: Weak<Answering>,
    /// Steps of that answer which wait for a call between them to end.
    waiting: Vec<oneshot::Sender<()>>,
}

enum Place<T> {
    Here(T),
    Taken,
    Freed,
}

/// An answer under way: as long as it lives, it alone moves the model's state.
pub struct Answering;

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T> Slot<T> {
    pub fn new(value: T) -> Self {
        Self::at(Place::Here(value))
    }

    /// One that nothing was ever in.
    pub fn freed() -> Self {
        Self::at(Place::Freed)
    }

    fn at(place: Place<T>) -> Self {
        Self(Rc::new(RefCell::new(Inner { place, answer: Weak::new(), waiting: Vec::new() })))
    }

    /// Takes it for a call that moves the state, or uses up what an answer needs.
    ///
    /// # Errors
    /// [`Error::Busy`] where another call has it, or an answer is under way; [`Error::Freed`].
    pub fn take(&self) -> Result<Taken<T>> {
        self.check()?;
        if self.0.borrow().answer.strong_count() > 0 {
            return Err(Error::Busy);
        }
        self.take_between()
    }

    /// Takes it for a call that leaves the state as it is: between two events of an answer it is welcome too.
    ///
    /// # Errors
    /// [`Error::Busy`] where another call has it; [`Error::Freed`].
    pub fn take_between(&self) -> Result<Taken<T>> {
        let mut inner = self.0.borrow_mut();
        match std::mem::replace(&mut inner.place, Place::Taken) {
            Place::Here(value) => Ok(Taken { value: Some(value), slot: self.clone() }),
            Place::Taken => Err(Error::Busy),
            Place::Freed => {
                inner.place = Place::Freed;
                Err(FREED)
            }
        }
    }

    /// Begins an answer.
    ///
    /// # Errors
    /// As of [`Slot::take`].
    pub fn begin_answer(&self) -> Result<Rc<Answering>> {
        let mut inner = self.0.borrow_mut();
        match inner.place {
            Place::Here(_) if inner.answer.strong_count() == 0 => {
                let answering = Rc::new(Answering);
                inner.answer = Rc::downgrade(&answering);
                Ok(answering)
            }
            Place::Freed => Err(FREED),
            _ => Err(Error::Busy),
        }
    }

    /// Takes it for the next step of the answer under way, once a call between two steps has ended.
    ///
    /// # Errors
    /// [`Error::Freed`].
    pub async fn take_for_answer(&self) -> Result<Taken<T>> {
        loop {
            match self.take_between() {
                Err(Error::Busy) => {
                    let (sender, receiver) = oneshot::channel();
                    self.0.borrow_mut().waiting.push(sender);
                    // Dropped with the slot, it ends the wait all the same.
                    let _ = receiver.await;
                }
                taken => return taken,
            }
        }
    }

    /// # Errors
    /// [`Error::Freed`].
    pub fn check(&self) -> Result<()> {
        if matches!(self.0.borrow().place, Place::Freed) { Err(FREED) } else { Ok(()) }
    }

    /// Looks at it.
    ///
    /// # Errors
    /// [`Error::Busy`] while a call has it; [`Error::Freed`].
    pub fn with<R>(&self, f: impl FnOnce(&T) -> Result<R>) -> Result<R> {
        self.with_mut(|value| f(value))
    }

    /// # Errors
    /// As of [`Slot::with`].
    pub fn with_mut<R>(&self, f: impl FnOnce(&mut T) -> Result<R>) -> Result<R> {
        match &mut self.0.borrow_mut().place {
            Place::Here(value) => f(value),
            Place::Taken => Err(Error::Busy),
            Place::Freed => Err(FREED),
        }
    }

    /// Lets go of it, at the latest when the call that has it ends.
    pub fn free(&self) {
        let place = std::mem::replace(&mut self.0.borrow_mut().place, Place::Freed);
        drop(place);
    }

    fn put(&self, value: T) {
        let mut inner = self.0.borrow_mut();
        // Freed meanwhile, it goes with this call.
        if matches!(inner.place, Place::Taken) {
            inner.place = Place::Here(value);
        }
        for waiting in inner.waiting.drain(..) {
            // Whoever no longer waits need not know.
            let _ = waiting.send(());
        }
    }
}

const FREED: Error = Error::Freed { what: "model" };

/// What a call has until this is dropped.
pub struct Taken<T> {
    /// None only while it is put back.
    value: Option<T>,
    slot: Slot<T>,
}

impl<T> Deref for Taken<T> {
    type Target = T;

    fn deref(&self) -> &T {
        let Some(value) = &self.value else { unreachable!("it is put back only when this is dropped") };
        value
    }
}

impl<T> DerefMut for Taken<T> {
    fn deref_mut(&mut self) -> &mut T {
        let Some(value) = &mut self.value else { unreachable!("it is put back only when this is dropped") };
        value
    }
}

impl<T> Drop for Taken<T> {
    fn drop(&mut self) {
        if let Some(value) = self.value.take() {
            self.slot.put(value);
        }
    }
}
