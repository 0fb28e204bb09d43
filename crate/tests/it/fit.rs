//! One rule says whether a model fits, whether its numbers stand in the catalogue or come from the header of its file.

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use pollster::block_on;
use serde_json::Value as Json;
use web_mamba::engine::{BackendChoice, LoadOptions};
use web_mamba::fit::{
    self, ADDRESS_SPACE, CpuLimits, Fit, HostMemory, Limit, Limits, Requirements, judge, plan_with_memory,
};
use web_mamba::gguf::{Gguf, Value};
use web_mamba::model::ModelFile;
use web_mamba::model::arch::Architecture;
use web_mamba::model::arch::mamba::Mamba;
use web_mamba::quant::{DType, SplitMix64};
use web_mamba::source::{ByteSource, FileSource};
use web_mamba::synthetic::Synthetic;

const WEB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../web");
const GIB: u64 = 1 << 30;

/// A file of which the header alone is there.
struct HeaderSource {
    header: Vec<u8>,
    length: u64,
}

impl ByteSource for HeaderSource {
    fn name(&self) -> &str {
        "header"
    }

    fn len(&self) -> u64 {
        self.length
    }

    fn read(&self, offset: u64, length: usize) -> LocalBoxFuture<'_, web_mamba::Result<Vec<u8>>> {
        let mut bytes = self.header[offset as usize..].to_vec();
        bytes.resize(length, 0);
        Box::pin(std::future::ready(Ok(bytes)))
    }
}

/// The catalogue's entries: name, whether another has taken its place, and one file.
fn catalogue() -> Vec<(String, bool, Json)> {
    let models = std::fs::read(format!("{WEB}/models.json")).unwrap();
    let models: Vec<Json> = serde_json::from_slice(&models).unwrap();
    let files = |model: &Json| {
        let (name, replaced) = (model["name"].as_str().unwrap().to_owned(), model.get("replacedBy").is_some());
        let files = model["files"].as_array().unwrap().clone();
        files.into_iter().map(move |file| (name.clone(), replaced, file)).collect::<Vec<_>>()
    };
    models.iter().flat_map(files).collect()
}

fn requirements_of(file: &Json) -> Requirements {
    let number = |key: &str| file[key].as_u64().unwrap_or_else(|| panic!("{key} of {}", file["id"]));
    Requirements { memory: number("memory"), largest_binding: number("largestBinding"), ranks: number("ranks") as u32 }
}

/// A Mamba of random sizes, as a header.
fn random_model(random: &mut SplitMix64) -> Rc<dyn ByteSource> {
    let mut below = |most: u64| (random.bits() >> 16) % most;
    let d_model = 32 * (1 + below(160) as usize);
    let mamba = Mamba {
        d_model,
        d_inner: 2 * d_model,
        d_state: 16,
        d_conv: 4,
        dt_rank: 32 * (1 + below(8) as usize),
        n_layers: 1 + below(80) as usize,
        rms_eps: 1e-5,
        norm_dt_b_c: below(2) == 0,
    };
    let dtype = [DType::F32, DType::F16, DType::Q8_0, DType::Q4_0][below(4) as usize];
    let network = Rc::new(mamba).network(256 + below(200_000) as usize, below(2) == 0);
    let mut model = Synthetic::new(&network, |tensor| if tensor.elementwise { DType::F32 } else { dtype });
    model.pairs = vec![("general.name".into(), Value::String("random".into()))];
    let (header, length) = model.header();
    Rc::new(HeaderSource { header, length })
}

fn options(backend: BackendChoice) -> LoadOptions {
    LoadOptions { backend, ..LoadOptions::default() }
}

fn verdict_of(plan: &Fit) -> (bool, Option<Limit>, Vec<fit::Reason>) {
    (plan.fits, plan.problem.as_ref().and_then(|problem| problem.limit), plan.doubts.clone())
}

/// Judges by the numbers alone and by the header; gives whether it fits without a doubt.
fn check(
    numbers: &Requirements,
    source: &Rc<dyn ByteSource>,
    backend: BackendChoice,
    memory: Option<HostMemory>,
) -> bool {
    let plan = block_on(plan_with_memory(vec![source.clone()], &options(backend), memory)).unwrap();
    let gpu = plan.device.max_buffer.zip(plan.device.max_binding);
    let gpu = gpu.map(|(max_buffer, max_binding)| fit::GpuLimits { max_buffer, max_binding });
    let cpu = if gpu.is_some() { CpuLimits::Unused } else { CpuLimits::Native };
    let verdict = judge(numbers, &Limits { gpu, cpu, memory });
    let expected = (verdict.fits, verdict.problem.map(|problem| problem.code), verdict.doubts);
    assert_eq!(verdict_of(&plan), expected, "{numbers:?} {memory:?}");
    plan.fits && plan.doubts.is_empty()
}

/// Memories from less than a model needs to more than enough, and none that is known.
fn memories(needed: u64) -> Vec<Option<HostMemory>> {
    let some = |bytes, at_least| Some(HostMemory { bytes, at_least });
    let all = [needed - 1, needed, needed / 3 * 4 - 8, needed / 3 * 4 + 8, 64 * GIB];
    all.into_iter().flat_map(|bytes| [some(bytes, false), some(bytes, true)]).chain([None]).collect()
}

#[test]
fn the_demo_model_is_judged_alike_by_the_catalogue_and_by_its_file() {
    let all = catalogue();
    let (_, _, demo) = all.first().unwrap();
    let path = format!("{WEB}/public/{}", demo["urls"][0].as_str().unwrap());
    let source: Rc<dyn ByteSource> = Rc::new(FileSource::open(path.as_ref()).unwrap());
    let file = ModelFile::of(block_on(Gguf::open(vec![source.clone()])).unwrap()).unwrap();
    let numbers = requirements_of(demo);
    assert_eq!(numbers, fit::requirements(&file), "run scripts/catalogue");
    for memory in memories(numbers.memory) {
        check(&numbers, &source, BackendChoice::Cpu, memory);
        #[cfg(feature = "gpu")]
        check(&numbers, &source, BackendChoice::WebGpu, memory);
    }
}

#[test]
fn random_shapes_are_judged_alike_by_numbers_and_by_their_header() {
    let mut random = SplitMix64::new(19);
    let (mut certain, mut uncertain) = (0, 0);
    for _ in 0..12 {
        let source = random_model(&mut random);
        let plan = block_on(fit::plan(vec![source.clone()], &options(BackendChoice::Cpu))).unwrap();
        let numbers = plan.requirements;
        assert!(numbers.memory >= plan.needs.total && numbers.largest_binding >= plan.needs.largest_binding);
        // Each worker holds a part, and not much more than its part.
        let parts = numbers.memory.div_ceil(ADDRESS_SPACE) as u32;
        assert!((parts..=2 * parts + 1).contains(&numbers.ranks), "{numbers:?}");
        for memory in memories(numbers.memory) {
            let held = check(&numbers, &source, BackendChoice::Cpu, memory);
            *(if held { &mut certain } else { &mut uncertain }) += 1;
            assert!(!held || memory.is_some_and(|memory| numbers.memory <= memory.bytes), "{numbers:?} {memory:?}");
        }
    }
    assert!(certain >= 36 && uncertain >= 36, "{certain} {uncertain}");
}

/// What stands in the catalogue of files that are elsewhere can be: it holds what is downloaded, and its ranks hold it.
#[test]
fn every_entry_of_the_catalogue_says_what_it_requires() {
    let mut by_model: Vec<(String, u64, u32)> = Vec::new();
    for (name, _, file) in catalogue() {
        let Requirements { memory, largest_binding, ranks } = requirements_of(&file);
        let bytes = file["bytes"].as_u64().unwrap();
        assert!(memory > bytes && largest_binding > 0 && largest_binding < memory, "{file}");
        assert!(memory <= u64::from(ranks) * ADDRESS_SPACE, "{file}");
        by_model.push((name, memory, ranks));
    }
    // More bits of the same model never take fewer workers.
    for (name, memory, ranks) in &by_model {
        assert!(
            by_model.iter().all(|(other, less, of_less)| other != name || less > memory || of_less <= ranks),
            "{name}"
        );
    }
}
