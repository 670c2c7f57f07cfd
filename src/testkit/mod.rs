//! For tests only: stateful fakes of the platforms, a fake clock, and the contract suite.
