#!/usr/bin/env python3
"""make_split.py SRC.gguf OUTDIR TENSORS -> the same model as a split set of files with at most TENSORS tensors each.

Copies every metadata pair and every tensor's bytes with the `gguf` package, which numbers and names the parts.
"""
import os, sys
import gguf

source, folder, tensors = sys.argv[1], sys.argv[2], int(sys.argv[3])
reader = gguf.GGUFReader(source)
architecture = reader.fields["general.architecture"].contents()
name = os.path.basename(source)
os.makedirs(folder, exist_ok=True)
writer = gguf.GGUFWriter(f"{folder}/{name}", architecture, split_max_tensors=tensors)
for key, field in reader.fields.items():
    if key.startswith("GGUF.") or key == "general.architecture":
        continue
    kind = field.types[0]
    inner = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
    writer.add_key_value(key, field.contents(), kind, inner)
for tensor in reader.tensors:
    writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
