//! What a kernel binds: a buffer, or a part of one.

use std::num::NonZero;

use crate::quant::VECTOR_BYTES;

/// A part of a buffer. It begins at a multiple of 256 bytes, which every device can bind.
#[derive(Debug, Clone)]
pub struct Bound {
    pub buffer: wgpu::Buffer,
    /// Its first byte.
    pub offset: u64,
    pub bytes: u64,
}

impl From<wgpu::Buffer> for Bound {
    /// All of it.
    fn from(buffer: wgpu::Buffer) -> Self {
        let bytes = buffer.size();
        Self { buffer, offset: 0, bytes }
    }
}

impl Bound {
    /// The whole buffer of which all are parts; none where they lie in several.
    pub fn together<'b>(mut parts: impl Iterator<Item = &'b Self>) -> Option<Self> {
        let first = parts.next()?;
        parts.all(|part| part.buffer == first.buffer).then(|| first.buffer.clone().into())
    }

    /// Its first vector in the whole buffer.
    pub fn first_vector(&self) -> u32 {
        (self.offset / VECTOR_BYTES as u64) as u32
    }

    /// As an entry of a bind group.
    pub fn as_resource(&self) -> wgpu::BindingResource<'_> {
        let Self { buffer, offset, bytes } = self;
        wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset: *offset, size: NonZero::new(*bytes) })
    }
}
