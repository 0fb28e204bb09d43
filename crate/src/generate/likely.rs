//! What the sampler reports of likely tokens, with what these decode to.

use super::{LikelyToken, TokenLogprobs};
use crate::sampler::{Logprob, Logprobs};
use crate::tokenizer::Tokenizer;

/// The report of a sampled token. Without a vocabulary tokens have neither text nor bytes.
pub fn token_logprobs(logprobs: &Logprobs, tokenizer: Option<&Tokenizer>) -> TokenLogprobs {
    let likely = |logprob: Logprob| {
        let bytes = tokenizer.map_or(&[][..], |tokenizer| tokenizer.token_bytes(logprob.id));
        LikelyToken { logprob, text: String::from_utf8_lossy(bytes).into_owned(), bytes: bytes.to_vec() }
    };
    TokenLogprobs { token: likely(logprobs.sampled), top: logprobs.top.iter().copied().map(likely).collect() }
}
