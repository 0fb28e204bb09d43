//! The very bits of the CPU's logits with 8-bit activations, for every golden file: each instruction set gives them, and the page's
//! tests hold both wasm builds to the same ones (`tests/e2e/bits.test.ts`).

use std::collections::BTreeMap;

use crate::support::emulated_stride;
use crate::support::golden::{self, Golden, folder, open, prefill};
use twox_hash::XxHash3_128;
use web_mamba::cpu::CpuExecutor;
use web_mamba::cpu::simd::Isa;
use web_mamba::executor::Activations;

/// XXH3-128 of the logits after each prompt, as little-endian f32.
fn hashes(golden: &Golden, isa: Isa) -> Vec<String> {
    let file = open(&folder().join("models").join(&golden.file));
    let mut ignore = |_| {};
    let load = CpuExecutor::load(&file, Activations::Q8, &mut ignore);
    let mut executor = pollster::block_on(load).unwrap();
    executor.set_isa(isa);
    let last = |ids: &[u32], executor: &mut CpuExecutor| prefill(executor, ids).pop().unwrap();
    let bytes = |logits: Vec<f32>| logits.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let hash = |bytes: Vec<u8>| format!("{:032x}", XxHash3_128::oneshot(&bytes));
    golden.cases.iter().map(|case| hash(bytes(last(&case.ids, &mut executor)))).collect()
}

/// `WEB_MAMBA_RECORD=1` writes them anew, after a change that is meant to round otherwise.
#[test]
fn every_instruction_set_gives_the_recorded_bits() {
    let path = folder().join("bits.json");
    let goldens = golden::all();
    if std::env::var_os("WEB_MAMBA_RECORD").is_some() {
        let all: BTreeMap<_, _> = goldens.iter().map(|golden| (&golden.file, hashes(golden, Isa::Portable))).collect();
        std::fs::write(&path, serde_json::to_string_pretty(&all).unwrap() + "\n").unwrap();
    }
    let recorded: BTreeMap<String, Vec<String>> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(recorded.len(), goldens.len(), "each golden file has its bits");
    // A thread a file: an emulator takes its time.
    std::thread::scope(|scope| {
        for golden in goldens.iter().step_by(emulated_stride(3)) {
            scope.spawn(|| {
                for isa in Isa::available() {
                    assert_eq!(hashes(golden, isa), recorded[&golden.file], "{}, {isa:?}", golden.file);
                }
            });
        }
    });
}
