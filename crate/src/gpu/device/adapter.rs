//! The choice of an adapter, and what wgpu does not say of it on the web.

use crate::error::{Error, Result};

#[cfg(not(target_arch = "wasm32"))]
pub fn has_subgroups(device: &wgpu::Device) -> bool {
    device.features().contains(wgpu::Features::SUBGROUP)
}

/// wgpu does not know the feature's name on the web; `web.js` asks for it in its place.
#[cfg(target_arch = "wasm32")]
pub fn has_subgroups(device: &wgpu::Device) -> bool {
    device.as_webgpu().is_some_and(|device| device.features().has("subgroups"))
}

#[cfg(target_arch = "wasm32")]
pub async fn choose_adapter(instance: &wgpu::Instance, _name: Option<&str>) -> Result<wgpu::Adapter> {
    request_adapter(instance).await
}

#[cfg(not(target_arch = "wasm32"))]
pub async fn choose_adapter(instance: &wgpu::Instance, name: Option<&str>) -> Result<wgpu::Adapter> {
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
