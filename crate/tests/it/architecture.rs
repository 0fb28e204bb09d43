//! The invariants of ARCHITECTURE.md that a compiler does not check, read from the sources. Those of `web/` alone are held
//! by the tests there.

use std::path::{Path, PathBuf};

use crate::support::rust_source::RustSource;
use web_mamba::gpu::{KERNELS, SAMPLING_KERNELS};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every file below a folder of the repository with one of these extensions: its path from the root, and its text.
fn files(folder: &str, extensions: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).unwrap_or_else(|error| panic!("{folder}: {error}")) {
            let entry = entry.unwrap();
            let path = format!("{folder}/{}", entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if extensions.iter().any(|extension| path.ends_with(&format!(".{extension}"))) {
                found.push((path, std::fs::read_to_string(entry.path()).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no files of {extensions:?}");
    found.sort();
    found
}

/// The library's and the tool's Rust files, tests left out, as (path below `crate/src`, file).
fn rust_files() -> Vec<(String, RustSource)> {
    let all = files("crate/src", &["rs"]).into_iter();
    let all = all.map(|(path, text)| (path.strip_prefix("crate/src/").unwrap().to_owned(), RustSource::new(&text)));
    all.filter(|(path, _)| !path.ends_with("/tests.rs") && !path.contains("/tests/")).collect()
}

/// No file outside of those that `inside` accepts may hold one of the words.
fn only_inside(inside: impl Fn(&str) -> bool, text: impl Fn(&RustSource) -> String, words: &[&str]) {
    let mut inside_uses_them = false;
    for (path, source) in rust_files() {
        let text = text(&source);
        let found = words.iter().find(|&&word| text.contains(word));
        if inside(&path) {
            inside_uses_them |= found.is_some();
        } else if let Some(word) = found {
            panic!("`{word}` does not belong in crate/src/{path}");
        }
    }
    assert!(inside_uses_them, "nothing uses {words:?}: this test looks for the wrong words");
}

fn code(source: &RustSource) -> String {
    source.code.clone()
}

fn strings(source: &RustSource) -> String {
    source.strings.join("\n")
}

#[test]
fn only_gpu_knows_wgpu() {
    only_inside(|path| path.starts_with("gpu/"), code, &["wgpu"]);
}

#[test]
fn only_architectures_know_tensor_names() {
    let names = ["blk.", "token_embd", "ssm_", "attn_norm", "output_norm"];
    only_inside(|path| path.starts_with("model/arch/"), strings, &names);
}

/// An architecture is known by its lists. The first version of state files knew Mamba's sizes alone, and the tool has those of
/// published models.
#[test]
fn only_architectures_are_known_by_name() {
    let inside = |path: &str| path.starts_with("model/arch/") || path == "snapshot/read.rs" || path.starts_with("bin/");
    only_inside(inside, code, &["arch::mamba", "arch::toy", "Mamba {", "Toy {"]);
}

#[test]
fn only_web_knows_javascript() {
    let inside = |path: &str| ["web.rs", "browser.rs"].contains(&path) || path.starts_with("web/");
    only_inside(inside, code, &["JsValue", "wasm_bindgen"]);
}

/// From the ground up.
const LAYERS: [&str; 25] = [
    "error",
    "source",
    "quant",
    "gguf",
    "model",
    "synthetic",
    "pause",
    "stop",
    "tokenizer",
    "constraint",
    "sampler",
    "browser",
    "instruments",
    "executor",
    "cpu",
    "gpu",
    "fingerprint",
    "snapshot",
    "checkpoints",
    "engine",
    "generate",
    "fit",
    "measure",
    "web",
    "bin",
];

/// A part names only parts below it.
#[test]
fn imports_go_down() {
    let layer = |name: &str| LAYERS.iter().position(|layer| *layer == name);
    for (path, source) in rust_files().iter().filter(|(path, _)| path != "lib.rs") {
        let part = path.split('/').next().unwrap().trim_end_matches(".rs");
        let own = layer(part).unwrap_or_else(|| panic!("crate/src/{path} is of no layer"));
        let code = source.run_time_code();
        for (at, _) in code.match_indices("crate::") {
            let name: String = code[at + 7..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            // The error type is named from the root too; in the tool `crate` is itself.
            let Some(other) = layer(&name).filter(|_| part != "bin") else { continue };
            assert!(other <= own, "crate/src/{path} names `{name}`, which is above it");
        }
    }
}

/// The rooms of `gpu`, from the ground up: folders, and the file that puts them together.
const GPU_ROOMS: [&str; 7] = ["device", "kernels", "resources", "lowering", "run", "executor", "tools"];

/// The room that a path below `crate/src` lies in.
fn gpu_room(path: &str) -> Option<&str> {
    path.strip_prefix("gpu/").map(|rest| rest.split('/').next().unwrap().trim_end_matches(".rs"))
}

/// What is wrong with the imports of a file of a room: another room is named by its path from the root, and lies below.
fn wrong_gpu_import(room: &str, depth: usize, code: &str) -> Option<String> {
    let layer = |name: &str| GPU_ROOMS.iter().position(|room| *room == name);
    let own = layer(room).unwrap_or_else(|| panic!("gpu/{room} is no room"));
    let out_of_room = "super::".repeat(depth);
    if code.contains(&out_of_room) {
        return Some(format!("it leaves its room by `{out_of_room}`"));
    }
    for (at, _) in code.match_indices("crate::gpu::") {
        let name: String = code[at + 12..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        match layer(&name) {
            None => return Some(format!("`crate::gpu::{name}` is no room")),
            Some(other) if other > own => return Some(format!("`{name}` is above it")),
            Some(_) => {}
        }
    }
    None
}

/// In `gpu` a room names only rooms below it.
#[test]
fn gpu_rooms_import_downwards() {
    let mut rooms = std::collections::BTreeSet::new();
    for (path, source) in rust_files().iter().filter(|(path, _)| path != "gpu/mod.rs") {
        let Some(room) = gpu_room(path) else { continue };
        // A module's parent is its folder, and the parent of `gpu/executor.rs` and of a room's `mod.rs` is `gpu`.
        let depth = path.matches('/').count() - usize::from(path.ends_with("/mod.rs"));
        let wrong = wrong_gpu_import(room, depth, &source.run_time_code());
        assert_eq!(wrong, None, "crate/src/{path}");
        rooms.insert(room.to_owned());
    }
    assert_eq!(rooms, GPU_ROOMS.map(String::from).into(), "a room has no file");
    assert_eq!(wrong_gpu_import("lowering", 2, "use crate::gpu::device::Gpu; use super::steps::Steps;"), None);
    for code in ["use crate::gpu::run::Runner;", "use crate::gpu::Gpu;", "use super::super::run;", "crate::gpu::{run}"]
    {
        assert!(wrong_gpu_import("lowering", 2, code).is_some(), "`{code}` is let through");
    }
}

/// The executor is put together in one file: no other adds methods to it, and no part shows its fields.
#[test]
fn the_gpu_executor_is_one_file_of_parts() {
    let parts = ["GpuExecutor", "LoadedModel", "Runner", "RunAhead", "Sequences"];
    let mut found = Vec::new();
    for (path, source) in rust_files().iter().filter(|(path, _)| path.starts_with("gpu/")) {
        for part in parts {
            if source.code.contains(&format!("\nimpl {part} {{")) {
                found.push((part, path.clone()));
            }
            if let Some((_, body)) = source.code.split_once(&format!("pub struct {part} {{")) {
                let fields = &body[..body.find("\n}").unwrap()];
                assert!(!fields.contains("pub"), "a field of {part} in crate/src/{path} is not private");
            }
        }
    }
    let files: Vec<_> = parts.iter().map(|part| found.iter().filter(|(name, _)| name == part).count()).collect();
    assert_eq!(files, vec![1; parts.len()], "each part has its methods in one file: {found:?}");
}

/// Files and sockets are behind `ByteSource`; of the engine, only the source of files opens any.
#[test]
fn only_the_file_source_and_the_tool_touch_files() {
    only_inside(|path| path == "source.rs" || path.starts_with("bin/"), code, &["std::fs", "std::net"]);
}

#[test]
fn model_reads_nothing() {
    let words = ["std::fs", "std::io", "ByteSource", ".read(", "async ", ".await"];
    for (path, source) in rust_files().iter().filter(|(path, _)| path.starts_with("model/")) {
        let found = words.iter().find(|&&word| source.code.contains(word));
        assert_eq!(found, None, "crate/src/{path} is to know no I/O");
    }
}

/// Whatever a user or a server supplies is answered with an `Error`. A slip of our own may stop the program, and says how.
#[test]
fn nothing_panics_without_a_message() {
    for (path, source) in rust_files() {
        for (number, line) in (1..).zip(source.code.lines()) {
            let words = [".unwrap()", ".expect(", "panic!(", "todo!", "unimplemented!", "unreachable!()"];
            let found = words.iter().find(|&&word| line.contains(word));
            assert_eq!(found, None, "crate/src/{path}, line {number}");
        }
        let code = source.run_time_code();
        for (name, arguments) in [("assert!(", 1), ("assert_eq!(", 2), ("assert_ne!(", 2)] {
            for (at, _) in code.match_indices(name).filter(|(at, _)| !code[..*at].ends_with("debug_")) {
                let call = &code[at + name.len()..];
                let line = code[..at].lines().count();
                assert!(commas(call) >= arguments, "crate/src/{path}, about line {line}: an {name}) without a message");
            }
        }
    }
}

/// Commas between the arguments of a call, given what follows its opening parenthesis; a trailing one does not count.
fn commas(call: &str) -> usize {
    let (mut depth, mut commas, mut after_comma) = (0, 0, false);
    for c in call.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => return commas - usize::from(after_comma),
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => commas += 1,
            _ => {}
        }
        after_comma = depth == 0 && c == ',' || after_comma && c.is_whitespace();
    }
    panic!("a call does not end");
}

/// One name, one thing: a row of the table is a WGSL file, whose header names the CPU's functions that it is held to; one of
/// them has its name where the kernel is not several steps fused, or one of several forms of a product.
#[test]
fn every_kernel_is_a_shader_and_a_cpu_function() {
    let cpu = std::fs::read_to_string(root().join("crate/src/cpu/kernels.rs")).unwrap();
    for kernel in &KERNELS {
        let path = format!("crate/src/gpu/shaders/{}.wgsl", kernel.name);
        let shader = std::fs::read_to_string(root().join(&path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        let twins = shader.split("Twin: cpu::kernels::").nth(1).and_then(|rest| rest.split('.').next());
        let twins: Vec<_> = twins.unwrap_or_else(|| panic!("{path} names no twin")).split([' ', ',']).collect();
        let twins: Vec<_> = twins.into_iter().filter(|word| !["", "then", "and"].contains(word)).collect();
        for twin in &twins {
            assert!(cpu.contains(&format!("pub fn {twin}(")), "{path}: cpu/kernels.rs has no function {twin}");
        }
        // Two kernels may be the halves of one function.
        let is_of = |twin: &&str| kernel.name == *twin || kernel.name.starts_with(&format!("{twin}_"));
        assert!(twins.len() > 1 || twins == ["matmul"] || twins.iter().all(is_of), "{path} is held to {twins:?}");
    }
}

/// The twins of the kernels that sample are the sampler's filters.
#[test]
fn every_sampling_kernel_is_a_shader_and_a_filter() {
    let filters = std::fs::read_to_string(root().join("crate/src/sampler/filters.rs")).unwrap();
    for kernel in &SAMPLING_KERNELS {
        let path = format!("crate/src/gpu/shaders/{}.wgsl", kernel.name);
        let shader = std::fs::read_to_string(root().join(&path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        let (_, twin) = shader.split_once("Twin: sampler::filters::").unwrap_or_else(|| panic!("{path} names no twin"));
        let (twin, _) = twin.split_once('.').unwrap();
        assert!(filters.contains(&format!("pub fn {twin}(")), "sampler/filters.rs has no function {twin}");
    }
}

#[test]
fn every_shader_file_is_used() {
    let composed: String = ["compose", "units"]
        .map(|name| std::fs::read_to_string(root().join(format!("crate/src/gpu/kernels/{name}.rs"))).unwrap())
        .concat();
    for (path, _) in files("crate/src/gpu/shaders", &["wgsl"]) {
        let name = path.strip_prefix("crate/src/gpu/shaders/").unwrap().strip_suffix(".wgsl").unwrap();
        let used = match name.split_once('/') {
            Some((_, part)) => {
                composed.contains(&format!("\"{part}\"")) || composed.contains(&format!("/{part}.wgsl\""))
            }
            None => KERNELS.iter().chain(&SAMPLING_KERNELS).any(|kernel| kernel.name == name),
        };
        assert!(used, "{path} is neither a kernel of the table nor composed into one");
    }
}

/// The sources of this repository: `web/engine/pkg` and `pkg-relaxed` are what building the crate leaves there.
fn sources() -> impl Iterator<Item = (String, String)> {
    let crate_files = files("crate/src", &["rs", "wgsl", "js", "ts"]);
    let web_files = files("web/src", &["ts"]).into_iter().chain(files("web/engine/src", &["ts"]));
    crate_files.into_iter().chain(web_files)
}

#[test]
fn files_are_named_after_what_they_do() {
    let crate_tests = files("crate/tests", &["rs"]);
    for (path, _) in sources().chain(crate_tests) {
        let mut words = path.split(['/', '-', '_', '.']);
        let empty = ["util", "utils", "helper", "helpers", "common", "misc", "manager"];
        assert_eq!(words.find(|word| empty.contains(word)), None, "{path} has a name that says nothing");
    }
}

/// The tests above read code by a few rules of their own; these are what they rest on.
#[test]
fn sources_are_taken_apart() {
    let words = |code: &str| code.split_whitespace().collect::<Vec<_>>().join(" ");
    let source = RustSource::new(concat!(
        "let a = \"// \\\" blk.\"; // .unwrap()\n",
        "/* wgpu\n */ let b = r#\"raw \" text\"#; let c = ['\"', '\\'', '{']; fn f<'a>() {}\n",
        "#[cfg(test)]\nmod tests {\n    fn g() { panic!(\"x\") }\n}\nlet d = br\"y\";\n",
        "const _: () = {\n    assert!(a);\n};\nconst { assert!(a) };\nassert!(b);\n",
    ));
    assert_eq!(source.strings, ["\"// \\\" blk.\"", "r#\"raw \" text\"#", "br\"y\""]);
    let code = "let a = \" \"; let b = \" \"; let c = [ , , ]; fn f<'a>() {} let d = \" \";";
    assert_eq!(words(&source.run_time_code()), format!("{code} ; ; assert!(b);"));
    assert!(source.code.contains("assert!(a)") && !source.code.contains("panic"));
    assert_eq!(words(&RustSource::new("#[cfg(test)]\nmod tests;\nlet a = 1;").code), "let a = 1;");
    assert_eq!([commas("a(b, c), d)"), commas("a == b,\n)"), commas(")")], [1, 0, 0]);
}
