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
        let entries: Vec<_> =
            resources.zip(0..).map(|(resource, binding)| wgpu::BindGroupEntry { binding, resource }).collect();
        let label = Some(kernel.name);
        self.gpu.device.create_bind_group(&wgpu::BindGroupDescriptor { label, layout: &layout, entries: &entries })
    }

    /// Binding 0 the step's parameters, 1 the batch, then inputs, then outputs.
    fn layout(&mut self, kernel: &Kernel) -> wgpu::BindGroupLayout {
        let device = &self.gpu.device;
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
        self.layouts.entry((kernel.inputs, kernel.outputs)).or_insert_with(make).clone()
    }

    /// The pipeline of a kernel for a type; `dot` matters to matrix-vector products alone.
    pub fn get(&mut self, kernel: &'static Kernel, dtype: DType, dot: Dot) -> wgpu::ComputePipeline {
        let Config { d_state, d_conv, .. } = *self.config;
        let variant = Variant { dtype, d_state, d_conv, dot, software: self.gpu.software };
        if let Some(pipeline) = self.made.get(&(kernel.name, variant)) {
            return pipeline.clone();
        }
        let bind_group_layout = self.layout(kernel);
        let device = &self.gpu.device;
        let label = Some(kernel.name);
        let source = wgpu::ShaderSource::Wgsl(compose(kernel, variant).into());
        let descriptor = wgpu::ShaderModuleDescriptor { label, source };
        // Natively wgpu would count the turns of every loop, lest one never end, and drivers cannot unroll such loops.
        let checks = wgpu::ShaderRuntimeChecks { force_loop_bounding: false, ..wgpu::ShaderRuntimeChecks::checked() };
        // SAFETY: every loop of our own shaders ends: its bound is a constant, or a size that is fixed before it starts, and
        // its counter only moves towards it. Bounds checks stay on.
        let module = unsafe { device.create_shader_module_trusted(descriptor, checks) };
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label,
            bind_group_layouts: &[Some(&bind_group_layout)],
            immediate_size: 0,
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: Some(&layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: Default::default(),
            cache: None,
        });
        self.made.insert((kernel.name, variant), pipeline.clone());
        pipeline
    }
}
