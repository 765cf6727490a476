//! Where the core runs. The stack of a dirty scheduler is 320 KB unless somebody made it smaller, its
//! overflow ends the VM, and a recursion that is bounded by the depth of a term needs more in places.

#![forbid(unsafe_code)]

use std::panic::resume_unwind;
use std::thread::{Builder, scope};

use rustler::{Error, NifResult};

/// Virtual memory, of which a call takes what it touches.
const SIZE: usize = 8 << 20;

/// Runs `work` on a stack of its own; takes some 20 microseconds. A panic goes on in the caller, which
/// makes an Erlang exception of it.
pub fn run<R: Send>(work: impl FnOnce() -> R + Send) -> NifResult<R> {
    scope(|scope| {
        let thread = Builder::new().name("erlrc".to_owned()).stack_size(SIZE);
        let running = thread
            .spawn_scoped(scope, work)
            .map_err(|_| Error::RaiseAtom("system_limit"))?;
        running.join().or_else(|panic| resume_unwind(panic))
    })
}
