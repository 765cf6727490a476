//! Environments: OTP trees of one's own, which survive what a distribution does to its own.
//!
//! An environment is a directory `otp-VERSION-DIGEST` that holds the emulator, the applications that were asked
//! for with all that they need, and a starter that finds the tree by its own place. Its files are hard links to
//! those of the tree that it was made from; dpkg and rpm replace files by renaming, which leaves a link its old
//! content. The digest is that of all content: two environments of the same content are one.
//!
//! * [`choice`]: which applications and files belong into one, from facts (core).
//! * [`object`]: what native code needs and provides, from its bytes (core).
//! * [`needs`]: which of these needs a host does not meet (core).
//! * [`drift`]: what the distribution has changed since (core).
//! * [`record`]: what an environment says about itself, as a file.
//! * [`starter`]: the program `bin/erl` (core).
//! * [`source`]: a tree on disk, as facts.
//! * [`content`]: files linked, hashed, compared.
//! * [`host`]: where this host's dynamic linker finds libraries.
//! * [`store`]: the directory of environments.
//! * [`uses`]: which processes run from one.
//!
//! Must not print.

pub mod choice;
pub mod content;
pub mod drift;
mod error;
pub mod host;
pub mod needs;
pub mod object;
pub mod record;
pub mod source;
pub mod starter;
pub mod store;
pub mod uses;

pub use error::EnvironmentError;
pub use record::Record;
pub use store::Store;
