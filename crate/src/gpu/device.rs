//! The device: its choice, its limits, and what went wrong on it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};

/// How a device is asked for.
#[derive(Debug, Clone, Default)]
pub struct GpuOptions {
    /// Only adapters whose name contains this, ignoring case (native only).
    pub adapter: Option<String>,
    /// Treat storage bindings as if they could not be larger than this many bytes: exercises sharding.
    pub max_binding_bytes: Option<u64>,
    /// Choose kernels as if the adapter were software, or were not, whatever it says.
    pub software: Option<bool>,
    /// Refuse an adapter that is software: the CPU executor is faster.
    pub hardware_only: bool,
}

/// An open device.
#[derive(Debug)]
pub struct Gpu {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    info: wgpu::AdapterInfo,
    /// The largest storage binding, in bytes.
    pub(super) max_binding_bytes: u64,
    /// True where the processor plays the GPU: barriers cost more than they gain.
    pub(super) software: bool,
    failure: Failure,
}

/// The first thing that the device reported on its own, outside the call that caused it.
#[derive(Debug, Clone, Default)]
struct Failure(Arc<Mutex<Option<String>>>);

impl Failure {
    fn set(&self, problem: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(problem);
    }

    fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Gpu {
    /// Opens the adapter that the system prefers for heavy work, with all the limits that it grants.
    ///
    /// # Errors
    /// [`Error::NoGpu`] where there is none, or where it refuses.
    pub async fn open(options: &GpuOptions) -> Result<Self> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let adapter = choose_adapter(&instance, options.adapter.as_deref()).await?;
        let info = adapter.get_info();
        let software = info.device_type == wgpu::DeviceType::Cpu;
        if software && options.hardware_only {
            return Err(Error::NoGpu { problem: format!("the only adapter is software ({})", info.name) });
        }
        let limits = adapter.limits();
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("web-mamba"),
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
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| uncaptured.set(error.to_string())));
        device.set_device_lost_callback(move |reason, message| {
            // A device that we drop reports this too; nobody is left to read it then.
            lost.set(format!("the device was lost ({reason:?}): {message}"));
        });
        let granted = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
        let max_binding_bytes = options.max_binding_bytes.map_or(granted, |bytes| bytes.min(granted));
        let software = options.software.unwrap_or(software);
        Ok(Self { device, queue, info, max_binding_bytes, software, failure })
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

    /// True where the adapter is a graphics card of its own, as far as it is known: a browser does not tell.
    pub(super) fn discrete(&self) -> bool {
        self.info.device_type == wgpu::DeviceType::DiscreteGpu
    }

    /// Turns what the device reported since it was opened into an error.
    pub(super) fn check(&self) -> Result<()> {
        match self.failure.get() {
            Some(problem) => Err(Error::Gpu { problem }),
            None => Ok(()),
        }
    }

    /// Waits natively until all submitted work is done; in a browser the event loop does that by itself.
    pub(super) fn wait(&self) -> Result<()> {
        match self.device.poll(wgpu::PollType::wait_indefinitely()) {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::Gpu { problem: error.to_string() }),
        }
    }

    /// Copies the start of a mappable buffer out: `floats` numbers.
    pub(super) async fn read_floats(&self, staging: &wgpu::Buffer, floats: usize) -> Result<Vec<f32>> {
        let bytes = 4 * floats as u64;
        let (sender, receiver) = futures_channel::oneshot::channel();
        staging.map_async(wgpu::MapMode::Read, ..bytes, move |result| {
            // The receiver is gone only where the caller stopped waiting.
            let _ = sender.send(result);
        });
        self.wait()?;
        let mapped = receiver.await;
        self.check()?;
        let failed = |problem: String| Error::Gpu { problem };
        match mapped {
            Ok(result) => result.map_err(|error| failed(error.to_string()))?,
            Err(_) => return Err(failed("the device dropped a read".into())),
        }
        let view = staging.get_mapped_range(..bytes).map_err(|error| failed(error.to_string()))?;
        let values = bytemuck::pod_collect_to_vec(&view);
        drop(view);
        staging.unmap();
        Ok(values)
    }
}

impl Drop for Gpu {
    /// Gives the device's memory back now. A browser would keep it until it collects the garbage, which knows nothing of the
    /// gigabytes behind a few small objects.
    fn drop(&mut self) {
        self.device.destroy();
    }
}

#[cfg(target_arch = "wasm32")]
async fn choose_adapter(instance: &wgpu::Instance, _name: Option<&str>) -> Result<wgpu::Adapter> {
    request_adapter(instance).await
}

#[cfg(not(target_arch = "wasm32"))]
async fn choose_adapter(instance: &wgpu::Instance, name: Option<&str>) -> Result<wgpu::Adapter> {
    let Some(name) = name else { return request_adapter(instance).await };
    let adapters = instance.enumerate_adapters(wgpu::Backends::all()).await;
    let names: Vec<_> = adapters.iter().map(|a| a.get_info().name).collect();
    let wanted = name.to_lowercase();
    let found = adapters.into_iter().find(|a| a.get_info().name.to_lowercase().contains(&wanted));
    found.ok_or_else(|| Error::NoGpu {
        problem: format!("no adapter is called `{name}`; there are {}", names.join(", ")),
    })
}

async fn request_adapter(instance: &wgpu::Instance) -> Result<wgpu::Adapter> {
    let options =
        wgpu::RequestAdapterOptions { power_preference: wgpu::PowerPreference::HighPerformance, ..Default::default() };
    instance.request_adapter(&options).await.map_err(|error| Error::NoGpu {
        // In a browser wgpu only lists the backends that it was not built with.
        problem: if cfg!(target_arch = "wasm32") {
            "this browser offers no WebGPU adapter".into()
        } else {
            error.to_string()
        },
    })
}
