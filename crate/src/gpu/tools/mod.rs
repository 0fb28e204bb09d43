//! Tools over a loaded executor: comparing with the CPU, the self-test, profiling, and the device's bandwidth. They use what the
//! executor and its runner offer them, and no other part depends on them.

mod bandwidth;
mod compare;
mod profile;
mod self_test;

pub use compare::{Difference, first_difference, not_compared};
pub use self_test::self_test;
