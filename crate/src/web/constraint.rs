//! A page's constraint of an answer, as the engine asks it.

use js_sys::{Function, Uint32Array};
use wasm_bindgen::prelude::*;

use super::arguments::{FromJs, Misfit, message_of, property};
use crate::constraint::{Allowed, Constraint, TokenMask};
use crate::engine::Model;
use crate::error::{Error, Result};
use crate::generate::Generation;

#[wasm_bindgen]
extern "C" {
    /// An object that was checked.
    #[derive(Debug, Clone)]
    type JsConstraint;
    #[wasm_bindgen(method, catch)]
    fn mask(this: &JsConstraint) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch, js_name = mayEnd)]
    fn may_end(this: &JsConstraint) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn take(this: &JsConstraint, token: u32) -> Result<(), JsValue>;
}

/// The option `constraint` of a generation.
pub struct PageConstraint {
    make: Function,
    written: usize,
}

impl FromJs for PageConstraint {
    const EXPECTED: &'static str = "an object with make(index), and written";

    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        if !value.is_object() {
            return Err(Misfit::of::<Self>(value));
        }
        let make = property::<Function>(value, "make").map_err(|misfit| misfit.within(".make"))?;
        let written = property::<usize>(value, "written").map_err(|misfit| misfit.within(".written"))?;
        Ok(Self { make: make.ok_or_else(|| Misfit::of::<Self>(value))?, written: written.unwrap_or(0) })
    }
}

impl PageConstraint {
    /// Constrains each of so many completions by an object of its own.
    pub fn apply(&self, model: &Model, generation: &mut Generation, completions: usize) -> Result<()> {
        for index in 0..completions {
            let made =
                self.make.call1(&JsValue::UNDEFINED, &(index as u32).into()).map_err(|thrown| problem(&thrown))?;
            if !made.is_object() {
                return Err(Error::Grammar { problem: "`make` gave no object with mask, mayEnd and take".into() });
            }
            generation.constrain(model, index, Box::new(Page(made.unchecked_into())), self.written)?;
        }
        Ok(())
    }
}

struct Page(JsConstraint);

impl Constraint for Page {
    fn allowed(&mut self) -> Result<Allowed> {
        let mask = self.0.mask().map_err(|thrown| problem(&thrown))?;
        let Ok(words) = mask.dyn_into::<Uint32Array>() else {
            return Err(Error::Grammar { problem: "its mask is no Uint32Array".into() });
        };
        let may_end = self.0.may_end().map_err(|thrown| problem(&thrown))?.is_truthy();
        Ok(Allowed { tokens: TokenMask::new(words.to_vec()), may_end })
    }

    fn take(&mut self, token: u32) -> Result<()> {
        self.0.take(token).map_err(|thrown| problem(&thrown))
    }
}

fn problem(thrown: &JsValue) -> Error {
    Error::Grammar { problem: message_of(thrown) }
}
