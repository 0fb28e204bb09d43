// The first half of sampling a token: key = order-preserving integer of the penalised logit, for every token that the row's mask
// allows and 0 for the others, and the greatest key of each chunk with its lowest id.
// logits: bits of (B, stride) floats; rows: (B); history: (B, HISTORY + vocab_size), see sample_token.wgsl;
// masks: (B, ceil(vocab_size / 32)), a bit a token; keys: (B, vocab_size); maxima: (B, CHUNKS) of (key, id | KINDS of all the
// chunk's logits). Grid: (chunks, B, 1); a workgroup owns a chunk. Twin: sampler::filters::likeliest.

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> logits: array<u32>;
@group(0) @binding(3) var<storage, read> rows: array<Row>;
@group(0) @binding(4) var<storage, read> history: array<u32>;
@group(0) @binding(5) var<storage, read> masks: array<u32>;
@group(0) @binding(6) var<storage, read_write> keys: array<u32>;
@group(0) @binding(7) var<storage, read_write> maxima: array<vec2<u32>>;

var<workgroup> greatest: atomic<u32>;
var<workgroup> lowest_id: atomic<u32>;
var<workgroup> all_kinds: atomic<u32>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let row = rows[group.y];
    let counts = group.y * (HISTORY + params.vocab_size) + HISTORY;
    let mask = group.y * ((params.vocab_size + 31u) / 32u);
    let first = group.x << params.chunk_bits;
    let end = min(first + (1u << params.chunk_bits), params.vocab_size);
    var best = vec2(0u, 0u);
    var kinds = 0u;
    for (var id = first + local; id < end; id += 256u) {
        let bits = logits[group.y * params.stride + id];
        kinds |= kind_of(bits);
        var logit = bitcast<f32>(clean(bits));
        if row.last_n > 0u {
            let times = history[counts + id];
            if times > 0u {
                logit = penalised(row, logit, times);
            }
        }
        let is_allowed = row.masked == 0u || ((masks[mask + id / 32u] >> (id % 32u)) & 1u) == 1u;
        let key = select(0u, key_of(logit), is_allowed);
        keys[group.y * params.vocab_size + id] = key;
        if key > best.x {
            best = vec2(key, id);
        }
    }
    if local == 0u {
        atomicStore(&greatest, 0u);
        atomicStore(&lowest_id, ALL);
        atomicStore(&all_kinds, 0u);
    }
    workgroupBarrier();
    atomicMax(&greatest, best.x);
    atomicOr(&all_kinds, kinds);
    workgroupBarrier();
    if best.x == atomicLoad(&greatest) {
        atomicMin(&lowest_id, best.y);
    }
    workgroupBarrier();
    if local == 0u {
        maxima[group.y * CHUNKS + group.x] = vec2(atomicLoad(&greatest), atomicLoad(&lowest_id) | atomicLoad(&all_kinds));
    }
}
