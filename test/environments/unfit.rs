//! Trees that this host cannot run: said before anything of them runs.

use crate::host::Host;
use crate::tree::{self, json, substitute};
use erlrc::environment::Store;
use erlrc::environment::choice::choose;
use erlrc::environment::source::Tree;
use std::collections::BTreeSet;
use std::path::Path;

/// A version of glibc that a file asks for, one as long, and one that no glibc has.
fn versions(file: &Path) -> (String, String) {
    let bytes = std::fs::read(file).expect("a file");
    let text = String::from_utf8_lossy(&bytes);
    let at = text.find("GLIBC_2.3").expect("a version");
    let old: String = text[at..].chars().take("GLIBC_2.34".len()).collect();
    (old, "GLIBC_2.99".to_owned())
}

fn newer(file: &Path) {
    let (old, new) = versions(file);
    tree::replace(file, |bytes| substitute(bytes, &old, &new));
}

#[track_caller]
fn refused(host: &Host, from: &Path, applications: &[&str], why: &[&str]) {
    let from = from.display().to_string();
    let run = host.erlrc(&[&["env", "make", "--from", &from], applications].concat());
    assert_eq!(run.status, 1, "{run:?}");
    run.says("cannot run on this host: ");
    for text in why {
        run.says(text);
    }
    assert_eq!(tree::names(host), Vec::<String>::new());
}

#[test]
fn an_emulator_that_asks_for_a_newer_glibc_is_refused_with_the_version() {
    let host = Host::without_epmd();
    let copy = tree::copy(&host, "tree");
    newer(&tree::emulator(&copy).join("beam.smp"));
    let why = ["has no GLIBC_2.99, erts-", "/bin/beam.smp needs it"];
    refused(&host, &copy, &[], &why);
}

#[test]
fn a_library_that_the_host_does_not_have_is_named() {
    let host = Host::without_epmd();
    let copy = tree::copy(&host, "tree");
    tree::replace(&tree::emulator(&copy).join("beam.smp"), |bytes| {
        substitute(bytes, "libtinfo.so.6", "libtinfo.so.9");
    });
    refused(&host, &copy, &[], &["libtinfo.so.9 is not there, erts-"]);
}

#[test]
fn a_nif_counts_where_its_application_is_asked_for() {
    let host = Host::without_epmd();
    let copy = tree::copy_with(&host, "tree", &["kernel", "stdlib", "sasl", "crypto"]);
    let nif = tree::lib(&copy, "crypto").join("priv/lib/crypto.so");
    tree::replace(&nif, |bytes| {
        substitute(bytes, "OPENSSL_3.0.0", "OPENSSL_3.9.9");
    });
    refused(
        &host,
        &copy,
        &["crypto"],
        &["has no OPENSSL_3.9.9, lib/crypto-"],
    );
    tree::make(&host, &copy, &[]);
}

#[test]
fn native_code_that_is_torn_is_refused() {
    let host = Host::without_epmd();
    let copy = tree::copy(&host, "tree");
    let file = tree::emulator(&copy).join("inet_gethost");
    tree::replace(&file, |bytes| bytes.truncate(40));
    let run = host.erlrc(&["env", "make", "--from", &copy.display().to_string()]);
    assert_eq!(run.status, 1);
    run.says("inet_gethost\n  caused by: is no sound ELF file");
    assert_eq!(tree::names(&host), Vec::<String>::new());
}

#[test]
fn an_environment_from_elsewhere_is_unfit_with_the_version_that_is_missing() {
    let host = Host::without_epmd();
    let copy = tree::copy(&host, "tree");
    newer(&tree::emulator(&copy).join("beam.smp"));
    // Made where it can run, and brought here.
    let tree = Tree::read(&copy).expect("a tree");
    let choice = choose(&tree.found, &BTreeSet::new()).expect("a choice");
    let store = Store::new(host.path("env"));
    let prepared = store.prepare(&tree, &choice, &BTreeSet::new(), ".unfinished-x");
    store
        .commit(prepared.expect("files"))
        .expect("an environment");
    let check = json(&host, &["check"]);
    assert_eq!(check["environments"][0]["verdict"], "unfit");
    let finding = check["environments"][0]["findings"][0].as_str();
    let finding = finding.expect("a finding");
    assert!(finding.contains("has no GLIBC_2.99, erts-"), "{finding}");
    assert_eq!(check["status"], 1);
    let run = host.erlrc(&["env", "check"]);
    assert!(
        run.out.contains(": unfit, it cannot run on this host\n"),
        "{run:?}"
    );
    assert_eq!(run.status, 1);
}
