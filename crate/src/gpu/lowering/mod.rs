//! From a plan's steps to dispatches: each step by itself, or neighbouring steps fused by the rules of `fusion`.

mod dispatch;
mod fused;
mod fusion;
mod grouped;
mod pointwise;
mod recurrent;
mod schedule;
mod stages;
mod steps;

pub use dispatch::{Dispatch, Extent};
pub use stages::{Order, Place, Stage, bind, lower_chunk, lower_decode, programs};
pub use steps::Lowering;
