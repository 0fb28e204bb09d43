//! Every shader that can be composed is valid WGSL under the limits that WebGPU promises everywhere, and is laid out as the
//! executor binds it.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::unit_shader::{quants_shader, unit_shader};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, Module, ScalarKind, ShaderStage, StorageAccess, TypeInner};
use web_mamba::executor::Activations;
use web_mamba::gpu::{
    DecodeScan, KERNELS, Kernel, LaneGroups, Layout, PrefillScan, SAMPLING_KERNELS, Tile, Variant, WkvScan, compose,
    compose_group, compose_sampling,
};
use web_mamba::model::Function;
use web_mamba::quant::{DType, UNIT_LEN};

// The default limits of the WebGPU specification.
const MAX_STORAGE_BUFFERS: u32 = 8;
const MAX_WORKGROUP_BYTES: u32 = 16_384;
const MAX_INVOCATIONS: u32 = 256;
const MAX_WORKGROUP_SIZE: [u32; 3] = [256, 256, 64];

/// (d_state, d_conv, columns, head_size): of every published model, the smallest, and the largest that are accepted; of heads also
/// the largest for which four tokens, or two, are brought together.
const SIZES: [(usize, usize, usize, usize); 5] =
    [(16, 4, 4096, 64), (1, 1, 256, 16), (256, 16, 1 << 16, 256), (16, 4, 4096, 80), (16, 4, 4096, 160)];

const FUNCTIONS: [Option<Function>; 4] =
    [None, Some(Function::Tanh), Some(Function::Sigmoid), Some(Function::SquaredRelu)];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gpu").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn parse(name: &str, source: &str) -> Module {
    let module = naga::front::wgsl::parse_str(source)
        .unwrap_or_else(|error| panic!("{name}:\n{}", error.emit_to_string(source)));
    // No capability beyond those that an adapter is asked for: a shader that needs another must not pass.
    Validator::new(ValidationFlags::all(), Capabilities::SUBGROUP)
        .validate(&module)
        .unwrap_or_else(|error| panic!("{name}:\n{}", error.emit_to_string(source)));
    module
}

/// Each kernel as composed for every type (one that decodes nothing is the same for all), sizes, activations, and the shapes
/// that fit default limits.
fn for_every_shader(mut check: impl FnMut(&Kernel, &str, &Module)) {
    for kernel in &SAMPLING_KERNELS {
        check(kernel, kernel.name, &parse(kernel.name, &compose_sampling(kernel, MAX_INVOCATIONS)));
    }
    for kernel in &KERNELS {
        for dtype in DType::all().filter(|&dtype| kernel.decodes() || dtype == DType::F32) {
            if kernel.name == "matmul_q8" && dtype.block_len() == 1 {
                continue;
            }
            for variant in variants(kernel, dtype) {
                let name = format!("{} for {variant:?}", kernel.name);
                check(kernel, &name, &parse(&name, &compose(kernel, &variant)));
            }
        }
    }
}

fn variants(kernel: &Kernel, dtype: DType) -> Vec<Variant> {
    let mut variants = Vec::new();
    for (d_state, d_conv, columns, head_size) in SIZES {
        for activations in [Activations::F32, Activations::Q8] {
            if kernel.name == "matmul_q8" && activations == Activations::F32 {
                continue;
            }
            // The one that is written over shuffles is not made without them.
            let subgroups: &[usize] = if kernel.name == "matvec_many" { &[4, 8, 16, 32] } else { &[1, 4] };
            for &subgroup in subgroups {
                // dt, B and C of more columns are not fused to one kernel.
                let columns = if kernel.name == "dt_scan" { columns.min(2048) } else { columns };
                let sizes = Variant {
                    columns,
                    out_columns: columns,
                    d_state,
                    d_conv,
                    head_size,
                    subgroup,
                    ..Variant::of(dtype, activations)
                };
                let shapes = shapes(sizes, kernel);
                let shapes = shapes.into_iter().filter(|shape| subgroups.contains(&shape.subgroup));
                variants.extend(shapes.flat_map(|shape| all_of(kernel, shape)));
            }
        }
    }
    variants
}

/// The sizes with each function, and in each layout that the kernel writes: `out_project` leaves activations alone.
fn all_of(kernel: &Kernel, v: Variant) -> Vec<Variant> {
    let has_function = ["elementwise", "function_project"].contains(&kernel.name) && v.dtype == DType::F32;
    let functions = if has_function { &FUNCTIONS[..] } else { &FUNCTIONS[..1] };
    let plain = kernel.name != "out_project" && v.dtype == DType::F32;
    let layouts = [Layout::Activations, Layout::Plain].into_iter().take(if plain { 2 } else { 1 });
    let with = |out_layout| functions.iter().map(move |&function| Variant { function, out_layout, ..v });
    layouts.flat_map(with).collect()
}

/// The fewest and the most of everything.
fn shapes(v: Variant, kernel: &Kernel) -> Vec<Variant> {
    let is_tiled = kernel.name.starts_with("matmul");
    let tiles = Tile::all(kernel.name == "matmul_q8");
    let wkv_scan = if kernel.name == "wkv7_gate" { WkvScan::for_token } else { WkvScan::for_chunk };
    let wide = Variant {
        lane_groups: LaneGroups { lanes: 32, rows: 2, groups: 8 },
        tile: tiles[0],
        decode_scan: DecodeScan { channels: 32, lanes: 8 },
        prefill_scan: PrefillScan { channels: 16, lanes: 4, steps: if v.d_state > 100 { 4 } else { 16 } },
        wkv_scan: wkv_scan(2 * v.subgroup, MAX_INVOCATIONS as usize, v.head_size),
        mixtures: 8,
        workgroup: 64,
        ..v
    };
    let narrow = Variant {
        subgroup: 1,
        lane_groups: LaneGroups { lanes: 1, rows: 1, groups: 16 },
        tile: Tile::default(),
        decode_scan: DecodeScan { channels: 16, lanes: 1 },
        prefill_scan: PrefillScan { channels: 16, lanes: 1, steps: 1 },
        wkv_scan: wkv_scan(1, MAX_INVOCATIONS as usize, v.head_size),
        ..v
    };
    let others = tiles[1..].iter().map(|&tile| Variant { tile, ..wide });
    [wide, narrow].into_iter().chain(others.filter(|_| is_tiled)).collect()
}

/// Types of one grouped product, as many as it can have, whose matrices have all widths and lanes that occur together.
#[test]
fn groups_of_any_types_are_valid() {
    let types: Vec<_> = DType::all().collect();
    for (turn, activations) in (0..types.len()).flat_map(|turn| [(turn, Activations::F32), (turn, Activations::Q8)]) {
        let kind = |index: usize| {
            let lanes = [1, 4, 32, 128][(turn + index) % 4];
            let rows = if lanes == 1 { 1 } else { 1 + index % 2 };
            Variant {
                columns: 256 << (index % 4),
                subgroup: [1, 4, 32][turn % 3].min(lanes),
                lane_groups: LaneGroups { lanes, rows, groups: 128 / lanes },
                ..Variant::of(types[(turn + index) % types.len()], activations)
            }
        };
        let kinds: Vec<_> = (0..8).map(kind).collect();
        let module = parse("group_project", &compose_group(&kinds));
        let [entry] = module.entry_points.as_slice() else { panic!("not one entry point") };
        assert_eq!(entry.workgroup_size, [128, 1, 1]);
        let shared = module.global_variables.iter().filter(|(_, global)| global.space == AddressSpace::WorkGroup);
        let bytes: u32 = shared.map(|(_, global)| module.types[global.ty].inner.size(module.to_ctx())).sum();
        assert!(bytes <= MAX_WORKGROUP_BYTES, "{bytes} bytes of workgroup memory for {kinds:?}");
    }
}

#[test]
fn every_shader_is_valid_and_within_default_limits() {
    for_every_shader(|_, name, module| {
        let [entry] = module.entry_points.as_slice() else { panic!("{name} has not one entry point") };
        assert_eq!((entry.name.as_str(), entry.stage), ("main", ShaderStage::Compute), "{name}");
        let size = entry.workgroup_size;
        assert!(size.iter().product::<u32>() <= MAX_INVOCATIONS, "{name}: workgroup of {size:?}");
        assert!(size.iter().zip(MAX_WORKGROUP_SIZE).all(|(&size, max)| size <= max), "{name}: workgroup of {size:?}");

        let bytes_in = |space| {
            let globals = module.global_variables.iter().filter(move |(_, global)| global.space == space);
            globals.map(|(_, global)| module.types[global.ty].inner.size(module.to_ctx())).sum::<u32>()
        };
        let workgroup = bytes_in(AddressSpace::WorkGroup);
        assert!(workgroup <= MAX_WORKGROUP_BYTES, "{name}: {workgroup} bytes of workgroup memory");
        // Safari fails on arrays of `override` size, and nothing here needs the others.
        assert!(module.overrides.is_empty(), "{name} has overrides");
    });
}

/// Binding 0 `params`, binding 1 `batch` or `step`, both uniform; from 2 on the table's inputs, read-only, then its outputs.
#[test]
fn every_shader_binds_what_the_table_says() {
    for_every_shader(|kernel, name, module| {
        let mut bindings = BTreeMap::new();
        for (_, global) in module.global_variables.iter() {
            let Some(binding) = global.binding else { continue };
            assert_eq!(binding.group, 0, "{name}");
            let global_name = global.name.as_deref().unwrap();
            assert_eq!(bindings.insert(binding.binding, (global_name, global.space)), None, "{name}: bound twice");
        }
        assert_eq!(bindings.get(&0), Some(&("params", AddressSpace::Uniform)), "{name}");
        if let Some((second, space)) = bindings.remove(&1) {
            assert!(["batch", "step"].contains(&second) && space == AddressSpace::Uniform, "{name}: {second}");
        }
        bindings.remove(&0);
        let (reads, writes) = (StorageAccess::LOAD, StorageAccess::LOAD | StorageAccess::STORE);
        let access = [(kernel.inputs, reads), (kernel.outputs, writes)].into_iter();
        let storage = access.flat_map(|(count, access)| (0..count).map(move |_| AddressSpace::Storage { access }));
        let expected: Vec<_> = (2..).zip(storage).collect();
        let found: Vec<_> = bindings.into_iter().map(|(binding, (_, space))| (binding, space)).collect();
        assert_eq!(found, expected, "{name}");
        assert!(kernel.inputs + kernel.outputs <= MAX_STORAGE_BUFFERS, "{name}");
    });
}

/// The fields of the struct that a line of WGSL says it is the twin of, as `gpu/kernels/params.rs` has them: (name, WGSL type).
fn twin_fields(name: &str, params: &str, twin: &str) -> Vec<(String, &'static str)> {
    let start = format!("pub struct {twin} {{\n");
    let (_, body) =
        params.split_once(&start).unwrap_or_else(|| panic!("{name}: no struct {twin} in gpu/kernels/params.rs"));
    let (body, _) = body.split_once("\n}").unwrap();
    let fields = body.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.strip_suffix(',')?.split_once(": "));
    fields
        .map(|(field, ty)| match ty {
            "u32" => (field.to_owned(), "u32"),
            "f32" => (field.to_owned(), "f32"),
            _ => panic!("{twin}.{field} is {ty}, which no uniform of WGSL has"),
        })
        .collect()
}

#[test]
fn uniform_structs_are_their_twins() {
    let params = read("kernels/params.rs");
    for_every_shader(|kernel, name, module| {
        // What several kernels share stands in a file of its own.
        let source = match SAMPLING_KERNELS.iter().any(|other| other.name == kernel.name) {
            true => compose_sampling(kernel, MAX_INVOCATIONS),
            false if kernel.name.starts_with("matmul") || kernel.name == "matvec_many" => {
                read("shaders/shared/matmul_params.wgsl")
            }
            false => read(&format!("shaders/{}.wgsl", kernel.name)),
        };
        let mut structs = 0;
        for (struct_name, twin) in source.lines().filter_map(|line| {
            let (struct_name, comment) = line.strip_prefix("struct ")?.split_once(" {")?;
            Some((struct_name, comment.trim().strip_prefix("// twin: params::")))
        }) {
            let twin = twin.unwrap_or_else(|| panic!("{name}: struct {struct_name} names no twin"));
            let (_, ty) = module.types.iter().find(|(_, ty)| ty.name.as_deref() == Some(struct_name)).unwrap();
            let TypeInner::Struct { members, .. } = &ty.inner else { panic!("{name}: {struct_name} is no struct") };
            let fields: Vec<_> = members
                .iter()
                .map(|member| {
                    let wgsl_type = match module.types[member.ty].inner.scalar().map(|scalar| scalar.kind) {
                        Some(ScalarKind::Uint) => "u32",
                        Some(ScalarKind::Float) => "f32",
                        other => panic!("{name}: {struct_name} has a member of {other:?}"),
                    };
                    (member.name.clone().unwrap(), wgsl_type)
                })
                .collect();
            assert_eq!(fields, twin_fields(name, &params, twin), "{name}: {struct_name}");
            structs += 1;
        }
        assert!(structs >= 1, "{name} declares no struct of parameters");
    });
}

/// Every kernel, and how its header names the function that it is held to.
fn twins() -> impl Iterator<Item = (&'static Kernel, &'static str)> {
    let of_plans = KERNELS.iter().map(|kernel| (kernel, "Twin: cpu::kernels::"));
    of_plans.chain(SAMPLING_KERNELS.iter().map(|kernel| (kernel, "Twin: sampler::")))
}

#[test]
fn every_shader_file_says_what_it_computes() {
    for (kernel, twins) in twins() {
        let source = read(&format!("shaders/{}.wgsl", kernel.name));
        let header: Vec<_> = source.lines().take_while(|line| line.starts_with("// ")).collect();
        let header = header.join(" ");
        // The formula; the grid; the function that the kernel is held to.
        for part in ["=", "Grid: (", twins] {
            assert!(header.contains(part), "the header of {}.wgsl has no `{part}`", kernel.name);
        }
    }
    for dtype in DType::all() {
        let source = read(&format!("shaders/units/{}.wgsl", dtype.name().to_lowercase()));
        assert!(
            source.starts_with(&format!("// {dtype}")),
            "the header of {dtype}'s units does not begin with its name"
        );
    }
}

fn u32_constant(module: &Module, name: &str) -> u32 {
    let (_, constant) = module.constants.iter().find(|(_, constant)| constant.name.as_deref() == Some(name)).unwrap();
    match module.global_expressions[constant.init] {
        naga::Expression::Literal(naga::Literal::U32(value)) => value,
        ref other => panic!("{name} is {other:?}"),
    }
}

/// Each type's units stand alone, and their constants are those of the device layout.
#[test]
fn every_type_has_units_of_its_layout() {
    for dtype in DType::all() {
        let module = parse(dtype.name(), &unit_shader(dtype));
        assert_eq!(u32_constant(&module, "BLOCK_LEN") as usize, dtype.block_len(), "{dtype}");
        assert_eq!(u32_constant(&module, "UNIT_LEN") as usize, UNIT_LEN, "{dtype}");
        if dtype.block_len() > 1 {
            parse(dtype.name(), &quants_shader(dtype));
        }
    }
}

/// The lengths of a run and of a unit are composed into a kernel as constants, and no shader has them as numbers. Files of units
/// speak of blocks; sampling has neither runs nor units; in `matvec_many` such numbers are lanes.
#[test]
fn runs_and_units_have_one_length() {
    let others = ["/units/", "/sampling/", "/sample_", "/matvec_many.wgsl", "/bandwidth.wgsl"];
    let mut named = 0;
    for (path, text) in shader_files() {
        let path = path.replace('\\', "/");
        if others.iter().any(|other| path.contains(other)) {
            continue;
        }
        for line in text.lines().map(|line| line.split("//").next().unwrap_or_default()) {
            let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            let is_shift = line.contains("<<") || line.contains(">>");
            let number = words.clone().find(|word| ["16", "16u", "32", "32u"].contains(word));
            // A shift by 16 bits is of a word's halves.
            assert!(is_shift || number.is_none(), "{path}: `{}` has a length as a number", line.trim());
            named += usize::from(words.any(|word| word == "RUN_LEN"));
        }
    }
    assert!(named > 20, "only {named} lines name the length of a run");
}

/// That loops end is what lets them run unbounded (`gpu/resources/pipelines.rs`): each has a counter, which its condition compares and only its
/// own step changes, one way.
#[test]
fn every_loop_ends() {
    let mut loops = 0;
    for (path, text) in shader_files() {
        let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default().trim());
        for line in lines.filter(|line| !line.is_empty()) {
            assert!(!line.starts_with("loop") && !line.starts_with("while"), "{path}: `{line}` has no counter");
            let Some(header) = line.strip_prefix("for (var ") else {
                assert!(!line.starts_with("for"), "{path}: `{line}` has no counter of its own");
                continue;
            };
            let [start, condition, step] = header.split(';').map(str::trim).collect::<Vec<_>>()[..] else {
                panic!("{path}: `{line}` is not read by this test")
            };
            let counter = start.split(' ').next().unwrap();
            let up = condition
                .split(" && ")
                .any(|c| c.starts_with(&format!("{counter} < ")) || c.contains(&format!("* {counter} < ")));
            let down = condition == format!("{counter} > 0u");
            let step = step.trim_end_matches(") {");
            let steps_up = step == format!("{counter}++") || step.starts_with(&format!("{counter} += "));
            let steps_down = step == format!("{counter} /= 2u");
            assert!(up && steps_up || down && steps_down, "{path}: `{line}` may not end");
            let changed = |body: &str| {
                let assigned = [" = ", " += ", " -= ", " *= ", "++", "--"].map(|op| format!("{counter}{op}"));
                let names_it = |at: usize| !body[..at].ends_with(|c: char| c.is_alphanumeric() || "_.".contains(c));
                assigned.iter().any(|a| body.match_indices(a.as_str()).any(|(at, _)| names_it(at)))
            };
            let body = body_of(&text, line);
            assert!(!changed(body), "{path}: the body of `{line}` changes its counter");
            loops += 1;
        }
    }
    assert!(loops > 80, "only {loops} loops found");
}

/// What is between the braces that a line opens.
fn body_of<'a>(text: &'a str, line: &str) -> &'a str {
    let body = &text[text.find(line).unwrap() + line.len()..];
    let mut depth = 1;
    let end = body.find(|c: char| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth == 0
    });
    &body[..end.unwrap()]
}

fn shader_files() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gpu")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "wgsl") {
                found.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}
