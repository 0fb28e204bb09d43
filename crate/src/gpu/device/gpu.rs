//! The device: what it grants, and what went wrong on it.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::adapter::{choose_adapter, has_subgroups};
use crate::error::{Error, Result};
use crate::executor::Activations;

/// How a device is asked for.
#[derive(Debug, Clone, Default)]
pub struct GpuOptions {
    /// Only adapters whose name contains this, ignoring case (native only).
    pub adapter: Option<String>,
    /// Treat storage bindings as if they could not be larger than this many bytes: models that need larger ones are refused.
    pub max_binding_bytes: Option<u64>,
    /// Split matrices as if storage bindings could not be larger than this many bytes: exercises sharding.
    pub max_shard_bytes: Option<u64>,
    /// Choose kernels as if the adapter were software, or were not, in place of what it says.
    pub software: Option<bool>,
    /// Refuse an adapter that is software: the CPU executor is faster.
    pub hardware_only: bool,
    /// Take only what every WebGPU adapter has: the default limits, and no optional features such as subgroups.
    pub default_limits: bool,
    /// Whether loading a model begins with a test of the adapter's kernels; by default on hardware. A software adapter takes
    /// seconds to compile them, and has no driver to doubt.
    pub self_test: Option<bool>,
    /// For tests of the self-test: a kernel, some text of its WGSL, and what is put in its place.
    #[doc(hidden)]
    pub corrupt: Option<[&'static str; 3]>,
}

/// An open device. Clones share it.
#[derive(Debug, Clone)]
pub struct Gpu {
    pub(in crate::gpu) device: wgpu::Device,
    /// Destroys the device with the last clone.
    _lease: Arc<Lease>,
    pub(in crate::gpu) queue: wgpu::Queue,
    info: wgpu::AdapterInfo,
    max_buffer_bytes: u64,
    /// The largest storage binding, in bytes.
    pub(in crate::gpu) max_binding_bytes: u64,
    /// The largest part of a matrix, in bytes.
    pub(in crate::gpu) max_shard_bytes: u64,
    /// True for a software adapter, which runs on the processor: barriers cost more than they gain.
    pub(in crate::gpu) software: bool,
    /// Invocations that a workgroup may have.
    pub(in crate::gpu) max_invocations: usize,
    /// Invocations that every subgroup has at least; 1 where kernels may not shuffle.
    subgroup_min: usize,
    /// True where WGSL multiplies packed bytes (`dot4I8Packed`).
    packed_products: bool,
    /// True where passes can be timed.
    pub(in crate::gpu) timestamps: bool,
    pub(in crate::gpu) corrupt: Option<[&'static str; 3]>,
    failure: Failure,
}

/// What a device grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Granted {
    /// The largest buffer, in bytes.
    pub max_buffer: u64,
    /// The largest storage binding, in bytes.
    pub max_binding: u64,
    /// Invocations that every subgroup has at least; 1 where kernels may not shuffle.
    pub subgroup: usize,
    /// True where 8-bit activations can be used.
    pub packed_products: bool,
    /// True where kernels can be timed by the device itself.
    pub timestamps: bool,
}

/// The first error that the device reported outside the call that caused it; the loss of the device replaces any other.
#[derive(Debug, Clone, Default)]
struct Failure(Arc<Mutex<Option<Error>>>);

impl Failure {
    fn set(&self, error: Error) {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if first.is_none() || matches!(error, Error::DeviceLost { .. }) {
            *first = Some(error);
        }
    }

    fn get(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Gpu {
    /// Opens the adapter that the system prefers for heavy work, with all the limits that it grants.
    ///
    /// # Errors
    /// [`Error::NoGpu`] where there is none, or where it refuses.
    pub async fn open(options: &GpuOptions) -> Result<Self> {
        #[cfg(target_arch = "wasm32")]
        if !crate::browser::has_gpus() {
            return Err(Error::NoGpu { problem: "this is neither a page nor a worker of one".into() });
        }
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let adapter = choose_adapter(&instance, options.adapter.as_deref()).await?;
        let info = adapter.get_info();
        let software = info.device_type == wgpu::DeviceType::Cpu;
        if software && options.hardware_only {
            return Err(Error::NoGpu { problem: format!("the only adapter is software ({})", info.name) });
        }
        let limits = if options.default_limits { wgpu::Limits::default() } else { adapter.limits() };
        let wanted = wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::SUBGROUP;
        let features = if options.default_limits { wgpu::Features::empty() } else { adapter.features() & wanted };
        let descriptor = wgpu::DeviceDescriptor {
            // `browser.js` knows our requests by this name, and asks for subgroups in them.
            label: Some(if options.default_limits { "web-mamba, default limits" } else { "web-mamba" }),
            required_features: features,
            required_limits: limits.clone(),
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..Default::default()
        };
        let (device, queue) = adapter
            .request_device(&descriptor)
            .await
            .map_err(|error| Error::NoGpu { problem: format!("{} refused: {error}", info.name) })?;
        let failure = Failure::default();
        let (uncaptured, lost) = (failure.clone(), failure.clone());
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            uncaptured.set(Error::Gpu { problem: error.to_string() });
        }));
        device.set_device_lost_callback(move |reason, message| {
            // A dropped device reports this too, and nothing reads it then.
            lost.set(Error::DeviceLost { problem: format!("{reason:?}: {message}") });
        });
        let granted = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
        let max_binding_bytes = options.max_binding_bytes.map_or(granted, |bytes| bytes.min(granted));
        let software = options.software.unwrap_or(software);
        let subgroups = !options.default_limits && has_subgroups(&device);
        let subgroup_min = if subgroups { (info.subgroup_min_size as usize).max(1) } else { 1 };
        let max_invocations = limits.max_compute_invocations_per_workgroup.min(limits.max_compute_workgroup_size_x);
        let packed_products =
            instance.wgsl_language_features().contains(wgpu::WgslLanguageFeatures::Packed4x8IntegerDotProduct);
        Ok(Self {
            _lease: Arc::new(Lease(device.clone())),
            packed_products,
            max_buffer_bytes: limits.max_buffer_size,
            corrupt: options.corrupt,
            timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
            max_invocations: max_invocations as usize,
            device,
            queue,
            info,
            max_binding_bytes,
            max_shard_bytes: options.max_shard_bytes.map_or(max_binding_bytes, |bytes| bytes.min(max_binding_bytes)),
            software,
            subgroup_min,
            failure,
        })
    }

    /// Of `lanes` neighbouring invocations, a power of two, how many are certain to be in one subgroup; 1 without subgroups.
    pub(in crate::gpu) fn subgroup(&self, lanes: usize) -> usize {
        let shared = self.subgroup_min.min(lanes);
        if shared.is_power_of_two() { shared } else { shared.next_power_of_two() / 2 }
    }

    /// What matrix products run fastest with.
    pub fn best_activations(&self) -> Activations {
        if self.software || !self.packed_products { Activations::F32 } else { Activations::Q8 }
    }

    /// The activations asked for, or the best.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for 8-bit activations where this WGSL cannot multiply packed bytes.
    pub fn activations(&self, wanted: Option<Activations>) -> Result<Activations> {
        match wanted {
            Some(Activations::Q8) if !self.packed_products => Err(Error::InvalidOption {
                option: "activations",
                found: "q8".into(),
                expected: "f32 on this GPU: its WGSL lacks packed_4x8_integer_dot_product",
            }),
            wanted => Ok(wanted.unwrap_or_else(|| self.best_activations())),
        }
    }

    /// True where kernels are chosen for a software adapter.
    pub fn is_software(&self) -> bool {
        self.software
    }

    /// What it grants.
    pub fn granted(&self) -> Granted {
        Granted {
            max_buffer: self.max_buffer_bytes,
            max_binding: self.max_binding_bytes,
            subgroup: self.subgroup_min,
            packed_products: self.packed_products,
            timestamps: self.timestamps,
        }
    }

    /// Invocations of a workgroup that owns a whole row.
    pub(in crate::gpu) fn row_workgroup(&self) -> usize {
        if self.software { 8 } else { 256 }
    }

    /// The WGSL as this platform takes it: browsers want an extension to be named that naga knows unnamed.
    pub(in crate::gpu) fn wgsl_for_platform(wgsl: &str) -> String {
        match cfg!(target_arch = "wasm32") && wgsl.contains("subgroupShuffleXor") {
            true => format!("enable subgroups;\n{wgsl}"),
            false => wgsl.into(),
        }
    }

    /// The adapter's name for people.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn adapter_name(&self) -> String {
        self.info.name.clone()
    }

    /// The adapter's name for people: its description where the browser tells it, else vendor and architecture.
    #[cfg(target_arch = "wasm32")]
    pub fn adapter_name(&self) -> String {
        let info = self.device.as_webgpu().map(|device| device.adapter_info());
        let Some(info) = info else { return self.info.name.clone() };
        // Browsers keep back what could identify a person: any of these may be empty.
        let description = info.description();
        let known = [info.vendor(), info.architecture()].into_iter().filter(|s| !s.is_empty()).collect::<Vec<_>>();
        match (description.is_empty(), known.is_empty()) {
            (false, _) => description,
            (true, false) => known.join(" "),
            (true, true) => "unnamed adapter".into(),
        }
    }

    /// `webgpu` in a browser; natively the API below, such as `vulkan`.
    pub fn kind(&self) -> &'static str {
        match self.info.backend {
            wgpu::Backend::BrowserWebGpu => "webgpu",
            wgpu::Backend::Vulkan => "vulkan",
            wgpu::Backend::Metal => "metal",
            wgpu::Backend::Dx12 => "dx12",
            wgpu::Backend::Gl => "gl",
            wgpu::Backend::Noop => "noop",
        }
    }

    /// True where the adapter is a graphics card of its own, as far as that is known: browsers do not say.
    pub(in crate::gpu) fn is_discrete(&self) -> bool {
        self.info.device_type == wgpu::DeviceType::DiscreteGpu
    }

    /// Turns what the device reported since it was opened into an error.
    pub(in crate::gpu) fn check(&self) -> Result<()> {
        match self.failure.get() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

/// Gives the device's memory back at once. A browser would keep it until it collects the garbage, which knows nothing of the
/// gigabytes behind a few small objects.
#[derive(Debug)]
struct Lease(wgpu::Device);

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.destroy();
    }
}
