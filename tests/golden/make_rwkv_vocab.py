#!/usr/bin/env python3
"""make_rwkv_vocab.py OUTDIR  -> the whole RWKV World vocabulary as a vocabulary-only GGUF, and test vectors.
make_rwkv_vocab.py OUTDIR --texts FILE.json NAME  -> only vectors NAME.inp/.out for a JSON list of texts.

Ids come from the Rust package `pyrwkv-tokenizer`; they must equal those of the Python package `rwkv` (if a path
to its rwkv_tokenizer.py is given in $RWKV_TOKENIZER) and of llama.cpp (cyllama) on the file written here.
.inp: texts as UTF-8, separated by "\\n__ggml_vocab_test__\\n"; .out: one line of ids for each.  .inp holds CR and
CRLF: read it as bytes (Python: newline=""), or line ends change.
"""
import importlib.util, json, os, sys, tempfile
import gguf
from make_tiny_rwkv7 import add_tokenizer, weights, world_vocabulary, write

SEP = "\n__ggml_vocab_test__\n"
TEXTS = [
    "ied 4 ½ months", "Äpfel", "", " ", "  ", "   ", "\t", "\n", "\n\n", "\n\n\n", "\n\n\n\n", "\t\n", "\n\t", "\r", "\r\n", "\r\n\r\n", "a\r\nb\rc\n", " \r\n \t\r\n",
    "Hello world", " Hello world", "Hello World", " Hello World!", "Hello, world!", "    Hello\n    Hello", "\n =", "' era", "!!!!!!",
    "3", "33", "333", "3333", "33333333333", "1,234,567.89", "2026-11-26T09:40:00Z",
    " this is 🦙.cpp", "w048 7tuijk dsdfhu", "нещо на Български", "កាន់តែពិសេសអាចខលចេញ",
    "🚀 (normal) 😶‍🌫️ (multiple emojis concatenated) ✅ (only emoji that has its own token)", "👨‍👩‍👧‍👦👍🏽🇩🇪",
    "Hello, y'all! How are you 😁 ?我想在apple工作1314151天～",
    "User: hi\n\nAssistant:", "User: hi\n\nAssistant: Hi. I am your assistant.\n\nUser: 2+2?\n\nAssistant:", "System: Be brief.\n\nUser: a\nb\n\nAssistant: <think",
    "Assistant: <think>\n</think>\n", "User:", "\n\nUser:", "\n\nUser", "Question: x\n\nAnswer:",
    "中文分词测试：今天天气不错，我们去公园吧。", "繁體中文與简体中文混排", "日本語のトークン化テスト。カタカナ、ひらがな、漢字。", "한국어 토큰화 테스트입니다.",
    "𠀀𠀁𪛖 (CJK extension B)", "\ue000\uf8ff private use", "\u200b\u200d\ufeff zero width", "e\u0301 é combining", "ﷺ ﬁ Ⅷ ①",
    "العربية مكتوبة من اليمين", "עברית", "ภาษาไทยไม่มีช่องว่าง", "हिन्दी परीक्षण", "Tiếng Việt có dấu", "Ελληνικά", "ქართული",
    " " * 5, " " * 8, " " * 16, " " * 31, " " * 64, " " * 129, "\n" * 9, "\t" * 17, " \n" * 6, "x" + " " * 40 + "y", "-" * 70, "=" * 33 + "\n", "a" * 50,
    "def f(x):\n    return [i**2 for i in range(x) if i % 2 == 0]\n", "{\"key\": [1, 2.5e-3, null, true], \"s\": \"\\n\\u00e9\"}", "<html><body class=\"x\">&nbsp;</body></html>",
    "https://example.org/a?b=c&d=%20#e", "\\frac{a}{b} \\times 10^{-3} ∑∫√≠≈", "C:\\Users\\name\\file.txt", "'single' \"double\" `back` \\' \\\"",
    "\x00", "a\x00b", "\x01\x02\x1b[0m\x7f", "\x0b\x0c\x85\u2028\u2029", "CamelCaseAndsnake_case-and-kebab", "ANTIDISESTABLISHMENTARIANISM", "don't I'LL we've", "naïve café Straße œuvre",
]
# Not UTF-8, so not in .inp: single bytes, cut characters, all 256 bytes.
BYTES = [b"\xff", b"\xfe\xff", b"\x80\x81\x82", "é".encode()[:1], "日".encode()[:2] + b"x", "🚀".encode()[1:], bytes(range(256)), b"\xc3\x28 ok \xe2\x82", bytes(range(255, -1, -1))]
# Where implementations differ: llama.cpp puts the texts of id 0 and of the padding into its trie; the others don't.
SPECIAL = ["<s>", "a<s>b", "</s>", "[PAD65530]", "<|endoftext|>"]


def write_vocabulary(path):
    w = gguf.GGUFWriter(path, "rwkv7")
    w.add_type("model"); w.add_name("RWKV World vocabulary, no tensors"); w.add_context_length(1048576)
    w.add_embedding_length(768); w.add_block_count(12); w.add_layer_norm_eps(1e-5); w.add_wkv_head_size(64)
    w.add_decay_lora_rank(64); w.add_iclr_lora_rank(64); w.add_value_residual_mix_lora_rank(32); w.add_gate_lora_rank(128)
    w.add_feed_forward_length(3072); w.add_file_type(0); w.add_head_count(0)
    add_tokenizer(w, world_vocabulary(), 65536, dict(bos=0, eos=0, eot=261))
    w.write_header_to_file(); w.write_kv_data_to_file(); w.close()


def llama_vocab():
    """llama.cpp's tokenizer of the whole vocabulary; cyllama 0.2.18 can't open files without tensors, so of a tiny model."""
    from cyllama.llama import llama_cpp as lib
    m = dict(d=64, layers=1, ffn=64, vocab=65536, ranks=(8, 8, 8, 8), seed=1, ids=dict(bos=0, eos=0, eot=261))
    path = tempfile.mktemp(suffix=".gguf"); tokens = world_vocabulary()
    write(path, "whole-vocabulary", m, tokens, {n: (x, gguf.GGMLQuantizationType.F32) for n, x in weights(m, tokens).items()}, 0)
    lib.disable_logging(); model = lib.LlamaModel(path_model=path, params=lib.LlamaModelParams(), verbose=False)
    os.remove(path)
    return model, model.get_vocab()


def main():
    out = sys.argv[1]; os.makedirs(out, exist_ok=True)
    from pyrwkv_tokenizer import RWKVTokenizer
    rust = RWKVTokenizer(); python = None
    if os.environ.get("RWKV_TOKENIZER"):
        path = os.environ["RWKV_TOKENIZER"]; spec = importlib.util.spec_from_file_location("rwkv_tokenizer", path)
        mod = importlib.util.module_from_spec(spec); spec.loader.exec_module(mod)
        python = mod.TRIE_TOKENIZER(os.path.join(os.path.dirname(path), "rwkv_vocab_v20230424.txt"))
    if "--texts" in sys.argv:
        texts, name = json.load(open(sys.argv[3], encoding="utf-8")), sys.argv[4]; extra = False
    else:
        texts, name = TEXTS, "ggml-vocab-rwkv-world.gguf"; write_vocabulary(f"{out}/{name}"); extra = True
    m, v = llama_vocab(); differ = 0; rows = []
    for t in texts:
        ids = list(rust.encode(t)) if t else []
        others = [python.encode(t)] if python else []
        if "\x00" not in t and t:
            others.append(list(v.tokenize(t, False, False)))      # cyllama passes C strings: no NUL
        if any(list(o) != ids for o in others):
            differ += 1; print("differ", repr(t[:40]), ids[:8], [list(o)[:8] for o in others])
        rows.append(ids)
    assert SEP.strip() not in "".join(texts)
    open(f"{out}/{name}.inp", "w", encoding="utf-8", newline="").write(SEP.join(texts))
    open(f"{out}/{name}.out", "w").write("\n".join(" ".join(map(str, r)) for r in rows))
    print(name, len(texts), "texts,", differ, "differ; python checked:", bool(python), "distinct ids", len({i for r in rows for i in r}))
    if extra:
        js = dict(bytes=[dict(hex=b.hex(), ids=python.encodeBytes(b)) for b in BYTES],
                  special=[dict(text=s, world_ids=list(rust.encode(s)), llama_cpp_ids=list(v.tokenize(s, False, True))) for s in SPECIAL])
        json.dump(js, open(f"{out}/bytes-and-special.json", "w"), indent=1, ensure_ascii=False); print(js["special"])


if __name__ == "__main__":
    main()
