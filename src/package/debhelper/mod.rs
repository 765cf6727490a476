//! For people who build their packages with debhelper.
//!
//! * [`source`]: a `debian` directory to begin with.
//! * [`staging`]: what `dh_erlrc` does when such a package is built.

pub mod source;
pub mod staging;
