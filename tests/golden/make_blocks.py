#!/usr/bin/env python3
"""make_blocks.py OUT  -> OUT/TYPE-SET.blocks (blocks as in a GGUF file) and OUT/TYPE-SET.f32 (their values, little-endian).

SET is `random` (any bytes, scales chosen to be awkward) and, where llama-cpp-python is installed, `llama` (normal values
quantised by llama.cpp's own library). The values always come from `gguf.quants.dequantize`. README.md has the command.
"""
import ctypes
import pathlib
import sys

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as Type
from gguf.quants import dequantize

# Blocks a set and the byte offsets of the f16 scales in a block, by type.
TYPES = {
    Type.F32: (1024, []),
    Type.F16: (2048, []),
    Type.BF16: (2048, []),
    Type.Q4_0: (256, [0]),
    Type.Q4_1: (256, [0, 2]),
    Type.Q5_0: (256, [0]),
    Type.Q5_1: (256, [0, 2]),
    Type.Q8_0: (256, [0]),
    Type.Q2_K: (64, [80, 82]),
    Type.Q3_K: (64, [108]),
    Type.Q4_K: (64, [0, 2]),
    Type.Q5_K: (64, [0, 2]),
    Type.Q6_K: (64, [208]),
    Type.IQ4_NL: (256, [0]),
    Type.IQ4_XS: (64, [0]),
}

# Zeros of both signs, the ends of the subnormal range and of the normal range, one.
AWKWARD_F16 = np.array(
    [0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x83FF, 0x0400, 0x8400, 0x7BFF, 0xFBFF, 0x3C00, 0xBC00], np.uint16
)


def finite_f16(rng, count):
    """Bit patterns: the awkward ones, then a third subnormal and two thirds of any magnitude."""
    bits = rng.integers(0, 0x7C00, count, dtype=np.uint16)
    subnormal = rng.random(count) < 1 / 3
    bits[subnormal] &= 0x03FF
    bits |= rng.integers(0, 2, count, dtype=np.uint16) << 15
    bits[: len(AWKWARD_F16)] = AWKWARD_F16[:count]
    return bits


def random_blocks(rng, kind, count, scales):
    size = GGML_QUANT_SIZES[kind][1]
    if kind == Type.F16:
        return finite_f16(rng, count).view(np.uint8).reshape(count, size)
    if kind in (Type.F32, Type.BF16):
        dtype = np.uint32 if kind == Type.F32 else np.uint16
        top = {Type.F32: 0x7F800000, Type.BF16: 0x7F80}[kind]
        bits = rng.integers(0, top, count, dtype=dtype)
        bits |= rng.integers(0, 2, count, dtype=dtype) << dtype(8 * size - 1)
        bits[:6] = np.array([0, 1 << (8 * size - 1), 1, top - 1, top >> 8, 3 << (8 * size - 2)], dtype)
        bits[bits & top == top] = 0
        return bits.view(np.uint8).reshape(count, size)
    blocks = rng.integers(0, 256, (count, size), dtype=np.uint8)
    for offset in scales:
        # Each scale in its own order, so that awkward scales and minimums meet ordinary ones.
        bits = rng.permutation(finite_f16(rng, count))
        blocks[:, offset : offset + 2] = bits.view(np.uint8).reshape(count, 2)
    # -0.0 comes out of d * q + m only where both terms are -0.0, and out of d * q - m only where m is +0.0.
    for block, minimum in [(0, 0x80), (1, 0x00)]:
        for offset in scales:
            blocks[block, offset : offset + 2] = [0, 0x80 if offset == scales[0] else minimum]
    return blocks


def llama_quantiser():
    """ggml_quantize_chunk of llama-cpp-python's library, or None where that is not installed."""
    try:
        import llama_cpp
    except ImportError:
        return None
    library = next((pathlib.Path(llama_cpp.__file__).parent / "lib").glob("libggml-base.*"))
    ggml = ctypes.CDLL(str(library))
    ggml.ggml_quantize_chunk.restype = ctypes.c_size_t
    pointer, count = ctypes.c_void_p, ctypes.c_int64
    ggml.ggml_quantize_chunk.argtypes = [ctypes.c_int, pointer, pointer, count, count, count, pointer]

    def quantise(kind, values):
        length, size = GGML_QUANT_SIZES[kind]
        blocks = np.zeros((values.size // length, size), np.uint8)
        written = ggml.ggml_quantize_chunk(kind, values.ctypes.data, blocks.ctypes.data, 0, *values.shape, None)
        assert written == blocks.size, (kind, written)
        return blocks

    return quantise


def weights(rng, count):
    """Normal values in rows of 256, each row of its own magnitude, as trained weights are; the first row is zero."""
    values = rng.standard_normal((count // 256, 256), dtype=np.float32)
    values *= np.geomspace(1e-4, 1e1, len(values), dtype=np.float32)[:, None]
    values[0] = 0
    return values


def write(out, kind, name, blocks):
    values = dequantize(blocks, kind).astype("<f4", copy=False)
    assert np.isfinite(values).all(), (kind, name)
    (out / f"{kind.name}-{name}.blocks").write_bytes(blocks.tobytes())
    (out / f"{kind.name}-{name}.f32").write_bytes(values.tobytes())


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    quantise = llama_quantiser()
    if quantise is None:
        print("llama-cpp-python is not installed: the `llama` sets stay as they are", file=sys.stderr)
    for kind, (count, scales) in TYPES.items():
        write(out, kind, "random", random_blocks(np.random.default_rng([1, kind]), kind, count, scales))
        if quantise is not None:
            values = weights(np.random.default_rng([2, kind]), count * GGML_QUANT_SIZES[kind][0])
            blocks = values.view(np.uint8).reshape(-1, 4) if kind == Type.F32 else quantise(kind, values)
            write(out, kind, "llama", blocks)


main()
