//! For tests only: stateful fakes of the platforms, a fake clock, and the contract suite.

mod clock;

pub use clock::{FakeClock, SeededEntropy};
