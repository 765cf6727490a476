//! What the VM finds in the library: `nif_init` and its callbacks.
//!
//! `rustler::init!` would leave the `upgrade` callback out, and a library without it cannot take
//! the place of one that is loaded: erlrc could not upgrade itself. So the table is made here, by
//! the parts that `init!` expands to; they are not rustler's public API, which is why its version
//! is pinned. The only file with unsafe code.

use std::sync::OnceLock;

use rustler::Env;
use rustler::codegen_runtime::{
    ErlNifEntry, ErlNifEnv, ErlNifFunc, ErlNifTerm, c_int, c_void, internal_write_symbols,
    inventory,
};

/// Shared by every call of `nif_init`, written once.
struct Entry(ErlNifEntry);

// SAFETY: the entry is never changed after it is made, and what it points to lives as long as the
// library.
unsafe impl Send for Entry {}
// SAFETY: as above.
unsafe impl Sync for Entry {}

unsafe extern "C" fn load(_: *mut ErlNifEnv, _: *mut *mut c_void, _: ErlNifTerm) -> c_int {
    0
}

unsafe extern "C" fn upgrade(
    _: *mut ErlNifEnv,
    _new: *mut *mut c_void,
    _old: *mut *mut c_void,
    _: ErlNifTerm,
) -> c_int {
    0
}

/// Called by the VM when it has opened the library, before anything else of it.
#[unsafe(no_mangle)]
extern "C" fn nif_init() -> *const ErlNifEntry {
    static ENTRY: OnceLock<Entry> = OnceLock::new();
    // SAFETY: the VM's own functions are looked up, as `rustler::init!` does at this point.
    unsafe { internal_write_symbols() };
    let entry = ENTRY.get_or_init(|| {
        let functions = inventory::iter::<rustler::Nif>().map(rustler::Nif::get_def);
        let functions: &'static [ErlNifFunc] = Box::leak(functions.collect());
        let mut entry = ErlNifEntry::new(c"erlrc_engine", functions, load);
        entry.upgrade = Some(upgrade);
        Entry(entry)
    });
    &raw const entry.0
}

/// The term that `bytes` hold in the external format, with new atoms where it names them.
/// `bytes` must be what [`crate::etf`] made.
pub(crate) fn create<'a>(env: Env<'a>, bytes: &[u8]) -> Option<rustler::Term<'a>> {
    // SAFETY: the caller made the bytes itself and has counted the atoms.
    unsafe { env.binary_to_term_trusted(bytes) }.map(|(term, _)| term)
}
