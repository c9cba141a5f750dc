//! The limit of open files, which is the limit of connections that nobody thinks of.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that the store, the listeners and the logs need besides connections.
const RESERVED_FILES: u64 = 64;

/// Raises the soft limit to the hard one, and says how many connections fit below it.
pub(crate) fn connections_at_most(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let files = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let Some(files) = files else { return wanted };
    let possible = usize::try_from(files.saturating_sub(RESERVED_FILES)).unwrap_or(usize::MAX);
    if possible < wanted {
        tracing::info!(connections = possible, "the limit of open files allows this many connections; raise it with ulimit -n");
    }
    possible.min(wanted)
}
