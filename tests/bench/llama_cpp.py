#!/usr/bin/env python3
"""llama.cpp's CPU backend beside `web-mamba bench --backend cpu --threads N` and `web-mamba perplexity`, through llama-cpp-python.

usage: llama_cpp.py MODEL.gguf [THREADS] [TEXT]
Prints one JSON row: tokens/s of reading 512 tokens and of writing 64, medians of five; with TEXT the perplexity over it.
"""
import ctypes
import json
import os
import statistics
import sys
import time

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
import llama_cpp as L
import numpy as np

PROMPT, ANSWER, RUNS = 512, 64, 5


class Llama:
    def __init__(self, path, threads, n_ctx):
        model = L.llama_model_default_params()
        model.n_gpu_layers = 0
        self.model = L.llama_model_load_from_file(path.encode(), model)
        assert self.model, path
        context = L.llama_context_default_params()
        context.n_ctx = context.n_batch = n_ctx
        context.n_ubatch = 512
        context.n_threads = context.n_threads_batch = threads
        self.context = L.llama_init_from_model(self.model, context)
        self.vocab = L.llama_model_get_vocab(self.model)

    def tokenize(self, text):
        raw = text.encode()
        ids = (L.llama_token * (len(raw) + 8))()
        return list(ids[: L.llama_tokenize(self.vocab, raw, len(raw), ids, len(ids), False, False)])

    def decode(self, ids, position, all_logits=False):
        batch = L.llama_batch_init(len(ids), 0, 1)
        batch.n_tokens = len(ids)
        for i, token in enumerate(ids):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0] = token, position + i, 1, 0
            batch.logits[i] = all_logits or i == len(ids) - 1
        assert L.llama_decode(self.context, batch) == 0
        count = L.llama_vocab_n_tokens(self.vocab)
        rows = range(len(ids)) if all_logits else [len(ids) - 1]
        logits = [np.ctypeslib.as_array(L.llama_get_logits_ith(self.context, i), (count,)).copy() for i in rows]
        L.llama_batch_free(batch)
        return np.stack(logits).astype(np.float64)

    def reset(self):
        L.llama_memory_clear(L.llama_get_memory(self.context), True)


def timed(count, work):
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)


def main(path, threads="1", text=None):
    silent = L.llama_log_callback(lambda *_: None)
    L.llama_log_set(silent, ctypes.c_void_p(0))
    llama = Llama(path, int(threads), 2048)
    row = {"file": os.path.basename(path), "threads": int(threads)}
    if text:
        ids = llama.tokenize(open(text, encoding="utf8").read())
        logits = llama.decode(ids[:-1], 0, all_logits=True)
        losses = np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(ids) - 1), ids[1:]]
        row |= {"perplexity": float(np.exp(losses.mean())), "tokens": len(ids)}
    prompt = [7 + i % 50 for i in range(PROMPT)]
    reading, writing = [], []
    for run in range(RUNS + 1):
        llama.reset()
        reading.append(timed(PROMPT, lambda: llama.decode(prompt, 0)))
        writing.append(timed(ANSWER, lambda: [llama.decode([7 + i % 50], PROMPT + i) for i in range(ANSWER)]))
    # The first is the warm-up.
    row |= {"prefill": round(statistics.median(reading[1:]), 1), "decode": round(statistics.median(writing[1:]), 1)}
    print(json.dumps(row))


main(*sys.argv[1:])
