//! Pipelines and bind group layouts, each made once.

use std::collections::HashMap;

use super::Gpu;
use super::kernels::{Dot, Kernel, Variant, compose};
use crate::model::Config;
use crate::quant::DType;

/// The pipelines of one model.
pub struct Pipelines<'a> {
    gpu: &'a Gpu,
    config: &'a Config,
    /// By numbers of inputs and outputs.
    layouts: HashMap<(u32, u32), wgpu::BindGroupLayout>,
    made: HashMap<(&'static str, Variant), wgpu::ComputePipeline>,
}

impl<'a> Pipelines<'a> {
    pub fn new(gpu: &'a Gpu, config: &'a Config) -> Self {
        Self { gpu, config, layouts: HashMap::new(), made: HashMap::new() }
    }

    /// True where the adapter is software, which other kernels suit.
    pub fn software(&self) -> bool {
        self.gpu.software
    }

    /// A bind group of a kernel's resources, in the order of their bindings.
    pub fn bind_group<'b>(
        &mut self,
        kernel: &Kernel,
        resources: impl Iterator<Item = wgpu::BindingResource<'b>>,
    ) -> wgpu::BindGroup {
        let layout = self.layout(kernel);
        make_bind_group(&self.gpu.device, kernel, &layout, resources)
    }

    fn layout(&mut self, kernel: &Kernel) -> wgpu::BindGroupLayout {
        let make = || make_layout(&self.gpu.device, kernel);
        self.layouts.entry((kernel.inputs, kernel.outputs)).or_insert_with(make).clone()
    }

    /// The pipeline of a kernel for a type; `dot` matters to `matvec` alone.
    pub fn get(&mut self, kernel: &'static Kernel, dtype: DType, dot: Dot) -> wgpu::ComputePipeline {
        let Config { d_state, d_conv, .. } = *self.config;
        let variant = Variant { dtype, d_state, d_conv, dot, software: self.gpu.software };
        if let Some(pipeline) = self.made.get(&(kernel.name, variant)) {
            return pipeline.clone();
        }
        let layout = self.layout(kernel);
        let pipeline = make_pipeline(&self.gpu.device, kernel, &layout, compose(kernel, variant));
        self.made.insert((kernel.name, variant), pipeline.clone());
        pipeline
    }
}

/// Binding 0 the step's parameters, 1 what changes with the submission, then inputs, then outputs.
pub fn make_layout(device: &wgpu::Device, kernel: &Kernel) -> wgpu::BindGroupLayout {
    let entry = |binding, ty| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
        count: None,
    };
    let storage = |read_only| wgpu::BufferBindingType::Storage { read_only };
    let first_output = 2 + kernel.inputs;
    let entries: Vec<_> = (0..2)
        .map(|binding| entry(binding, wgpu::BufferBindingType::Uniform))
        .chain((2..first_output + kernel.outputs).map(|b| entry(b, storage(b < first_output))))
        .collect();
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries })
}

/// A bind group of a kernel's resources, in the order of their bindings.
pub fn make_bind_group<'b>(
    device: &wgpu::Device,
    kernel: &Kernel,
    layout: &wgpu::BindGroupLayout,
    resources: impl Iterator<Item = wgpu::BindingResource<'b>>,
) -> wgpu::BindGroup {
    let entries: Vec<_> =
        resources.zip(0..).map(|(resource, binding)| wgpu::BindGroupEntry { binding, resource }).collect();
    device.create_bind_group(&wgpu::BindGroupDescriptor { label: Some(kernel.name), layout, entries: &entries })
}

/// The pipeline of a kernel's whole WGSL.
pub fn make_pipeline(
    device: &wgpu::Device,
    kernel: &Kernel,
    layout: &wgpu::BindGroupLayout,
    wgsl: String,
) -> wgpu::ComputePipeline {
    let label = Some(kernel.name);
    let descriptor = wgpu::ShaderModuleDescriptor { label, source: wgpu::ShaderSource::Wgsl(wgsl.into()) };
    // Natively wgpu would count the turns of every loop, lest one never end, and drivers cannot unroll such loops.
    let checks = wgpu::ShaderRuntimeChecks { force_loop_bounding: false, ..wgpu::ShaderRuntimeChecks::checked() };
    // SAFETY: every loop of our own shaders ends: its bound is a constant, or a size that is fixed before it starts, and
    // its counter only moves towards it. Bounds checks stay on.
    let module = unsafe { device.create_shader_module_trusted(descriptor, checks) };
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label,
        bind_group_layouts: &[Some(layout)],
        immediate_size: 0,
    });
    device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label,
        layout: Some(&layout),
        module: &module,
        entry_point: Some("main"),
        compilation_options: Default::default(),
        cache: None,
    })
}
