# Two commands: `make run` and `make test`. Both install what they need and say what they do.
SHELL := /bin/bash

.PHONY: run test setup-run setup-test web fmt clean help

help:
	@echo "make run    build everything, start leapmux solo, print the URL of the page"
	@echo "make test   everything that CI checks"
	@echo "make fmt    format Rust and TypeScript"

run: setup-run web
	@echo "== building leapmux (release)"
	cargo build --release --locked -p leapmux --features require-web
	@echo "== starting leapmux solo; stop it with Ctrl+C"
	exec "$${CARGO_TARGET_DIR:-target}/release/leapmux" solo $(ARGS)

test:
	@.ci/check

web:
	@.ci/web-build

setup-run:
	@.ci/setup run

setup-test:
	@.ci/setup test

fmt:
	cargo fmt --all

clean:
	rm -rf web/dist
	cargo clean
