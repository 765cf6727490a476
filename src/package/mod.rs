//! OS packages of OTP applications: from a built application and one specification to a `.deb` or an
//! `.rpm`, the same bytes every time.
//!
//! * [`spec`]: what is specified, `spec_file` where it is read from.
//! * [`version`], [`relation`], [`dependency`], [`machine`]: what follows from the application.
//! * [`script`]: maintainer scripts and scriptlets.
//! * [`entry`], [`assemble`]: the package as data; [`control`] and [`document`] its texts.
//! * [`tree`], [`host`]: read the application and ask the host that it was built on.
//! * [`deb`], [`rpm`]: write the file.
//! * [`staging`], [`source`]: the same for people who build with debhelper.
//! * [`make`]: all of it in one call.
//!
//! Must not print, and reads no environment: what comes from there is in [`make::Request`].

pub mod assemble;
pub mod control;
pub mod deb;
pub mod dependency;
pub mod document;
pub mod entry;
mod error;
mod fill;
pub mod host;
pub mod machine;
pub mod make;
pub mod relation;
pub mod rpm;
pub mod script;
pub mod source;
pub mod spec;
pub mod spec_file;
pub mod staging;
pub mod tree;
pub mod version;

pub use assemble::Package;
pub use error::Error;
pub use spec::{Format, PackageSpec};
