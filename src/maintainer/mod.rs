//! Carries out what [`crate::maint`] decides for a maintainer script: facts are gathered (`survey`), actions carried
//! out (`carry`), nodes taken from one version to another (`swap`), what is kept is dropped (`settle`), and in batch
//! mode all of it at the end of the run (`batch`), on each node as one (`together`; `blame` says who is in its way),
//! when all that the packages of services name is installed (`sets`).
//!
//! What it needs of the outside is [`Hooks`]: must not print, nor read the environment or the command line.

mod batch;
mod blame;
mod carry;
mod hooks;
mod log;
mod part;
mod session;
mod sets;
mod settle;
mod survey;
mod swap;
#[cfg(test)]
mod tests;
mod together;

pub use batch::{is_in_the_way, run_batch};
pub use hooks::{Hooks, Tolerates};
pub use log::{Log, Note};
pub use session::{Session, Subject};
pub use sets::sets;
pub use survey::{Host, holds, metadata, survey};
