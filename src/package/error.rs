//! Why there is no package.

use super::entry::Twice;
use super::machine::NativeError;
use super::spec::SpecError;
use super::version::VersionError;
use crate::application::{Fault, FileError};
use std::path::PathBuf;

/// Why a package cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A directory that is no built application.
    #[error("{} is no built application: {why}", dir.display())]
    NotBuilt {
        /// The directory.
        dir: PathBuf,
        /// What it lacks.
        why: &'static str,
    },
    /// The `.app` file cannot be used.
    #[error(transparent)]
    Application(#[from] FileError),
    /// An application whose name or version cannot stand where packages need it.
    #[error("the application's {key} {value:?} is not one that a package can have")]
    Unusable {
        /// `name`, `vsn` or `description`.
        key: &'static str,
        /// What it is.
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
    /// The specification is no TOML.
    #[error("{}", file.display())]
    Toml {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        source: Box<toml::de::Error>,
    },
    /// The specification says what it cannot say.
    #[error("the specification in {} {fault}", file.display())]
    Spec {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        fault: SpecError,
    },
    /// What is specified cannot stand in a package.
    #[error("{key} {value:?} {fault}")]
    Field {
        /// The key of the specification.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// A version that packages do not have.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// Two entries at one path.
    #[error(transparent)]
    Twice(#[from] Twice),
    /// A file that cannot be packaged.
    #[error("{} {fault}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        fault: &'static str,
    },
    /// Native code that cannot be packaged.
    #[error("{file}")]
    Native {
        /// The file.
        file: String,
        /// Why.
        source: NativeError,
    },
    /// Native code for two architectures.
    #[error("native code for {first} and for {second} in one package")]
    Architectures {
        /// The one.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// The OTP release that the application was built with cannot be told.
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
        /// Why.
        source: std::io::Error,
    },
    /// The package cannot be written.
    #[error("cannot write {}", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The rpm library refuses the package.
    #[error("cannot make an rpm")]
    Rpm(#[source] Box<::rpm::Error>),
}
