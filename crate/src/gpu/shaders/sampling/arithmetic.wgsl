// The sampler's arithmetic, bit for bit that of sampler/arithmetic.rs, which says why it is so: each function is the twin
// of the one of its name there. Floats meet only single additions, subtractions and products, and what comes out of one
// goes through integers before it meets the next.

struct Params { // twin: params::Sampling
    vocab_size: u32,
    stride: u32, // of a row of logits
    chunk_bits: u32, // a chunk has 2^chunk_bits tokens, the last one fewer
    chunks: u32, // CHUNKS at the most
    rows: u32,
    unit_factor: f32, // the scale of temperature 1, which the filters see
    unit_limit: f32,
}

struct Row { // twin: params::SamplingRow
    greedy: u32,
    top_k: u32, // 0 keeps all
    top_p: u32, // parts of 2^32, or ALL
    min_p_distance: u32, // or ALL
    temperature_factor: f32,
    temperature_limit: f32,
    repetition: f32,
    reciprocal: f32,
    frequency: f32,
    presence: f32,
    last_n: u32, // tokens that are recent; 0 where there are no penalties
    masked: u32, // 1 where only the tokens of the row's mask may come
}

const ALL: u32 = 0xffffffffu;
const LARGEST: u32 = 253u << 23u;
const SMALLEST: u32 = 2u << 23u;
const INFINITY: u32 = 255u << 23u;
const SIGN: u32 = 1u << 31u;

fn clean(bits: u32) -> u32 {
    let magnitude = bits & ~SIGN;
    if magnitude > INFINITY {
        return SIGN | LARGEST;
    }
    return select((bits & SIGN) | min(magnitude, LARGEST), 0u, magnitude < SMALLEST);
}

// What there is among logits, beside an id, which has at most 20 bits.
const FINITE: u32 = 1u << 30u;
const ABOVE_ALL: u32 = 1u << 31u;
const KINDS: u32 = FINITE | ABOVE_ALL;

// Of a logit as it is. The highest of some is finite where their kinds together are FINITE.
fn kind_of(bits: u32) -> u32 {
    return select(select(0u, ABOVE_ALL, bits == INFINITY), FINITE, (bits & ~SIGN) < INFINITY);
}

fn cleaned(value: f32) -> f32 {
    return bitcast<f32>(clean(bitcast<u32>(value)));
}

// Twin: Penalties::apply.
fn penalised(row: Row, clean_logit: f32, times: u32) -> f32 {
    let scaled = cleaned(clean_logit * select(row.repetition, row.reciprocal, clean_logit > 0.0));
    let amount = cleaned(cleaned(f32(times) * row.frequency) + row.presence);
    return cleaned(scaled - amount);
}

// Clean logits as integers of the same order. No logit has the key 0.
fn key_of(logit: f32) -> u32 {
    let bits = bitcast<u32>(logit);
    return select(bits | SIGN, ~bits, bits >= SIGN);
}

fn logit_of(key: u32) -> f32 {
    return bitcast<f32>(select(~key, key & ~SIGN, key >= SIGN));
}

// Twin: Scale::distance.
fn distance_by(factor: f32, limit: f32, highest: f32, logit: f32) -> u32 {
    return u32(min(highest - logit, limit) * factor);
}

fn times_fraction(a: u32, f: u32) -> u32 {
    return (a >> 16u) * f + (((a & 0xffffu) * f) >> 16u);
}

fn weight(distance: u32) -> u32 {
    let halvings = distance >> 25u;
    let rest = distance & 0x1ffffffu;
    let f = rest >> 9u;
    var power = 19784458u - times_fraction(2034029u, f);
    power = 118765909u - times_fraction(power, f);
    power = 515789246u - times_fraction(power, f);
    power = 1488515590u - times_fraction(power, f);
    power = 0x80000000u - times_fraction(power, f);
    let low = ((rest & 511u) * 45426u + 32768u) >> 16u;
    power -= ((power >> 15u) * low) >> 10u;
    return select(power >> (halvings & 31u), 0u, halvings > 31u);
}

// Sums of 64 bits: (low, high).
fn add(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = a.x + b.x;
    return vec2(low, a.y + b.y + select(0u, 1u, low < a.x));
}

fn less(a: vec2<u32>, b: vec2<u32>) -> bool {
    return a.y < b.y || (a.y == b.y && a.x < b.x);
}

// a * b, by halves of 16 bits.
fn product(a: u32, b: u32) -> vec2<u32> {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
    let other_middle = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
    let high = (a >> 16u) * (b >> 16u) + (middle >> 16u) + (other_middle >> 16u);
    return vec2((other_middle << 16u) | (low & 0xffffu), high);
}

// sum * fraction / 2^32, rounded down, or up.
fn part(sum: vec2<u32>, fraction: u32, up: bool) -> vec2<u32> {
    let low = product(sum.x, fraction);
    let carried = low.y + select(0u, 1u, up && low.x != 0u);
    return add(product(sum.y, fraction), vec2(carried, 0u));
}
