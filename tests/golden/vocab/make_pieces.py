#!/usr/bin/env python3
"""make_pieces.py: writes pieces.json, how Hugging Face `tokenizers` (0.23) cuts some texts with each pre-tokenizer's
published patterns, look-aheads included. Run in this folder: `pip install tokenizers && python3 make_pieces.py`."""
import json
from tokenizers import Regex
from tokenizers.pre_tokenizers import Sequence, Split

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"
LLAMA3 = (r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
THREE_DIGITS = "[0-9][0-9][0-9]"
PATTERNS = {
    "gpt-2": [GPT2 + r"|\s+"],
    "llama-bpe": [LLAMA3],
    "falcon": [r"[\p{P}\$\+<=>\^~\|`]+", GPT2, THREE_DIGITS],
    "default": [r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", THREE_DIGITS],
}
TEXTS = [
    "", "a   b", "x 12345 1234567", "It's we'LL i'M 'tis don't", "a \n\n\t b\r\n  c\n",
    "!!  ?? $5.00 `code` <=> ~x^2|y", "héllo wörld — “quoted” …", "日本語テキスト、123４５６ ١٢٣",
    "🙂👩‍👩‍👧 e\u0301\u0323 \u00a0\u2003x\u3000y", "   \n   \n", "\n\n\n", "tabs\t\tand\u0085next\u2028line", "ﬀ Ⅷ ½ ²3",
    "<|im_end|>\n<|im_start|>user", "__init__(self, *args):\n    return {1: 'a'}\n",
]
cases = []
for pre, patterns in PATTERNS.items():
    splitter = Sequence([Split(Regex(pattern), "isolated") for pattern in patterns])
    for text in TEXTS:
        pieces = [piece for piece, _ in splitter.pre_tokenize_str(text)] if text else []
        cases.append({"pre": pre, "text": text, "pieces": pieces})
with open("pieces.json", "w", encoding="utf-8") as out:
    json.dump(cases, out, ensure_ascii=False, indent=0)
    out.write("\n")
