//! Makes operating system packages of OTP applications: from a built application and one
//! specification to a `.deb` or an `.rpm`. The same input gives the same bytes.
//!
//! * [`spec`]: the specification, and where it is read from.
//! * [`version`], [`relation`], [`dependency`], [`machine`]: what is derived from the application.
//! * [`script`]: maintainer scripts and scriptlets.
//! * [`entry`], [`assemble`]: the package as data; [`service`]: that of a service, which names a set of applications.
//! * [`project`]: which applications a project has, and where they are built.
//! * [`tree`], [`host`], [`search`]: read the application and ask the host that it was built on.
//! * [`mod@write`]: the file.
//! * [`make`]: all of it in one call.
//! * [`debhelper`]: the same for people who build with debhelper.
//!
//! Must not print, and must not read the environment: [`make::Request`] carries what comes from
//! there.

pub mod assemble;
pub mod debhelper;
pub mod dependency;
pub mod entry;
mod error;
mod fill;
pub mod host;
pub mod machine;
pub mod make;
pub mod project;
pub mod relation;
pub mod script;
pub mod search;
pub mod service;
pub mod spec;
pub mod tree;
pub mod version;
pub mod write;

pub use assemble::Package;
pub use error::Error;
pub use spec::{Format, PackageSpec};
