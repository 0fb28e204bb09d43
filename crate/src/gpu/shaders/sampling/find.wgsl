// Finds the token at which a sum over tokens in their order reaches a goal: the k-th, the one that completes top-p, or
// the one that is drawn. No token is sorted: a histogram says into which part of the order the goal falls, then another
// into which part of that, until few tokens are left, whose sums each invocation makes for one.

// What is looked for, which says what a token's mass is: 1, its weight, or its weight at the temperature.
const TOP_K: u32 = 0u;
const TOP_P: u32 = 1u;
const DRAW: u32 = 2u;
const GOALS: u32 = 3u;

// What a histogram goes by. Distances tell the crowd apart that shares few exponents, keys what is at the same distance,
// and ids what has the same key. A draw goes by ids alone.
const BY_DISTANCE: u32 = 0u;
const BY_KEY: u32 = 1u;
const BY_ID: u32 = 2u;

const BIN_BITS: u32 = 10u;
const BINS: u32 = 1u << BIN_BITS;
const GROUPS: u32 = 32u;
const GROUP: u32 = BINS / GROUPS;
const FARTHEST: u32 = (1u << 30u) - 1u;
// Tokens that are few; no more than there are invocations.
const FEW: u32 = 256u;
// One histogram by distance, four by key (of 32, 22, 12, 2 bits) and two by id (of 20, 10 bits) leave one token.
const MOST_LEVELS: u32 = 7u;

// Sums of the bins: low words and what they carried.
var<workgroup> bins_low: array<atomic<u32>, BINS>;
var<workgroup> bins_high: array<atomic<u32>, BINS>;
var<workgroup> groups: array<vec2<u32>, GROUPS>;
// The goal, and the sum before the part that is looked at.
var<workgroup> goal: vec2<u32>;
var<workgroup> reached: vec2<u32>;
var<workgroup> found_bin: u32;

var<workgroup> few_key: array<u32, FEW>;
var<workgroup> few_id: array<u32, FEW>;
var<workgroup> few_mass: array<u32, FEW>;
var<workgroup> few_count: atomic<u32>;
var<workgroup> counted: u32;
// First and last place, by keys and by ids, of the tokens that were gathered.
var<workgroup> extremes: array<atomic<u32>, 4>;
// (key, id)
var<workgroup> found: vec2<u32>;

// (key, id) of the last token in the order that is kept.
var<private> cut: vec2<u32>;
// First and last place of the part of the order that is looked at, by distance, key and id.
var<private> looked_at: array<vec2<u32>, 3>;

fn kept(key: u32, id: u32) -> bool {
    return key > cut.x || (key == cut.x && id <= cut.y);
}

fn mass(what: u32, key: u32, id: u32) -> u32 {
    if !kept(key, id) {
        return 0u;
    }
    if what == TOP_K {
        return 1u;
    }
    let unit_distance = distance(key);
    if what == TOP_P {
        return weight(unit_distance);
    }
    if unit_distance > row.min_p_distance {
        return 0u;
    }
    return weight(distance_by(row.temperature_factor, row.temperature_limit, highest, logit_of(key)));
}

// The twin has these in keep_top_p and draw.
fn goal_of(what: u32, sum: vec2<u32>) -> vec2<u32> {
    if what == TOP_K {
        return vec2(row.top_k, 0u);
    }
    if what == TOP_P {
        let goal = part(sum, row.top_p, true);
        return select(goal, vec2(1u, 0u), all(goal == vec2(0u)));
    }
    return add(part(sum, random, false), vec2(1u, 0u));
}

fn place(by: u32, key: u32, id: u32) -> u32 {
    if by == BY_DISTANCE {
        return min(distance(key), FARTHEST);
    }
    return select(id, ~key, by == BY_KEY);
}

fn is_looked_at(key: u32, id: u32) -> bool {
    if key == 0u {
        return false;
    }
    for (var by = 0u; by < 3u; by++) {
        let at = place(by, key, id);
        if at < looked_at[by].x || at > looked_at[by].y {
            return false;
        }
    }
    return true;
}

// 0 past the vocabulary, which is no token's key.
fn keys_of(four: vec4<u32>) -> vec4<u32> {
    let at = start + min(four, vec4(params.vocab_size - 1u));
    return select(vec4(keys[at.x], keys[at.y], keys[at.z], keys[at.w]), vec4(0u), four >= vec4(params.vocab_size));
}

// The ids at four positions of the list, or of the vocabulary where there is no list.
fn ids_at(at: vec4<u32>, count: u32, listed: bool) -> vec4<u32> {
    var four = at;
    if listed {
        let inside = start + min(at, vec4(count - 1u));
        four = vec4(list[inside.x], list[inside.y], list[inside.z], list[inside.w]);
    }
    return select(four, vec4(ALL), at >= vec4(count));
}

// Counts a token, and has it among the few where there is room. Gives how many were before it.
fn keep_few(key: u32, id: u32) -> u32 {
    let at = atomicAdd(&few_count, 1u);
    if at < FEW {
        few_key[at] = key;
        few_id[at] = id;
    }
    return at;
}

// How many tokens were counted, which may be more than few.
fn few_counted(local: u32) -> u32 {
    workgroupBarrier();
    if local == 0u {
        counted = atomicLoad(&few_count);
    }
    return workgroupUniformLoad(&counted);
}

// Sums the masses of the part that is looked at, in bins by place.
fn tally(what: u32, by: u32, shift: u32, count: u32, listed: bool, local: u32) {
    for (var bin = local; bin < BINS; bin += INVOCATIONS) {
        atomicStore(&bins_low[bin], 0u);
        atomicStore(&bins_high[bin], 0u);
    }
    workgroupBarrier();
    for (var first = local; first < count; first += 4u * INVOCATIONS) {
        let four = ids_at(first + vec4(0u, 1u, 2u, 3u) * INVOCATIONS, count, listed);
        let four_keys = keys_of(four);
        for (var i = 0u; i < 4u; i++) {
            if !is_looked_at(four_keys[i], four[i]) {
                continue;
            }
            let one = mass(what, four_keys[i], four[i]);
            if one > 0u {
                let bin = (place(by, four_keys[i], four[i]) - looked_at[by].x) >> shift;
                // Each time that the low word runs over, one addition sees it.
                if atomicAdd(&bins_low[bin], one) > ~one {
                    atomicAdd(&bins_high[bin], 1u);
                }
            }
        }
    }
    workgroupBarrier();
}

// Finds the bin in which the sum reaches the goal; at the first level the sum of all bins says what the goal is.
fn find_bin(what: u32, level: u32, local: u32) {
    if local < GROUPS {
        var sum = vec2(0u);
        for (var i = 0u; i < GROUP; i++) {
            // Each invocation begins elsewhere in its group, since memory comes in as many banks as a group has bins.
            let bin = local * GROUP + (i + local) % GROUP;
            sum = add(sum, vec2(atomicLoad(&bins_low[bin]), atomicLoad(&bins_high[bin])));
        }
        groups[local] = sum;
    }
    workgroupBarrier();
    if local == 0u {
        if level == 0u {
            var sum = vec2(0u);
            for (var group = 0u; group < GROUPS; group++) {
                sum = add(sum, groups[group]);
            }
            goal = goal_of(what, sum);
            reached = vec2(0u);
        }
        var sum = reached;
        var bin = 0u;
        for (var group = 0u; group < GROUPS - 1u; group++) {
            let next = add(sum, groups[group]);
            if !less(next, goal) {
                break;
            }
            sum = next;
            bin += GROUP;
        }
        for (var i = 0u; i < GROUP - 1u; i++) {
            let next = add(sum, vec2(atomicLoad(&bins_low[bin]), atomicLoad(&bins_high[bin])));
            if !less(next, goal) {
                break;
            }
            sum = next;
            bin += 1u;
        }
        reached = sum;
        found_bin = bin;
    }
    workgroupBarrier();
}

// Counts the tokens of the part that is looked at, keeps the first few, and finds their extremes.
fn gather(what: u32, count: u32, listed: bool, local: u32) -> u32 {
    if local == 0u {
        atomicStore(&few_count, 0u);
    }
    if local < 4u {
        atomicStore(&extremes[local], select(0u, ALL, local % 2u == 0u));
    }
    workgroupBarrier();
    var by_key = vec2(ALL, 0u);
    var by_id = vec2(ALL, 0u);
    for (var first = local; first < count; first += 4u * INVOCATIONS) {
        let four = ids_at(first + vec4(0u, 1u, 2u, 3u) * INVOCATIONS, count, listed);
        let four_keys = keys_of(four);
        for (var i = 0u; i < 4u; i++) {
            let key = four_keys[i];
            if is_looked_at(key, four[i]) && mass(what, key, four[i]) > 0u {
                _ = keep_few(key, four[i]);
                by_key = vec2(min(by_key.x, ~key), max(by_key.y, ~key));
                by_id = vec2(min(by_id.x, four[i]), max(by_id.y, four[i]));
            }
        }
    }
    if by_id.x != ALL {
        atomicMin(&extremes[0], by_key.x);
        atomicMax(&extremes[1], by_key.y);
        atomicMin(&extremes[2], by_id.x);
        atomicMax(&extremes[3], by_id.y);
    }
    return few_counted(local);
}

// Finds among the few: each invocation sums the masses before one of them.
fn find_among_few(what: u32, count: u32, goal_known: bool, local: u32) {
    var key = 0u;
    var id = 0u;
    var own = 0u;
    if local < count {
        key = few_key[local];
        id = few_id[local];
        own = mass(what, key, id);
        few_mass[local] = own;
    }
    workgroupBarrier();
    if own > 0u {
        var sum = vec2(0u);
        var before = vec2(0u);
        for (var i = 0u; i < count; i++) {
            let one = vec2(few_mass[i], 0u);
            let same_key = what == DRAW || few_key[i] == key;
            sum = add(sum, one);
            if select(few_key[i] > key, few_id[i] < id, same_key) {
                before = add(before, one);
            }
        }
        var wanted = goal;
        if goal_known {
            before = add(before, reached);
        } else {
            wanted = goal_of(what, sum);
        }
        // True for one token alone.
        if less(before, wanted) && !less(add(before, vec2(own, 0u)), wanted) {
            found = vec2(key, id);
        }
    }
    workgroupBarrier();
}

// The (key, id) at which the sum of masses reaches the goal, among the first `count` of the list or of the vocabulary. If
// these are few, they are among the few already.
fn find(what: u32, count: u32, listed: bool, local: u32) -> vec2<u32> {
    var by = select(BY_DISTANCE, BY_ID, what == DRAW);
    looked_at[BY_DISTANCE] = vec2(0u, FARTHEST);
    looked_at[BY_KEY] = vec2(0u, ALL);
    looked_at[BY_ID] = vec2(0u, params.vocab_size - 1u);
    var left = count;
    for (var level = 0u; level < MOST_LEVELS && left > FEW; level++) {
        let before = looked_at[by];
        let shift = max(32u - countLeadingZeros(before.y - before.x), BIN_BITS) - BIN_BITS;
        tally(what, by, shift, count, listed, local);
        find_bin(what, level, local);
        let first = before.x + (found_bin << shift);
        looked_at[by] = vec2(first, first + min((1u << shift) - 1u, before.y - first));
        left = gather(what, count, listed, local);
        // The next histogram is spread over no more than what there is.
        looked_at[BY_KEY] = vec2(atomicLoad(&extremes[0]), atomicLoad(&extremes[1]));
        looked_at[BY_ID] = vec2(atomicLoad(&extremes[2]), atomicLoad(&extremes[3]));
        if by == BY_DISTANCE {
            by = BY_KEY;
        }
        if looked_at[BY_KEY].x == looked_at[BY_KEY].y {
            by = BY_ID;
        }
    }
    find_among_few(what, left, count > FEW, local);
    return found;
}
