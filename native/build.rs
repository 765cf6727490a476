//! Link arguments of the library.

fn main() {
    // Whether dlclose(3) unmaps a replaced library would depend on what Rust left in thread-local
    // storage. Decide it: once loaded, the code stays mapped, some three megabytes for each upgrade.
    let elf = std::env::var("CARGO_CFG_TARGET_VENDOR").as_deref() != Ok("apple");
    if elf {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
    println!("cargo:rerun-if-changed=build.rs");
}
