//! The module's JavaScript interface.

use wasm_bindgen::prelude::*;

use super::{Form, Grammars, TokenMatcher, Vocabulary};

/// Forms of answers over one vocabulary.
#[wasm_bindgen(js_name = Grammars)]
pub struct JsGrammars(Grammars);

#[wasm_bindgen(js_class = Grammars)]
impl JsGrammars {
    /// Of the table that `Model.tokenTable` gives.
    #[wasm_bindgen(constructor)]
    pub fn new(table: &[u8]) -> Result<Self, JsError> {
        Vocabulary::from_table(table).and_then(|vocabulary| Grammars::new(&vocabulary)).map(Self).map_err(error)
    }

    /// A matcher at its beginning. It throws where the form cannot be followed; its message says why.
    pub fn matcher(
        &self,
        #[wasm_bindgen(unchecked_param_type = "'jsonSchema' | 'regex' | 'grammar'")] kind: &str,
        text: &str,
    ) -> Result<JsMatcher, JsError> {
        let form = match kind {
            "jsonSchema" => Form::JsonSchema(text),
            "regex" => Form::Regex(text),
            _ => Form::Lark(text),
        };
        self.0.matcher(form).map(|matcher| JsMatcher { matcher, may_end: false }).map_err(error)
    }
}

/// An answer that follows a form: what `Model.generate` takes as a constraint.
#[wasm_bindgen(js_name = Matcher)]
pub struct JsMatcher {
    matcher: TokenMatcher,
    may_end: bool,
}

#[wasm_bindgen(js_class = Matcher)]
impl JsMatcher {
    /// The tokens that may come next, a bit each.
    pub fn mask(&mut self) -> Result<Vec<u32>, JsError> {
        let mask = self.matcher.allowed().map_err(error)?;
        self.may_end = mask.may_end;
        Ok(mask.words)
    }

    /// Whether the answer may end where the last mask was asked for.
    #[wasm_bindgen(js_name = mayEnd)]
    pub fn may_end(&self) -> bool {
        self.may_end
    }

    /// Goes on after a token.
    pub fn take(&mut self, token: u32) -> Result<(), JsError> {
        self.matcher.take(token).map_err(error)
    }

    /// One at the same place, which goes on by itself.
    pub fn fork(&self) -> Self {
        Self { matcher: self.matcher.clone(), may_end: self.may_end }
    }
}

fn error(problem: String) -> JsError {
    JsError::new(&problem)
}
