// The second half of sampling a token: id = first, by id, whose weights 2^-distance summed so far exceed random * sum, of
// the tokens that top-k, top-p and min-p keep; the likeliest where greedy. It then counts as recent.
// The filters keep heads of one order, the greatest key first and the lowest id first of equals: a cut is its last token.
// rows: (B); randoms: (steps, B); keys: (B, vocab_size), 0 of what is masked; maxima: (B, CHUNKS) of (key, id | KINDS); list: (B, vocab_size), ids of
// the tokens that may be kept, where these are not all; history: (B, HISTORY + vocab_size): where the next recent token
// goes, how many there are, a ring of them, and how often each token is among them; tokens: (B); ids: (steps, B),
// with NOT_FINITE where the highest logit is infinite or none is a number.
// Grid: (1, B, 1); a workgroup owns a row. Twin: sampler::filters::sample.

struct Step { // twin: params::SamplingStep
    step: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read> rows: array<Row>;
@group(0) @binding(3) var<storage, read> randoms: array<u32>;
@group(0) @binding(4) var<storage, read> keys: array<u32>;
@group(0) @binding(5) var<storage, read> maxima: array<vec2<u32>>;
@group(0) @binding(6) var<storage, read_write> list: array<u32>;
@group(0) @binding(7) var<storage, read_write> history: array<u32>;
@group(0) @binding(8) var<storage, read_write> tokens: array<u32>;
@group(0) @binding(9) var<storage, read_write> ids: array<u32>;

// The row's own, alike in every invocation.
var<private> row: Row;
var<private> highest: f32;
var<private> random: u32;
// Start of the row in keys and list.
var<private> start: u32;

var<workgroup> best_key: atomic<u32>;
var<workgroup> best_id: atomic<u32>;
var<workgroup> all_kinds: atomic<u32>;
var<workgroup> floor_key: u32;
var<workgroup> near_chunks: array<u32, CHUNKS>;
var<workgroup> near_count: atomic<u32>;

// At temperature 1.
fn distance(key: u32) -> u32 {
    return distance_by(params.unit_factor, params.unit_limit, highest, logit_of(key));
}

// The k-th greatest of the chunks' maxima, which `few_key` holds: there are at least k keys as great, so what is below is
// not of the k greatest.
fn find_floor(k: u32, local: u32) {
    if local < params.chunks {
        let key = few_key[local];
        var before = 0u;
        for (var other = 0u; other < params.chunks; other++) {
            let other_key = few_key[other];
            before += select(0u, 1u, other_key > key || (other_key == key && other < local));
        }
        if before == k - 1u {
            floor_key = key;
        }
    }
    workgroupBarrier();
}

// Lists the tokens above the floor and within reach, in any order, and gives their number. Only chunks whose greatest
// key is such are read.
fn list_near(reach: u32, greatest: u32, local: u32) -> u32 {
    let floor = max(floor_key, 1u);
    if greatest >= floor && distance(greatest) <= reach {
        near_chunks[atomicAdd(&near_count, 1u)] = local;
    }
    if local == 0u {
        atomicStore(&few_count, 0u);
    }
    workgroupBarrier();
    let positions = atomicLoad(&near_count) << params.chunk_bits;
    for (var first = local; first < positions; first += 4u * INVOCATIONS) {
        // Four are read before the first is looked at: a single workgroup mostly waits for memory.
        let at = first + vec4(0u, 1u, 2u, 3u) * INVOCATIONS;
        let chunk = min(at >> vec4(params.chunk_bits), vec4(CHUNKS - 1u));
        let chunks = vec4(near_chunks[chunk.x], near_chunks[chunk.y], near_chunks[chunk.z], near_chunks[chunk.w]);
        let inside = at & vec4((1u << params.chunk_bits) - 1u);
        let four = (chunks << vec4(params.chunk_bits)) | inside;
        let four_keys = keys_of(select(four, vec4(ALL), at >= vec4(positions)));
        for (var i = 0u; i < 4u; i++) {
            if four_keys[i] >= floor && distance(four_keys[i]) <= reach {
                list[start + keep_few(four_keys[i], four[i])] = four[i];
            }
        }
    }
    storageBarrier();
    return few_counted(local);
}

// Filters and draws; leaves the token in `found_id`. `r` is the row, `greatest` the greatest key of chunk `local`.
fn filter_and_draw(r: u32, greatest: u32, local: u32) {
    let k = rows[r].top_k;
    let has_floor = k > 0u && k <= params.chunks;
    if has_floor {
        find_floor(k, local);
    }
    // Top-p takes its sum over tokens that min-p drops, so these must stay until then.
    let reach = select(ALL, rows[r].min_p_distance, rows[r].top_p == ALL);
    // What top-k counts are the tokens that the mask leaves.
    let listed = has_floor || reach != ALL || params.vocab_size <= FEW || rows[r].masked != 0u;
    var count = params.vocab_size;
    if listed {
        count = list_near(reach, greatest, local);
    }
    cut = vec2(0u, ALL);
    // In a loop, since a compiler inlines each call of so long a function.
    for (var what = TOP_K; what < GOALS; what++) {
        if (what == TOP_K && (k == 0u || k >= count)) || (what == TOP_P && rows[r].top_p == ALL) {
            continue;
        }
        cut = find(what, count, listed, local);
    }
}

// Twin: Sampler::accept.
fn accept(r: u32, id: u32) {
    if row.last_n == 0u {
        return;
    }
    let own = r * (HISTORY + params.vocab_size);
    let next = history[own];
    if history[own + 1u] == row.last_n {
        let oldest = history[own + 2u + next];
        // A prompt may hold what is not in the vocabulary.
        if oldest < params.vocab_size {
            history[own + HISTORY + oldest] -= 1u;
        }
    } else {
        history[own + 1u] += 1u;
    }
    history[own + 2u + next] = id;
    history[own + HISTORY + id] += 1u;
    history[own] = select(next + 1u, 0u, next + 1u == row.last_n);
}

@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let r = group.y;
    row = rows[r];
    random = randoms[step.step * params.rows + r];
    start = r * params.vocab_size;

    var greatest = vec2(0u, 0u);
    var kinds = 0u;
    if local < params.chunks {
        greatest = maxima[r * CHUNKS + local];
        kinds = greatest.y & KINDS;
        greatest.y &= ~KINDS;
        few_key[local] = greatest.x;
    }
    if local == 0u {
        atomicStore(&best_key, 0u);
        atomicStore(&best_id, ALL);
        atomicStore(&all_kinds, 0u);
        atomicStore(&near_count, 0u);
        floor_key = 0u;
    }
    workgroupBarrier();
    atomicMax(&best_key, greatest.x);
    atomicOr(&all_kinds, kinds);
    workgroupBarrier();
    let best = atomicLoad(&best_key);
    highest = logit_of(best);
    if greatest.x == best {
        atomicMin(&best_id, greatest.y);
    }
    workgroupBarrier();
    if rows[r].greedy == 0u {
        filter_and_draw(r, greatest.x, local);
    } else if local == 0u {
        found = vec2(best, atomicLoad(&best_id));
    }
    if local == 0u {
        let id = found.y;
        tokens[r] = id;
        ids[step.step * params.rows + r] = select(id | NOT_FINITE, id, atomicLoad(&all_kinds) == FINITE);
        accept(r, id);
    }
}
