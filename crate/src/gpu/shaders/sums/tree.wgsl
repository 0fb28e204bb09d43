// Sums over invocations, through workgroup memory. All invocations of the workgroup must call them.

var<workgroup> sums_of_teams: array<f32, WORKGROUP>;
var<workgroup> sums_of_workgroup: array<vec4<f32>, WORKGROUP>;

// The sum over the LANES neighbouring invocations of a team, for each of them.
fn team_sum(value: f32, local: u32) -> f32 {
    if LANES == 1u {
        return value;
    }
    // Whoever still reads the last sum comes first.
    workgroupBarrier();
    sums_of_teams[local] = value;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local % LANES < half {
            sums_of_teams[local] += sums_of_teams[local + half];
        }
    }
    workgroupBarrier();
    return sums_of_teams[local - local % LANES];
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
