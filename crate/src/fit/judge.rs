//! The one rule that says whether a device can hold a model. It is a pure function of numbers, so that a list of models, of which only
//! these numbers are known, and the header of a file are judged alike.

use serde::Serialize;

/// What one wasm memory can address, in bytes: a page's worker on the CPU has one of its own.
pub const ADDRESS_SPACE: u64 = u32::MAX as u64;

/// A GPU whose largest buffer is smaller than the model divided by this may have too little memory in all.
const DOUBTFUL_PART: u64 = 4;

/// The part of a device's memory that a model may take without a doubt, as a fraction: the system and the browser need some too.
const USABLE_MEMORY: (u64, u64) = (3, 4);

/// What a model requires of any device. Nothing here depends on the device, so that a list of models can carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Requirements {
    /// Bytes of weights, state and activations, on the backend that takes more of them.
    pub memory: u64,
    /// Bytes of the largest thing that must lie in one storage binding of a GPU.
    pub largest_binding: u64,
    /// The fewest workers of a page that hold it together on the CPU, each in an [`ADDRESS_SPACE`]; 0 where no number of them does.
    pub ranks: u32,
}

/// What a device has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// None where there is no GPU, or it is not to be used.
    pub gpu: Option<GpuLimits>,
    /// What the CPU can hold.
    pub cpu: CpuLimits,
    /// None where it is unknown.
    pub memory: Option<HostMemory>,
}

/// What a GPU grants, in bytes. No API reports its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GpuLimits {
    /// The largest buffer: a hint of the memory.
    pub max_buffer: u64,
    /// The largest storage binding.
    pub max_binding: u64,
}

/// What the CPU can address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CpuLimits {
    /// The CPU is not to be used.
    Unused,
    /// One address space without a bound, as native programs have.
    Native,
    /// Workers of a page, at most this many, each with an [`ADDRESS_SPACE`].
    Workers(u32),
}

/// The memory of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostMemory {
    /// Bytes.
    pub bytes: u64,
    /// There may be more: browsers say no more than a certain number.
    pub at_least: bool,
}

/// What decides against a model, or speaks against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Limit {
    /// Something must lie in one storage binding, and the GPU's are smaller.
    GpuBinding,
    /// No GPU can be used, and the CPU's workers cannot address it together.
    NoGpu,
    /// The device has less memory, or hardly more.
    Memory,
    /// The device's memory is unknown, or known only to be more than too little.
    MemoryUnknown,
    /// The largest buffer of the GPU hints at too little memory.
    GpuMemory,
    /// It runs, on the CPU, and takes more than one worker to hold: slowly.
    Slow,
}

/// A [`Limit`] with its numbers, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Which limit.
    pub code: Limit,
    /// Bytes that are needed.
    pub needed: u64,
    /// Bytes that are there; none where that is unknown.
    pub available: Option<u64>,
}

/// What a device makes of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether the device can hold it, as far as its limits say.
    pub fits: bool,
    /// Where it would run, or else where it comes nearest to that.
    pub backend: Backend,
    /// Why it does not fit, or why a GPU that is there is not used.
    pub problem: Option<Reason>,
    /// What speaks against it where it fits, the weightiest first. Without one, the device can hold it.
    pub doubts: Vec<Reason>,
}

/// What runs a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// The GPU.
    Gpu,
    /// The CPU.
    Cpu,
}

/// Judges a model by its requirements and a device's limits.
pub fn judge(model: &Requirements, device: &Limits) -> Verdict {
    let gpu = device.gpu.map(|gpu| binding_problem(model, gpu));
    let cpu = cpu_problem(model, device.cpu);
    let (backend, placed) = match (gpu, cpu) {
        (Some(None), _) => (Backend::Gpu, true),
        (_, None) => (Backend::Cpu, true),
        // Where neither holds it, the GPU's limits are the ones to know.
        (Some(_), _) => (Backend::Gpu, false),
        (None, _) => (Backend::Cpu, false),
    };
    let too_little = device.memory.filter(|memory| !memory.at_least && model.memory > memory.bytes);
    let too_little =
        too_little.map(|memory| Reason { code: Limit::Memory, needed: model.memory, available: Some(memory.bytes) });
    let of_backend = if device.gpu.is_some() { gpu.flatten() } else { cpu };
    let problem = if placed { too_little.or(of_backend) } else { of_backend };
    let fits = placed && too_little.is_none();
    let doubts = if fits { doubts(model, device, backend) } else { Vec::new() };
    Verdict { fits, backend, problem, doubts }
}

fn binding_problem(model: &Requirements, gpu: GpuLimits) -> Option<Reason> {
    let (needed, available) = (model.largest_binding, gpu.max_binding);
    (needed > available).then_some(Reason { code: Limit::GpuBinding, needed, available: Some(available) })
}

fn cpu_problem(model: &Requirements, cpu: CpuLimits) -> Option<Reason> {
    let workers = match cpu {
        CpuLimits::Native => return None,
        CpuLimits::Unused => 0,
        CpuLimits::Workers(workers) => workers,
    };
    let holds = model.ranks != 0 && model.ranks <= workers;
    // Of what cannot be shared out, one address space must hold all.
    let shared = if model.ranks == 0 { workers.min(1) } else { workers };
    let available = Some(ADDRESS_SPACE.saturating_mul(shared.into()));
    (!holds).then_some(Reason { code: Limit::NoGpu, needed: model.memory, available })
}

/// What speaks against a model that fits.
fn doubts(model: &Requirements, device: &Limits, backend: Backend) -> Vec<Reason> {
    let needed = model.memory;
    let reason = |code, available| Reason { code, needed, available };
    let (part, whole) = USABLE_MEMORY;
    let memory = match device.memory {
        None => Some(reason(Limit::MemoryUnknown, None)),
        Some(memory) if needed > memory.bytes / whole * part => {
            let code = if memory.at_least { Limit::MemoryUnknown } else { Limit::Memory };
            Some(reason(code, Some(memory.bytes)))
        }
        Some(_) => None,
    };
    let of_backend = match (backend, device.gpu, device.cpu) {
        (Backend::Gpu, Some(gpu), _) => {
            (needed / DOUBTFUL_PART > gpu.max_buffer).then(|| reason(Limit::GpuMemory, Some(gpu.max_buffer)))
        }
        (Backend::Cpu, _, CpuLimits::Workers(_)) => (model.ranks > 1).then(|| reason(Limit::Slow, Some(ADDRESS_SPACE))),
        _ => None,
    };
    // What is known comes before what is unknown.
    let unknown = memory.is_some_and(|memory| memory.code == Limit::MemoryUnknown);
    let doubts = if unknown && backend == Backend::Gpu { [of_backend, memory] } else { [memory, of_backend] };
    doubts.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::SplitMix64;

    const GIB: u64 = 1 << 30;
    /// A model of 7 billion parameters in 4 bits.
    const MODEL: Requirements = Requirements { memory: 4_400_000_000, largest_binding: 100 << 20, ranks: 2 };
    const GPU: GpuLimits = GpuLimits { max_buffer: 4 * GIB, max_binding: 2 * GIB };
    const DEVICE: Limits = Limits { gpu: Some(GPU), cpu: CpuLimits::Workers(8), memory: memory(8, true) };

    const fn memory(gib: u64, at_least: bool) -> Option<HostMemory> {
        Some(HostMemory { bytes: gib * GIB, at_least })
    }

    fn check(model: Requirements, device: Limits) -> (bool, Backend, Option<Limit>, Vec<Limit>) {
        let verdict = judge(&model, &device);
        let codes = verdict.doubts.iter().map(|doubt| doubt.code).collect();
        (verdict.fits, verdict.backend, verdict.problem.map(|problem| problem.code), codes)
    }

    #[test]
    fn each_limit_decides_or_is_a_doubt() {
        use Backend::{Cpu, Gpu};
        use Limit::{GpuBinding, GpuMemory, Memory, MemoryUnknown, NoGpu, Slow};
        let small_buffers = GpuLimits { max_buffer: GIB, ..GPU };
        let small_bindings = GpuLimits { max_binding: 1 << 20, ..GPU };
        let without_gpu = Limits { gpu: None, ..DEVICE };
        let alone = CpuLimits::Workers(1);
        let whole = Requirements { ranks: 0, ..MODEL };
        let small = Requirements { memory: GIB, largest_binding: 1 << 20, ranks: 1 };
        type Case = (&'static str, Requirements, Limits, (bool, Backend, Option<Limit>, Vec<Limit>));
        #[rustfmt::skip]
        let cases: [Case; 16] = [
            ("a GPU and memory", MODEL, DEVICE, (true, Gpu, None, vec![])),
            ("unknown memory", MODEL, Limits { memory: None, ..DEVICE }, (true, Gpu, None, vec![MemoryUnknown])),
            ("unknown memory, a small model", small, Limits { memory: None, ..DEVICE }, (true, Gpu, None, vec![MemoryUnknown])),
            ("8 GiB or more, of which more is needed", MODEL, Limits { memory: memory(5, true), ..DEVICE }, (true, Gpu, None, vec![MemoryUnknown])),
            ("hardly enough memory", MODEL, Limits { memory: memory(5, false), ..DEVICE }, (true, Gpu, None, vec![Memory])),
            ("too little memory", MODEL, Limits { memory: memory(4, false), ..DEVICE }, (false, Gpu, Some(Memory), vec![])),
            ("small buffers", MODEL, Limits { gpu: Some(small_buffers), ..DEVICE }, (true, Gpu, None, vec![GpuMemory])),
            ("small buffers, unknown memory", MODEL, Limits { gpu: Some(small_buffers), memory: None, ..DEVICE }, (true, Gpu, None, vec![GpuMemory, MemoryUnknown])),
            ("small bindings", MODEL, Limits { gpu: Some(small_bindings), ..DEVICE }, (true, Cpu, Some(GpuBinding), vec![Slow])),
            ("small bindings, one core", MODEL, Limits { gpu: Some(small_bindings), cpu: alone, ..DEVICE }, (false, Gpu, Some(GpuBinding), vec![])),
            ("no GPU", MODEL, without_gpu, (true, Cpu, None, vec![Slow])),
            ("no GPU, unknown memory", MODEL, Limits { memory: None, ..without_gpu }, (true, Cpu, None, vec![MemoryUnknown, Slow])),
            ("no GPU, a small model", small, without_gpu, (true, Cpu, None, vec![])),
            ("no GPU, one core", MODEL, Limits { cpu: alone, ..without_gpu }, (false, Cpu, Some(NoGpu), vec![])),
            ("no GPU, not to be shared", whole, without_gpu, (false, Cpu, Some(NoGpu), vec![])),
            ("natively", whole, Limits { cpu: CpuLimits::Native, ..without_gpu }, (true, Cpu, None, vec![])),
        ];
        for (name, model, device, expected) in cases {
            assert_eq!(check(model, device), expected, "{name}");
        }
    }

    #[test]
    fn reasons_have_their_numbers() {
        let alone = Limits { gpu: None, cpu: CpuLimits::Workers(1), ..DEVICE };
        let problem = judge(&MODEL, &alone).problem.map(|problem| (problem.needed, problem.available));
        assert_eq!(problem, Some((MODEL.memory, Some(ADDRESS_SPACE))));
        let whole = Requirements { ranks: 0, ..MODEL };
        let many = Limits { cpu: CpuLimits::Workers(8), ..alone };
        assert_eq!(judge(&whole, &many).problem.and_then(|problem| problem.available), Some(ADDRESS_SPACE));
        let small = Limits { memory: memory(4, false), ..DEVICE };
        assert_eq!(judge(&MODEL, &small).problem.and_then(|problem| problem.available), Some(4 * GIB));
    }

    /// Of a larger model a device never says more good than of a smaller one, and of a better device never less.
    #[test]
    fn more_is_needed_never_helps_and_more_is_there_never_harms() {
        let mut random = SplitMix64::new(7);
        let mut random = || random.bits() >> 8;
        for _ in 0..20_000 {
            let model = Requirements {
                memory: random() % (16 * GIB),
                largest_binding: random() % (4 * GIB),
                ranks: (random() % 5) as u32,
            };
            let device = Limits {
                gpu: (random() % 2 == 0)
                    .then(|| GpuLimits { max_buffer: random() % (8 * GIB), max_binding: random() % (4 * GIB) }),
                cpu: [CpuLimits::Unused, CpuLimits::Native, CpuLimits::Workers((random() % 8) as u32)]
                    [random() as usize % 3],
                memory: (random() % 3 > 0)
                    .then(|| HostMemory { bytes: random() % (16 * GIB), at_least: random() % 2 == 0 }),
            };
            let verdict = judge(&model, &device);
            assert!(verdict.fits || verdict.problem.is_some() && verdict.doubts.is_empty(), "{model:?} {device:?}");
            let held = verdict.fits && verdict.doubts.is_empty();
            assert!(!held || device.memory.is_some(), "unknown memory is a doubt: {model:?} {device:?}");
            let smaller =
                Requirements { memory: model.memory / 2, largest_binding: model.largest_binding / 2, ..model };
            assert!(!verdict.fits || judge(&smaller, &device).fits, "{model:?} {device:?}");
            let lighter = judge(&smaller, &device);
            // Once its binding fits, a GPU takes it, which has doubts of its own.
            let moved = lighter.backend != verdict.backend;
            assert!(!held || moved || lighter.doubts.is_empty(), "{model:?} {device:?}");
            let better = Limits { memory: memory(64, true), ..device };
            assert!(!verdict.fits || judge(&model, &better).fits, "{model:?} {device:?}");
        }
    }
}
