//! The errors of packaging.

use super::entry::Twice;
use super::machine::NativeError;
use super::spec::SpecError;
use super::version::VersionError;
use crate::application::{Fault, FileError};
use std::path::PathBuf;

/// Why a package cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory is not a built application.
    #[error("{} is no built application: {why}", dir.display())]
    NotBuilt {
        /// The directory.
        dir: PathBuf,
        /// What is missing.
        why: &'static str,
    },
    /// The `.app` file cannot be used.
    #[error(transparent)]
    Application(#[from] FileError),
    /// The name or version of an application is not valid in a package.
    #[error("the application's {key} {value:?} is not one that a package can have")]
    Unusable {
        /// `name`, `vsn` or `description`.
        key: &'static str,
        /// The value.
        value: String,
    },
    /// The specification cannot be read.
    #[error("{}: {fault}", file.display())]
    SpecFile {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        fault: Fault,
    },
    /// The specification is not valid TOML.
    #[error("{}", file.display())]
    Toml {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        source: Box<toml::de::Error>,
    },
    /// The specification contains an invalid key or value.
    #[error("the specification in {} {fault}", file.display())]
    Spec {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        fault: SpecError,
    },
    /// A value of the specification is not valid in a package.
    #[error("{key} {value:?} {fault}")]
    Field {
        /// The key of the specification.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// The version is not valid for a package.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// Two entries have the same path.
    #[error(transparent)]
    Twice(#[from] Twice),
    /// A file cannot be packaged.
    #[error("{} {fault}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// The reason.
        fault: &'static str,
    },
    /// Native code cannot be packaged.
    #[error("{file}")]
    Native {
        /// The file.
        file: String,
        /// The reason.
        source: NativeError,
    },
    /// There is native code for two architectures.
    #[error("native code for {first} and for {second} in one package")]
    Architectures {
        /// The first architecture.
        first: &'static str,
        /// The second architecture.
        second: &'static str,
    },
    /// The OTP release that the application was built with cannot be determined.
    #[error(
        "cannot tell which OTP release {application} was built with: say `otp` in the specification"
    )]
    Otp {
        /// The application.
        application: String,
    },
    /// A file cannot be read.
    #[error("cannot read {}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The package cannot be written.
    #[error("cannot write {}", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The rpm library refuses the package.
    #[error("cannot make an rpm")]
    Rpm(#[source] Box<::rpm::Error>),
}
