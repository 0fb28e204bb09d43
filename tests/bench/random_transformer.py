"""Writes a transformer of about mamba-130m's size with random weights in Q8_0: the peer of the curve over positions.

    random_transformer.py MAMBA.gguf OUT.gguf     (the vocabulary is copied from the first)
"""
import sys

import gguf
import numpy as np

LAYERS, WIDTH, HEADS, FEED_FORWARD, CONTEXT = 12, 768, 12, 2048, 32768

vocabulary, out = sys.argv[1:]
reader = gguf.GGUFReader(vocabulary)
writer = gguf.GGUFWriter(out, "llama")
for name, field in reader.fields.items():
    if name.startswith("tokenizer."):
        kind = field.types[0]
        sub_type = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), kind, sub_type)
vocab_size = len(reader.fields["tokenizer.ggml.tokens"].data)
writer.add_vocab_size(vocab_size)
writer.add_block_count(LAYERS)
writer.add_embedding_length(WIDTH)
writer.add_feed_forward_length(FEED_FORWARD)
writer.add_head_count(HEADS)
writer.add_head_count_kv(HEADS)
writer.add_rope_dimension_count(WIDTH // HEADS)
writer.add_context_length(CONTEXT)
writer.add_layer_norm_rms_eps(1e-5)
writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)

random = np.random.default_rng(1)


def matrix(name: str, rows: int, columns: int) -> None:
    values = random.standard_normal((rows, columns), dtype=np.float32) / np.sqrt(columns)
    kind = gguf.GGMLQuantizationType.Q8_0
    writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)


matrix("token_embd.weight", vocab_size, WIDTH)
for layer in range(LAYERS):
    for norm in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"blk.{layer}.{norm}.weight", np.ones(WIDTH, np.float32))
    for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
        matrix(f"blk.{layer}.{name}.weight", WIDTH, WIDTH)
    matrix(f"blk.{layer}.ffn_gate.weight", FEED_FORWARD, WIDTH)
    matrix(f"blk.{layer}.ffn_up.weight", FEED_FORWARD, WIDTH)
    matrix(f"blk.{layer}.ffn_down.weight", WIDTH, FEED_FORWARD)
writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
