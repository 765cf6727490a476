//! Whether a node sees the file system that the hook sees.
//!
//! A chroot and many a container share the network of their host: a package that is installed in there
//! must not reach out to the host's nodes, nor one of the host into there.

use crate::cli::{Connection, leftover};
use crate::node::{Call, Deadline, Node, NodeError};
use crate::term::{Atom, Term};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use tempfile::NamedTempFile;

const NONCE: &str = ".erlrc-nonce-";
const MOUNT_NAMESPACE: &str = "/proc/self/ns/mnt";

/// Whether `node` sees our root directory and a file that we have just made: numbers of devices, files
/// and namespaces alone may be the same in another machine. Who may not make one where the nodes'
/// entries are has to do with the mount namespace, or with a temporary file.
pub fn is_shared(
    node: &mut Node,
    connection: &Connection,
    deadline: Deadline,
) -> Result<bool, NodeError> {
    let root = Path::new("/");
    // We have come by a file of this host; what is left to be seen is that both have the same root.
    if let Some(process) = node.process()
        && let Some(theirs) = own_file(Path::new(&format!("/proc/{process}/root/")))
    {
        return Ok(Some(theirs) == own_file(root));
    }
    let made = connection
        .run
        .ancestors()
        .find(|directory| directory.is_dir())
        .and_then(new_file);
    // Together: an answer takes as long to come as all that is done before the first question.
    let paths: Vec<&Path> = [root]
        .into_iter()
        .chain(made.as_ref().map(NamedTempFile::path))
        .collect();
    let theirs = files_of(node, &paths, deadline)?;
    if theirs
        .first()
        .is_some_and(|theirs| theirs.is_some() && *theirs != own_file(root))
    {
        return Ok(false);
    }
    if let Some(file) = made {
        return Ok(is_seen(&file, theirs.get(1).copied().flatten()));
    }
    let own = std::fs::read_link(MOUNT_NAMESPACE).ok();
    let own = own.as_ref().and_then(|link| link.to_str());
    if own.is_some() && link_of(node, MOUNT_NAMESPACE, deadline)?.as_deref() == own {
        return Ok(true);
    }
    let Some(file) = new_file(&std::env::temp_dir()) else {
        return Ok(false);
    };
    let theirs = files_of(node, &[file.path()], deadline)?;
    Ok(is_seen(&file, theirs.first().copied().flatten()))
}

/// A file that is there for as long as this value. Its name is none that an entry could have, and says whose it is:
/// what a hook leaves behind that was killed, the next one removes.
fn new_file(directory: &Path) -> Option<NamedTempFile> {
    leftover::sweep(directory, NONCE);
    tempfile::Builder::new()
        .prefix(&leftover::prefix(NONCE))
        .tempfile_in(directory)
        .ok()
}

fn is_seen(file: &NamedTempFile, theirs: Option<File>) -> bool {
    theirs.is_some() && theirs == own_file(file.path())
}

/// Device and inode: what tells a file from any other.
type File = (u64, u64);

fn own_file(path: &Path) -> Option<File> {
    std::fs::metadata(path)
        .ok()
        .map(|metadata| (metadata.dev(), metadata.ino()))
}

/// What the node finds at `paths`.
fn files_of(
    node: &mut Node,
    paths: &[&Path],
    deadline: Deadline,
) -> Result<Vec<Option<File>>, NodeError> {
    let raw = Term::list([Term::atom("raw")]);
    let names = paths.iter().map(|path| text(&path.display().to_string()));
    let call = Call {
        module: "lists",
        function: "zipwith",
        arguments: vec![
            Term::external_fun(Atom::of("file"), Atom::of("read_file_info"), 2),
            Term::List(names.collect()),
            Term::List(vec![raw; paths.len()]),
        ],
    };
    match node.call(call, deadline)? {
        Term::List(answers) => Ok(answers.iter().map(file).collect()),
        _ => Ok(Vec::new()),
    }
}

/// `#file_info{}` as `file:read_file_info/2` returns it.
fn file(answer: &Term) -> Option<File> {
    const MAJOR_DEVICE: usize = 9;
    const INODE: usize = 11;
    let [info] = answer.as_tagged("ok")? else {
        return None;
    };
    let info = info.as_tuple()?;
    unsigned(info.get(MAJOR_DEVICE)?).zip(unsigned(info.get(INODE)?))
}

fn link_of(node: &mut Node, path: &str, deadline: Deadline) -> Result<Option<String>, NodeError> {
    let call = Call {
        module: "file",
        function: "read_link",
        arguments: vec![text(path)],
    };
    let answer = node.call(call, deadline)?;
    match answer.as_tagged("ok") {
        Some([link]) => Ok(link.as_text().map(String::from)),
        _ => Ok(None),
    }
}

fn unsigned(term: &Term) -> Option<u64> {
    match term {
        Term::Integer(number) => u64::try_from(*number).ok(),
        Term::BigInteger(number) => u64::try_from(&**number).ok(),
        _ => None,
    }
}

fn text(text: &str) -> Term {
    Term::binary(text)
}
