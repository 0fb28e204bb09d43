//! Pipelines and bind group layouts, each made once.

use std::collections::HashMap;

use super::Gpu;
use super::kernels::{Kernel, Variant, compose};

/// The pipelines of one model, by the WGSL that they run.
#[derive(Default)]
pub struct Pipelines {
    made: HashMap<String, wgpu::ComputePipeline>,
    layouts: Layouts,
}

/// Bind group layouts, by numbers of inputs and outputs.
#[derive(Default)]
struct Layouts(HashMap<(u32, u32), wgpu::BindGroupLayout>);

impl Layouts {
    /// Binding 0 the step's parameters, 1 the batch, then inputs, then outputs.
    fn get(&mut self, device: &wgpu::Device, kernel: &Kernel) -> wgpu::BindGroupLayout {
        let entry = |binding, ty| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
            count: None,
        };
        let make = || {
            let storage = |read_only| wgpu::BufferBindingType::Storage { read_only };
            let first_output = 2 + kernel.inputs;
            let entries: Vec<_> = (0..2)
                .map(|binding| entry(binding, wgpu::BufferBindingType::Uniform))
                .chain((2..first_output + kernel.outputs).map(|b| entry(b, storage(b < first_output))))
                .collect();
            device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries })
        };
        self.0.entry((kernel.inputs, kernel.outputs)).or_insert_with(make).clone()
    }
}

impl Pipelines {
    /// A bind group of a kernel's resources, in the order of their bindings.
    pub fn bind_group<'b>(
        &mut self,
        gpu: &Gpu,
        kernel: &Kernel,
        resources: impl Iterator<Item = wgpu::BindingResource<'b>>,
    ) -> wgpu::BindGroup {
        let layout = self.layouts.get(&gpu.device, kernel);
        let entries: Vec<_> =
            resources.zip(0..).map(|(resource, binding)| wgpu::BindGroupEntry { binding, resource }).collect();
        let label = Some(kernel.name);
        gpu.device.create_bind_group(&wgpu::BindGroupDescriptor { label, layout: &layout, entries: &entries })
    }

    /// The pipeline of a kernel's variant.
    pub fn get(&mut self, gpu: &Gpu, kernel: &'static Kernel, variant: &Variant) -> wgpu::ComputePipeline {
        let wgsl = corrupted(gpu, kernel, compose(kernel, variant));
        if let Some(pipeline) = self.made.get(&wgsl) {
            return pipeline.clone();
        }
        let layout = self.layouts.get(&gpu.device, kernel);
        let pipeline = make_pipeline(gpu, kernel.name, &wgsl, &layout);
        self.made.insert(wgsl, pipeline.clone());
        pipeline
    }
}

/// The WGSL, made wrong where a test asks for that; see [`super::GpuOptions`].
fn corrupted(gpu: &Gpu, kernel: &Kernel, wgsl: String) -> String {
    match gpu.corrupt {
        Some([name, right, wrong]) if name == kernel.name => wgsl.replace(right, wrong),
        _ => wgsl,
    }
}

/// Compiles one of our own shaders.
pub(super) fn make_pipeline(
    gpu: &Gpu,
    name: &str,
    wgsl: &str,
    bind_group_layout: &wgpu::BindGroupLayout,
) -> wgpu::ComputePipeline {
    let device = &gpu.device;
    let label = Some(name);
    let source = wgpu::ShaderSource::Wgsl(Gpu::wgsl_for_platform(wgsl).into());
    let descriptor = wgpu::ShaderModuleDescriptor { label, source };
    // Natively wgpu would count the turns of every loop, lest one never end, and drivers cannot unroll such loops.
    let checks = wgpu::ShaderRuntimeChecks { force_loop_bounding: false, ..wgpu::ShaderRuntimeChecks::checked() };
    // SAFETY: every loop of our own shaders ends: its bound is a constant, or a size that is fixed before it starts, and its
    // counter only moves towards it. Bounds checks stay on.
    let module = unsafe { device.create_shader_module_trusted(descriptor, checks) };
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label,
        bind_group_layouts: &[Some(bind_group_layout)],
        immediate_size: 0,
    });
    device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label,
        layout: Some(&layout),
        module: &module,
        entry_point: Some("main"),
        // Our kernels write workgroup memory before they read it.
        compilation_options: wgpu::PipelineCompilationOptions {
            zero_initialize_workgroup_memory: false,
            ..Default::default()
        },
        cache: None,
    })
}
