//! Pipelines and bind group layouts, each made once.

use std::collections::{HashMap, HashSet};

use super::compiling::{CompileJob, Compiling};
use crate::error::Result;
use crate::gpu::device::Gpu;
use crate::gpu::kernels::{Kernel, Variant, compose};

/// A kernel as one pipeline runs it.
pub struct Program {
    pub kernel: &'static Kernel,
    /// Its whole WGSL.
    pub wgsl: String,
}

impl Program {
    pub fn new(gpu: &Gpu, kernel: &'static Kernel, wgsl: String) -> Self {
        // Corrupted where a test asks for it; see `GpuOptions::corrupt`.
        let wgsl = match gpu.corrupt {
            Some([name, right, wrong]) if name == kernel.name => wgsl.replace(right, wrong),
            _ => wgsl,
        };
        Self { kernel, wgsl }
    }

    /// A kernel of a plan's steps, composed for a variant.
    pub fn of_variant(gpu: &Gpu, kernel: &'static Kernel, variant: &Variant) -> Self {
        Self::new(gpu, kernel, compose(kernel, variant))
    }
}

/// The pipelines of one model, by the WGSL that they run.
#[derive(Default)]
pub struct Pipelines {
    made: HashMap<String, wgpu::ComputePipeline>,
    /// By numbers of inputs and outputs.
    layouts: HashMap<(u32, u32), wgpu::BindGroupLayout>,
}

impl Pipelines {
    fn layout(&mut self, gpu: &Gpu, kernel: &Kernel) -> wgpu::BindGroupLayout {
        let make = || make_layout(&gpu.device, kernel);
        self.layouts.entry((kernel.inputs, kernel.outputs)).or_insert_with(make).clone()
    }

    /// A bind group of a kernel's resources, in the order of their bindings.
    pub fn bind_group<'b>(
        &mut self,
        gpu: &Gpu,
        kernel: &Kernel,
        resources: impl Iterator<Item = wgpu::BindingResource<'b>>,
    ) -> wgpu::BindGroup {
        let layout = self.layout(gpu, kernel);
        make_bind_group(&gpu.device, kernel, &layout, resources)
    }

    /// The pipeline of a program; waits for it where it is asked for the first time.
    pub fn get(&mut self, gpu: &Gpu, program: Program) -> wgpu::ComputePipeline {
        if let Some(pipeline) = self.made.get(&program.wgsl) {
            return pipeline.clone();
        }
        let layout = self.layout(gpu, program.kernel);
        let pipeline = make_pipeline(gpu, program.kernel.name, &layout, &program.wgsl);
        self.made.insert(program.wgsl, pipeline.clone());
        pipeline
    }

    /// Starts to make the pipelines of programs beside other work. The slowest to compile should come first.
    pub fn start(&mut self, gpu: &Gpu, programs: impl Iterator<Item = Program>) -> Compiling {
        let mut seen = HashSet::new();
        let new = programs.filter(|program| {
            !self.made.contains_key(&program.wgsl) && seen.insert((program.kernel.name, program.wgsl.clone()))
        });
        let new: Vec<_> = new.collect();
        let job = |Program { kernel, wgsl }| CompileJob { name: kernel.name, layout: self.layout(gpu, kernel), wgsl };
        Compiling::start(gpu, new.into_iter().map(job).collect())
    }

    /// Waits for what was started.
    ///
    /// # Errors
    /// [`crate::Error::Gpu`] where the device refuses a program.
    pub async fn finish(&mut self, compiling: Compiling) -> Result<()> {
        self.made.extend(compiling.finish().await?);
        Ok(())
    }
}

/// Binding 0: the dispatch's parameters; 1: what changes with the submission; then inputs; then outputs.
fn make_layout(device: &wgpu::Device, kernel: &Kernel) -> wgpu::BindGroupLayout {
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
fn make_bind_group<'b>(
    device: &wgpu::Device,
    kernel: &Kernel,
    layout: &wgpu::BindGroupLayout,
    resources: impl Iterator<Item = wgpu::BindingResource<'b>>,
) -> wgpu::BindGroup {
    let entries: Vec<_> =
        resources.zip(0..).map(|(resource, binding)| wgpu::BindGroupEntry { binding, resource }).collect();
    device.create_bind_group(&wgpu::BindGroupDescriptor { label: Some(kernel.name), layout, entries: &entries })
}

/// The pipeline of one of our own shaders, whole.
pub fn make_pipeline(gpu: &Gpu, name: &str, layout: &wgpu::BindGroupLayout, wgsl: &str) -> wgpu::ComputePipeline {
    let (module, layout) = make_module(gpu, name, layout, wgsl);
    pipeline_of(&gpu.device, name, &module, &layout)
}

/// What a pipeline is made of.
pub fn make_module(
    gpu: &Gpu,
    name: &str,
    layout: &wgpu::BindGroupLayout,
    wgsl: &str,
) -> (wgpu::ShaderModule, wgpu::PipelineLayout) {
    let label = Some(name);
    let source = wgpu::ShaderSource::Wgsl(Gpu::wgsl_for_platform(wgsl).into());
    let descriptor = wgpu::ShaderModuleDescriptor { label, source };
    // Natively wgpu would count the turns of every loop, to end each for sure, and drivers cannot unroll such loops.
    let checks = wgpu::ShaderRuntimeChecks { force_loop_bounding: false, ..wgpu::ShaderRuntimeChecks::checked() };
    let module = if gpu.corrupt.is_some() {
        // The options of this device put text into a shader that is not the crate's own.
        gpu.device.create_shader_module(descriptor)
    } else {
        // SAFETY: every loop of our own shaders ends: its bound is a constant, or a size that is fixed before it starts, and its
        // counter only moves towards it. Bounds checks stay on. No other text gets here: only the crate makes programs.
        unsafe { gpu.device.create_shader_module_trusted(descriptor, checks) }
    };
    let layout = gpu.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label,
        bind_group_layouts: &[Some(layout)],
        immediate_size: 0,
    });
    (module, layout)
}

/// A pipeline that runs a module's `main`.
pub fn pipeline_of(
    device: &wgpu::Device,
    name: &str,
    module: &wgpu::ShaderModule,
    layout: &wgpu::PipelineLayout,
) -> wgpu::ComputePipeline {
    device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(name),
        layout: Some(layout),
        module,
        entry_point: Some("main"),
        compilation_options: Default::default(),
        cache: None,
    })
}
