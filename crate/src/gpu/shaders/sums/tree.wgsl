// Sums over invocations, through workgroup memory. All invocations of the workgroup must call them.

var<workgroup> sums_of_lane_groups: array<f32, WORKGROUP>;
var<workgroup> sums_of_workgroup: array<vec4<f32>, WORKGROUP>;

// The sum over the LANES neighbouring invocations of a lane group, for each of them.
fn lane_group_sum(value: f32, local: u32) -> f32 {
    if LANES == 1u {
        return value;
    }
    // Invocations that still read the last sum come first.
    workgroupBarrier();
    sums_of_lane_groups[local] = value;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local % LANES < half {
            sums_of_lane_groups[local] += sums_of_lane_groups[local + half];
        }
    }
    workgroupBarrier();
    return sums_of_lane_groups[local - local % LANES];
}

// The sum over the whole workgroup, for each invocation.
fn workgroup_sum(value: vec4<f32>, local: u32) -> vec4<f32> {
    workgroupBarrier();
    sums_of_workgroup[local] = value;
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local < half {
            sums_of_workgroup[local] += sums_of_workgroup[local + half];
        }
    }
    workgroupBarrier();
    return sums_of_workgroup[0];
}
