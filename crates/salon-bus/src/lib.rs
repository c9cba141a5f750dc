//! How nodes tell each other what happened. A bus may lose, delay or double a message: the store is the truth.

mod in_process;

pub use in_process::InProcessBus;
