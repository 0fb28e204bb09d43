// Reads a whole buffer, as fast as the device can: what bounds a token, which reads every weight once.
// data: (VECTORS); sums: one word an invocation, so that no read can be left out.
// Grid: (GROUPS, 1, 1); neighbouring invocations read neighbouring vectors.

@group(0) @binding(0) var<storage, read> data: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> sums: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    // Four at a time: reads that wait for one another would measure delay instead.
    var sum = array<vec4<u32>, 4>();
    for (var i = id.x; i < VECTORS; i += 4u * INVOCATIONS) {
        sum[0] ^= data[i];
        sum[1] ^= data[i + INVOCATIONS];
        sum[2] ^= data[i + 2u * INVOCATIONS];
        sum[3] ^= data[i + 3u * INVOCATIONS];
    }
    let all = sum[0] ^ sum[1] ^ sum[2] ^ sum[3];
    sums[id.x] = all.x ^ all.y ^ all.z ^ all.w;
}
