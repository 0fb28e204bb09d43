//! The arguments of a call: the only conversion of JavaScript's values to the engine's. A value that does not fit is an error that
//! names the argument or the option, what was given and what is accepted.

use js_sys::{Array, Float64Array, Function, Reflect, Uint8Array, Uint32Array};
use wasm_bindgen::prelude::*;

use crate::engine::{BackendChoice, Pooling};
use crate::error::{Error, Result};
use crate::executor::Activations;
use crate::fingerprint::BeginningHash;
use crate::generate::Prompt;
use crate::snapshot::{Numbers, TunedOrder};
use crate::tokenizer::{ChatMessage, ChatOptions, Thinking, ToolCall, Tools};

#[wasm_bindgen(module = "/src/web/values.js")]
extern "C" {
    pub fn described(value: &JsValue) -> String;
    /// The message of a thrown value.
    #[wasm_bindgen(js_name = messageOf)]
    pub fn message_of(thrown: &JsValue) -> String;
    #[wasm_bindgen(js_name = isArray)]
    pub fn is_array(value: &JsValue) -> bool;
    #[wasm_bindgen(js_name = isBytes)]
    pub fn is_bytes(value: &JsValue) -> bool;
    #[wasm_bindgen(js_name = isOptions)]
    fn is_options(value: &JsValue) -> bool;
    #[wasm_bindgen(catch, js_name = givenNames)]
    fn given_names(options: &JsValue) -> Result<Array, JsValue>;
    #[wasm_bindgen(js_name = numbersById)]
    fn numbers_by_id(value: &JsValue) -> Option<Float64Array>;
    #[wasm_bindgen(js_name = tokenIds)]
    fn token_ids(value: &JsValue) -> JsValue;
}

/// What does not fit in a value, and where in it.
#[derive(Debug)]
pub struct Misfit {
    /// Within the value, such as `[2].content`; empty for all of it.
    pub place: String,
    pub found: String,
    pub expected: &'static str,
}

impl Misfit {
    pub fn of<T: FromJs>(value: &JsValue) -> Self {
        Self { place: String::new(), found: described(value), expected: T::EXPECTED }
    }

    pub fn within(self, place: &str) -> Self {
        Self { place: format!("{place}{}", self.place), ..self }
    }
}

/// What can be made from a value.
pub trait FromJs: Sized {
    /// What is accepted.
    const EXPECTED: &'static str;

    fn from_js(value: &JsValue) -> Result<Self, Misfit>;
}

/// An argument that must be there.
pub fn argument<T: FromJs>(name: &str, value: &JsValue) -> Result<T> {
    T::from_js(value).map_err(|misfit| {
        let Misfit { place, found, expected } = misfit;
        Error::InvalidArgument { argument: format!("{name}{place}"), found, expected }
    })
}

/// An argument that may be left out.
pub fn optional_argument<T: FromJs>(name: &str, value: &JsValue) -> Result<Option<T>> {
    if is_absent(value) { Ok(None) } else { argument(name, value).map(Some) }
}

fn is_absent(value: &JsValue) -> bool {
    value.is_undefined() || value.is_null()
}

/// A property that may be left out.
pub fn property<T: FromJs>(object: &JsValue, name: &str) -> Result<Option<T>, Misfit> {
    let value = Reflect::get(object, &name.into()).map_err(|thrown| Misfit {
        place: String::new(),
        found: format!("not readable ({})", message_of(&thrown)),
        expected: T::EXPECTED,
    });
    value.and_then(|value| if is_absent(&value) { Ok(None) } else { T::from_js(&value).map(Some) })
}

/// The options of a call. Each is taken by its name; an option that is left over is an error.
pub struct Options {
    /// Undefined where there are none.
    object: JsValue,
    /// Names that were asked for.
    known: Vec<&'static str>,
    /// The option that they are within; empty for those of a call.
    path: &'static str,
}

impl Options {
    /// What a call was given as its last argument.
    pub fn of_call(value: &JsValue) -> Result<Self> {
        let object = optional_argument::<Object>("options", value)?;
        Ok(Self { object: object.map_or(JsValue::UNDEFINED, |object| object.0), known: Vec::new(), path: "" })
    }

    /// Options within an option. Their names have the option's name and a dot before them.
    pub fn nested(&mut self, name: &'static str) -> Result<Self> {
        let object = self.take::<Object>(name)?.map_or(JsValue::UNDEFINED, |object| object.0);
        Ok(Self { object, known: Vec::new(), path: name })
    }

    /// An option, where it is given.
    pub fn take<T: FromJs>(&mut self, name: &'static str) -> Result<Option<T>> {
        self.known.push(name);
        if self.object.is_undefined() {
            return Ok(None);
        }
        let key = name.rsplit('.').next().unwrap_or(name);
        property(&self.object, key).map_err(|Misfit { place, found, expected }| {
            let found = if place.is_empty() { found } else { format!("{found} at {place}") };
            Error::InvalidOption { option: name, found, expected }
        })
    }

    /// Refuses what the page gave and the call does not have.
    pub fn finish(self) -> Result<()> {
        if self.object.is_undefined() {
            return Ok(());
        }
        let problem = |thrown: JsValue| Error::InvalidArgument {
            argument: if self.path.is_empty() { "options" } else { self.path }.into(),
            found: format!("not readable ({})", message_of(&thrown)),
            expected: Object::EXPECTED,
        };
        let names = given_names(&self.object).map_err(problem)?;
        let names = names.iter().filter_map(|name| name.as_string());
        let named = |name: String| if self.path.is_empty() { name } else { format!("{}.{name}", self.path) };
        match names.map(named).find(|name| !self.known.contains(&name.as_str())) {
            Some(unknown) => Err(Error::unknown_option(&unknown, &self.known)),
            None => Ok(()),
        }
    }
}

/// An object that options are read from.
struct Object(JsValue);

impl FromJs for Object {
    const EXPECTED: &'static str = "an object of options";

    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        if is_options(value) { Ok(Self(value.clone())) } else { Err(Misfit::of::<Self>(value)) }
    }
}

/// Types of which a value either is one or is not.
macro_rules! from_js {
    ($($type:ty, $expected:literal, $from:expr;)*) => {$(
        impl FromJs for $type {
            const EXPECTED: &'static str = $expected;

            fn from_js(value: &JsValue) -> Result<Self, Misfit> {
                let from: fn(&JsValue) -> Option<Self> = $from;
                from(value).ok_or_else(|| Misfit::of::<Self>(value))
            }
        }
    )*};
}

from_js! {
    bool, "true or false", JsValue::as_bool;
    String, "a text", JsValue::as_string;
    f32, "a finite number", |value| value.as_f64().map(|number| number as f32).filter(|number| number.is_finite());
    usize, "a whole number from 0 to 4294967295", |value| whole(value, f64::from(u32::MAX)).map(|number| number as usize);
    u64, "a whole number from 0 to 9007199254740991, or a bigint below 2^64",
        |value| whole(value, MOST_EXACT).or_else(|| u64::try_from(value.clone()).ok().filter(|_| value.is_bigint()));
    Whole, "a whole number from 0 to 9007199254740991", |value| whole(value, MOST_EXACT).map(Self);
    Function, "a function", |value| value.dyn_ref::<Function>().cloned();
    Uint8Array, "a Uint8Array", |value| is_bytes(value).then(|| value.clone().unchecked_into());
    BackendChoice, "'auto', 'webgpu' or 'cpu'", |value| match value.as_string()?.as_str() {
        "auto" => Some(Self::Auto),
        "webgpu" | "gpu" => Some(Self::WebGpu),
        "cpu" => Some(Self::Cpu),
        _ => None,
    };
    Activations, "'f32' or 'q8'", |value| match value.as_string()?.as_str() {
        "f32" => Some(Self::F32),
        "q8" => Some(Self::Q8),
        _ => None,
    };
    Thinking, "'auto', 'on', 'off' or 'skip'", |value| match value.as_string()?.as_str() {
        "auto" => Some(Self::Auto),
        "on" => Some(Self::On),
        "off" => Some(Self::Off),
        "skip" => Some(Self::Skip),
        _ => None,
    };
    Numbers, "'f32' or 'f16'", |value| match value.as_string()?.as_str() {
        "f32" => Some(Self::F32),
        "f16" => Some(Self::F16),
        _ => None,
    };
    TunedOrder, "'value-key' or 'key-value'", |value| match value.as_string()?.as_str() {
        "value-key" => Some(Self::ValueKey),
        "key-value" => Some(Self::KeyValue),
        _ => None,
    };
    Pooling, "'mean' or 'last'", |value| match value.as_string()?.as_str() {
        "mean" => Some(Self::Mean),
        "last" => Some(Self::Last),
        _ => None,
    };
    LogitBias, "numbers from -100 to 100, by token id", |value| {
        let pairs = numbers_by_id(value)?.to_vec();
        Some(Self(pairs.as_chunks::<2>().0.iter().map(|&[id, bias]| (id as u32, bias as f32)).collect()))
    };
    BeginningHash, "32 hexadecimal digits", |value| value.as_string()?.parse().ok();
}

/// What is added to logits: ids and numbers.
pub struct LogitBias(pub Vec<(u32, f32)>);

/// Bytes, or whatever is counted beyond 32 bits.
pub struct Whole(pub u64);

/// The largest whole number up to which JavaScript's have no gaps.
const MOST_EXACT: f64 = 9_007_199_254_740_991.0;

fn whole(value: &JsValue, most: f64) -> Option<u64> {
    value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..=most).contains(number)).map(|number| number as u64)
}

/// A list of values.
pub fn items<T: FromJs>(value: &JsValue, expected: &'static str) -> Result<Vec<T>, Misfit> {
    if !is_array(value) {
        return Err(Misfit { place: String::new(), found: described(value), expected });
    }
    let length = value.unchecked_ref::<Array>().length();
    // A hole is as good as `undefined`, which no list has.
    let item = |at: u32| {
        let place = format!("[{at}]");
        let value = Reflect::get_u32(value, at).unwrap_or(JsValue::UNDEFINED);
        T::from_js(&value).map_err(|misfit| misfit.within(&place))
    };
    (0..length).map(item).collect()
}

impl FromJs for Vec<String> {
    const EXPECTED: &'static str = "an array of texts";

    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        items(value, Self::EXPECTED)
    }
}

impl FromJs for Vec<ChatMessage> {
    const EXPECTED: &'static str = "an array of messages";

    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        items(value, Self::EXPECTED)
    }
}

impl FromJs for ChatMessage {
    const EXPECTED: &'static str = "a message with role and content";

    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        if !value.is_object() || is_array(value) {
            return Err(Misfit::of::<Self>(value));
        }
        let tool_calls = property(value, "tool_calls").map_err(|misfit| misfit.within(".tool_calls"))?;
        let tool_call_id = property(value, "tool_call_id").map_err(|misfit| misfit.within(".tool_call_id"))?;
        let (role, content) = (needed(value, "role")?, needed(value, "content")?);
        Ok(Self { role, content, tool_calls: tool_calls.unwrap_or_default(), tool_call_id })
    }
}

impl FromJs for Vec<ToolCall> {
    const EXPECTED: &'static str = "an array of calls";

    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        items(value, Self::EXPECTED)
    }
}

impl FromJs for ToolCall {
    const EXPECTED: &'static str = "a call with id and function";

    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        if !value.is_object() || is_array(value) {
            return Err(Misfit::of::<Self>(value));
        }
        let function = needed::<Object>(value, "function")?.0;
        let of_function = |name: &str| needed(&function, name).map_err(|misfit| misfit.within(".function"));
        Ok(Self { id: needed(value, "id")?, name: of_function("name")?, arguments: of_function("arguments")? })
    }
}

/// A property that must be there.
fn needed<T: FromJs>(object: &JsValue, name: &str) -> Result<T, Misfit> {
    let missing = || Misfit { place: String::new(), found: "absent".into(), expected: T::EXPECTED };
    let value = property(object, name).and_then(|value| value.ok_or_else(missing));
    value.map_err(|misfit| misfit.within(&format!(".{name}")))
}

impl FromJs for Tools {
    const EXPECTED: &'static str = "an array of tools, each an object with type and function";

    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        // A cycle or a `bigint`, which no JSON has, throws.
        let json = js_sys::JSON::stringify(value).ok().and_then(|json| json.as_string());
        let tools = json.filter(|_| is_array(value)).and_then(|json| Self::from_json(&json).ok());
        tools.ok_or_else(|| Misfit::of::<Self>(value))
    }
}

/// How a conversation is rendered: the options `thinking` and `tools`.
pub fn chat_options(options: &mut Options) -> Result<ChatOptions> {
    let (thinking, tools) = (options.take("thinking")?.unwrap_or_default(), options.take("tools")?.unwrap_or_default());
    Ok(ChatOptions { thinking, tools })
}

/// Token ids.
pub struct Tokens(pub Vec<u32>);

impl FromJs for Tokens {
    const EXPECTED: &'static str = "a Uint32Array of token ids";

    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        let ids = token_ids(value);
        match (ids.dyn_ref::<Uint32Array>(), ids.as_f64()) {
            (Some(ids), _) => Ok(Self(ids.to_vec())),
            (None, Some(wrong)) => {
                let found = Reflect::get_u32(value, wrong as u32).unwrap_or(JsValue::UNDEFINED);
                let expected = "a token id, a whole number from 0 to 4294967295";
                Err(Misfit { place: format!("[{wrong}]"), found: described(&found), expected })
            }
            (None, None) => Err(Misfit::of::<Self>(value)),
        }
    }
}

impl FromJs for Prompt {
    const EXPECTED: &'static str = "a text, an array of messages with role and content, or a Uint32Array of token ids";

    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        if let Some(text) = value.as_string() {
            return Ok(Self::Text(text));
        }
        let first = || Reflect::get_u32(value, 0).unwrap_or(JsValue::UNDEFINED);
        if is_array(value) && first().as_f64().is_none() {
            return Vec::from_js(value).map(Self::Chat);
        }
        match Tokens::from_js(value) {
            Ok(Tokens(ids)) => Ok(Self::Tokens(ids)),
            Err(misfit) if misfit.place.is_empty() => Err(Misfit::of::<Self>(value)),
            Err(misfit) => Err(misfit),
        }
    }
}

impl FromJs for Vec<Prompt> {
    const EXPECTED: &'static str = "an array of prompts";

    fn from_js(value: &JsValue) -> Result<Self, Misfit> {
        items(value, Self::EXPECTED)
    }
}
