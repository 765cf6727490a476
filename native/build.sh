#!/bin/sh
# Builds the engine library and the command line with cargo and installs them in priv/, where Erlang looks for them.
# rebar3 and mix run this before they compile the modules; it changes nothing when nothing has changed.
set -eu
cd "$(dirname "$0")/.."

fail() {
    echo "erlrc: $1" >&2
    exit 1
}

rust=1.91
need="Rust $rust or newer is needed to build it (https://rustup.rs)"
command -v cargo >/dev/null 2>&1 || fail "cargo is not in PATH: $need."
version=$(rustc --version 2>/dev/null | sed -n 's/^rustc \([0-9]*\)\.\([0-9]*\)\..*/\1 \2/p')
[ -n "$version" ] || fail "rustc does not run: $need."
# shellcheck disable=SC2086 # two words
set -- $version
if [ "$1" -lt "${rust%.*}" ] || { [ "$1" -eq "${rust%.*}" ] && [ "$2" -lt "${rust#*.}" ]; }; then
    fail "this is Rust $1.$2: $need."
fi

digest() {
    (sha256sum "$@" || shasum -a 256 "$@") 2>/dev/null | cut -c 1-16
}

# cargo takes the library of another checkout for this one's when both have the same target directory.
target=$(cargo metadata --format-version 1 --no-deps --offline | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
[ -n "$target" ] || fail "cargo cannot read Cargo.toml."
case $target in
    "$(pwd -P)"/*) ;;
    *) target=$target/erlrc-$(pwd -P | digest) ;;
esac

# No debug information and no incremental state: what is kept for the next build is large enough.
export CARGO_PROFILE_RELEASE_DEBUG=0 CARGO_INCREMENTAL=0
log=$(mktemp) || fail "no temporary file can be made."
cargo=
trap 'rm -f "$log"' EXIT
stop() {
    [ -z "$cargo" ] || kill "$cargo" 2>/dev/null || true
    fail "the build was interrupted."
}
trap stop INT TERM HUP
crates=$(grep -c '^name = ' Cargo.lock)

# Runs cargo and says now and then how far it is. It ends with whoever called this: a rebar3 that is interrupted takes
# none of the programs along that it has started.
build() {
    cargo build --color never --locked --release --target-dir "$target" -p "$1" >"$log" 2>&1 &
    cargo=$! said=0
    while kill -0 "$cargo" 2>/dev/null; do
        kill -0 "$PPID" 2>/dev/null || stop
        sleep 0.5
        compiled=$(grep -c '^ *Compiling ' "$log") || true
        [ "$compiled" -lt $((said + 10)) ] || {
            said=$compiled
            echo "erlrc: building the engine, $said of at most $crates crates are compiled or begun"
        }
    done
    wait "$cargo" || {
        grep -v '^ *\(Compiling\|Downloading\|Downloaded\|Updating\|Locking\) ' "$log" >&2 || true
        fail "cargo could not build $1."
    }
    cargo=
}

[ -e priv/erlrc ] || echo "erlrc: building the engine, this takes minutes"
# Apart, or cargo would give the library the features of the command line.
for package in erlrc_nif erlrc; do
    build $package
done
built=$target${CARGO_BUILD_TARGET:+/$CARGO_BUILD_TARGET}/release

# A file that is in use must never be written to, and a reader must never see half of one.
install_file() {
    cmp -s "$1" "$2" && return
    cp "$1" "$2.$$" && mv "$2.$$" "$2" || fail "cannot write $2."
}

library=$built/liberlrc_nif.so
[ -e "$library" ] || library=$built/liberlrc_nif.dylib
hash=$(digest "$library")
[ -n "$hash" ] || fail "neither sha256sum nor shasum is in PATH."
name=erlrc_nif-$hash
mkdir -p priv
install_file "$library" "priv/$name.so"
install_file "$built/erlrc" priv/erlrc
# The modules of another profile may have been compiled when it was one of the last.
ls -t priv/erlrc_nif-*.so | grep -v "/$name.so\$" | tail -n +3 | while read -r old; do rm -f "$old"; done

# The name of the library is part of the module: where the library changes, so does the code that an upgrade compares.
header=erlang/src/node/erlrc_engine_library.hrl
echo "-define(LIBRARY, \"$name\")." >"$header.$$"
if cmp -s "$header.$$" "$header"; then rm "$header.$$"; else mv "$header.$$" "$header"; fi
