# Two commands for newcomers: `make demo` and `make test`. `make help` lists the rest.
.PHONY: help build deb rpm demo demo-apt test test-rust test-erlang lint test-system bench clean
.DEFAULT_GOAL := help
SHELL := /bin/sh
unexport ERL_AFLAGS ERL_FLAGS ERL_ZFLAGS

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 22

build: ## the application with its NIF and the erlrc binary, below _build/default/lib/erlrc
	@tools/install build
	@rebar3 compile

deb: build ## erlrc's own package, in _build/packages
	@tools/install package
	@packaging/build deb _build/packages

rpm: build ## the same as rpm
	@tools/install package
	@packaging/build rpm _build/packages

demo: build ## a node, a client that never pauses, two applications up and down under it
	@demo/run

demo-apt: ## hot upgrades by apt-get in a Debian root of its own; needs root; ROOT=DIR keeps it
	@tools/install system
	@$(MAKE) --no-print-directory build
	@demo/apt $(if $(ROOT),--root $(ROOT))

test: ## every test that needs no root
	@tools/install test
	@$(MAKE) --no-print-directory build lint test-rust test-erlang

lint:
	cargo fmt --check
	cargo clippy --quiet --workspace --all-targets --features system -- -D warnings
	cargo clippy --quiet -p erlrc --no-default-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps -p erlrc --lib
	rebar3 xref
	rebar3 dialyzer
	rebar3 edoc

test-rust:
	cargo test --quiet --workspace

test-erlang: build
	test/suites

test-system: ## what needs root, other OTP releases or long loads
	@tools/install system
	@$(MAKE) --no-print-directory build
	test/system

bench: build ## the ratio tables of docs/performance.md
	cargo bench --bench table
	bench/upgrade
	bench/evaluator
	bench/plan
	bench/host

clean: ## everything that was built
	rm -rf _build priv target erlang/src/node/erlrc_engine_library.hrl
