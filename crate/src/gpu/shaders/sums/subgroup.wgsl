// Sums over invocations, by shuffles among SUBGROUP of them, at most as many as every subgroup of this adapter has, and
// through workgroup memory beyond. Invocations of a subgroup are taken to be neighbours in their workgroup, which no
// specification promises: the self-test at the start would find an adapter where they are not. All invocations of the
// workgroup must call them.

const GROUP_PARTS: u32 = max(LANES / SUBGROUP, 1u);
const WORKGROUP_PARTS: u32 = max(WORKGROUP / SUBGROUP, 1u);

var<workgroup> parts_of_lane_groups: array<f32, WORKGROUP_PARTS>;
var<workgroup> parts_of_workgroup: array<vec4<f32>, WORKGROUP_PARTS>;

// The sum over the LANES neighbouring invocations of a lane group, for each of them.
fn lane_group_sum(value: f32, local: u32) -> f32 {
    var sum = value;
    for (var mask = min(LANES, SUBGROUP) / 2u; mask > 0u; mask /= 2u) {
        sum += subgroupShuffleXor(sum, mask);
    }
    if GROUP_PARTS == 1u {
        return sum;
    }
    // Invocations that still read the last sum come first.
    workgroupBarrier();
    parts_of_lane_groups[local / SUBGROUP] = sum;
    workgroupBarrier();
    let first = local / LANES * GROUP_PARTS;
    sum = 0.0;
    for (var part = 0u; part < GROUP_PARTS; part++) {
        sum += parts_of_lane_groups[first + part];
    }
    return sum;
}

// The sum over the whole workgroup, for each invocation.
fn workgroup_sum(value: vec4<f32>, local: u32) -> vec4<f32> {
    var sum = value;
    for (var mask = min(WORKGROUP, SUBGROUP) / 2u; mask > 0u; mask /= 2u) {
        sum += subgroupShuffleXor(sum, mask);
    }
    workgroupBarrier();
    parts_of_workgroup[local / SUBGROUP] = sum;
    workgroupBarrier();
    sum = vec4(0.0);
    for (var part = 0u; part < WORKGROUP_PARTS; part++) {
        sum += parts_of_workgroup[part];
    }
    return sum;
}
