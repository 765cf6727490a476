//! `bin/erl` of an environment: a starter that finds its tree by its own place.
//!
//! The distributions' own `erl` has the place of their tree written into it and cannot be moved; `dyn_erl` is gone
//! since OTP 29. `PROGNAME` is the whole path: what the node starts itself, a peer, then runs from the same tree.

/// The program, for the emulator of the version `erts`.
pub fn text(erts: &str) -> String {
    TEXT.replace("@ERTS@", erts)
}

const TEXT: &str = r#"#!/bin/sh
# Starts a node from the tree that this file is in, wherever that is.
self=$0
while [ -h "$self" ]; do self=$(readlink -f -- "$self") || exit 1; done
case $self in */*) ;; *) self=./$self ;; esac
ROOTDIR=$(CDPATH= cd -P -- "${self%/*}/.." && pwd -P) || exit 1
BINDIR=$ROOTDIR/erts-@ERTS@/bin
EMU=beam
PROGNAME=$ROOTDIR/bin/erl
export ROOTDIR BINDIR EMU PROGNAME
exec "$BINDIR/erlexec" "$@"
"#;
