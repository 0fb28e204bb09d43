//! The functions of `sampling/arithmetic.wgsl` against those of `sampler/arithmetic.rs`.

use super::*;
use crate::sampler::arithmetic::{clean, part, weight};
use crate::sampler::prepared::Prepared;

/// Of two words `a` and `b` everything that the arithmetic makes of them, in the first row's units.
const ARITHMETIC: &str = "
    @group(0) @binding(0) var<uniform> params: Params;
    @group(0) @binding(2) var<storage, read> words: array<vec2<u32>>;
    @group(0) @binding(3) var<storage, read> rows: array<Row>;
    @group(0) @binding(6) var<storage, read_write> results: array<array<u32, 9>>;

    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3<u32>) {
        let a = words[id.x].x;
        let b = words[id.x].y;
        let row = rows[0];
        let one = bitcast<f32>(clean(a));
        let other = bitcast<f32>(clean(b));
        let high = max(one, other);
        let low = min(one, other);
        let rounded_down = part(vec2(a, b & 0x7ffffu), ~a, false);
        let rounded_up = part(vec2(a & 0xff0000u, 0u), b & 0xff0000u, true);
        results[id.x] = array(
            clean(a),
            bitcast<u32>(logit_of(key_of(one))),
            select(0u, 1u, key_of(one) < key_of(other)),
            bitcast<u32>(penalised(row, one, b % 70000u + 1u)),
            distance_by(params.unit_factor, params.unit_limit, high, low),
            distance_by(row.temperature_factor, row.temperature_limit, high, low),
            weight(b),
            rounded_down.x ^ rounded_down.y,
            rounded_up.x ^ rounded_up.y,
        );
    }
";

fn arithmetic_of_the_processor(prepared: &Prepared, a: u32, b: u32) -> [u32; 9] {
    let (one, other) = (f32::from_bits(clean(a)), f32::from_bits(clean(b)));
    let (high, low) = (one.max(other), one.min(other));
    let (rounded_down, _) = part(u64::from(b & 0x7ffff) << 32 | u64::from(a), !a);
    let (rounded_up, exact) = part(u64::from(a & 0xff0000), b & 0xff0000);
    let rounded_up = rounded_up + u64::from(!exact);
    let folded = |sum: u64| (sum >> 32) as u32 ^ sum as u32;
    [
        clean(a),
        clean(a),
        (one < other).into(),
        prepared.penalties.apply(one, b % 70_000 + 1).to_bits(),
        Scale::new(1.0).distance(high, low),
        prepared.temperature.distance(high, low),
        weight(b),
        folded(rounded_down),
        folded(rounded_up),
    ]
}

#[test]
fn arithmetic_is_alike_to_the_last_bit() {
    const WORDS: usize = 64 * 1024;
    let rig = Rig::new(1, 1, 1, 256);
    let device = &rig.gpu.device;
    let uniforms = Uniforms::new(&rig.gpu, rig.shape);
    let wgsl = compose_sampling(&SAMPLE_MAXIMA, 256).split("@group").next().unwrap().to_owned() + ARITHMETIC;
    let mut pipelines = Pipelines::default();
    let pipeline = pipelines.get(&rig.gpu, Program::new(&rig.gpu, &SAMPLE_MAXIMA, wgsl));
    let make = |words, usage| {
        let size = 4 * words as u64;
        device.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
    };
    let storage = wgpu::BufferUsages::STORAGE;
    let words = make(2 * WORDS, storage | wgpu::BufferUsages::COPY_DST);
    let results = make(9 * WORDS, storage | wgpu::BufferUsages::COPY_SRC);
    let staging = make(9 * WORDS, wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
    let [unused_input, unused_output] = [make(4, storage), make(4, storage)];
    let buffers = [&words, &rig.sampler.rows, &unused_input, &unused_input, &results, &unused_output];
    let resources = uniforms.of_step(0).into_iter().chain(buffers.map(|buffer| buffer.as_entire_binding()));
    let bind_group = pipelines.bind_group(&rig.gpu, &SAMPLE_MAXIMA, resources);

    let mut random = Random(11);
    for case in 0..30 {
        let options = SamplerOptions { temperature: 0.7, penalty_last_n: 64, ..make_options(5, &mut random) };
        let options =
            if case % 2 == 0 { options } else { SamplerOptions { temperature: 50.0 * random.unit(), ..options } };
        let sampler = Sampler::new(options.clone()).unwrap();
        rig.sampler.start(0, &sampler);
        let pair = |random: &mut Random| match random.below(3) {
            0 => [random.next() as u32, random.next() as u32],
            // What logits are like, and what distances are like.
            1 => [(5.0 * random.normal()).to_bits(), (5.0 * random.normal()).to_bits()],
            _ => [random.of(&ODD).to_bits(), random.next() as u32 >> random.below(32)],
        };
        let pairs: Vec<[u32; 2]> = (0..WORDS).map(|_| pair(&mut random)).collect();
        rig.gpu.queue.write_buffer(&words, 0, bytemuck::cast_slice(&pairs));
        let mut encoder = device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &bind_group, &[]);
        pass.dispatch_workgroups(WORDS as u32 / 64, 1, 1);
        drop(pass);
        encoder.copy_buffer_to_buffer(&results, 0, &staging, 0, staging.size());
        rig.gpu.queue.submit([encoder.finish()]);
        let found = block_on(rig.gpu.read_floats(&staging, 9 * WORDS)).unwrap();
        for ([a, b], found) in pairs.into_iter().zip(found.chunks(9)) {
            let found: Vec<u32> = found.iter().map(|word| word.to_bits()).collect();
            let expected = arithmetic_of_the_processor(sampler.prepared(), a, b);
            assert_eq!(found, expected, "{a:#x} and {b:#x} with {options:?}");
        }
    }
}
