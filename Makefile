# Two commands matter: `make run` and `make test`. Everything that they download goes to .runtime/, everything that
# they build to a cache outside the clone, so that a fresh clone builds fast.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:

# rustup's folder may be missing from the PATH of a shell that is older than the installation.
export PATH := $(PATH):$(HOME)/.cargo/bin
export INSULA_RUNTIME ?= $(CURDIR)/.runtime
ifndef CARGO_TARGET_DIR
CARGO_TARGET_DIR := $(shell cache="$${XDG_CACHE_HOME:-$$HOME/.cache}/insula/target"; \
	mkdir -p "$$cache" 2>/dev/null && test -w "$$cache" && echo "$$cache" || echo "$(CURDIR)/target")
endif
export CARGO_TARGET_DIR

DATA ?= $(INSULA_RUNTIME)/data
LISTEN ?= 127.0.0.1:8080
# What the first start ingests: a document of this repository, and a real one where the shared data is at hand.
comma := ,
SAMPLES ?= ARCHITECTURE.md$(addprefix $(comma),$(wildcard ../shared/data/documents/md/markitdown__REPAIR-2022-INV-001_multipage.md))

# Public sets of questions with known answers: SciFact and XQuAD.
SETS ?= ../shared/data/ir

# The bootstrap's own Node, where the machine has none that will do.
export PATH := $(INSULA_RUNTIME)/node/bin:$(PATH)

BOOTSTRAP = @command -v python3 >/dev/null || \
	{ echo "missing python3. Install: apt-get install python3 python3-pip, or Python 3.9 or newer with pip" >&2; exit 1; }; \
	python3 infra/bootstrap.py --tools cargo,cc

PAGES := $(shell find frontend/src frontend/public frontend/scripts -type f 2>/dev/null) $(wildcard frontend/*.json frontend/*.ts frontend/*.html) openapi/openapi.json

.PHONY: help bootstrap dashboard build run demo test conformance lint openapi bench bench-gateway bench-usage bench-search bench-relevance bench-relevance-lab clean-runtime

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

bootstrap: ## Fetch Postgres, ONNX Runtime and the embedding model into .runtime/
	$(BOOTSTRAP)

dashboard: frontend/dist/index.html ## Build the dashboard's pages

frontend/node_modules/.package-lock.json: frontend/package-lock.json
	$(BOOTSTRAP) --with dashboard
	cd frontend && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

frontend/dist/index.html: frontend/node_modules/.package-lock.json $(PAGES)
	cd frontend && npm run --silent build

build: dashboard ## Compile the server, optimised, with the dashboard in it
	cargo build --release -p insula

run: bootstrap build ## Start everything, answer a question from a document, then serve until Ctrl-C (LISTEN=, DATA=)
	@exec "$(CARGO_TARGET_DIR)/release/insula" dev --data "$(DATA)" --listen "$(LISTEN)" --samples "$(SAMPLES)"

demo: bootstrap build ## The same, but stop after the cited answer
	@exec "$(CARGO_TARGET_DIR)/release/insula" demo --data "$(DATA)" --samples "$(SAMPLES)"

test: dashboard ## Every test, against a Postgres and a model of their own, and in a browser where there is Chromium
	$(BOOTSTRAP) --with sdk
	cd frontend && npm run --silent check
	python3 -m unittest discover --start-directory infra/tests
	cargo build --quiet --workspace --bin test-cluster
	"$(CARGO_TARGET_DIR)/debug/test-cluster" -- cargo nextest run --workspace --no-fail-fast

conformance: ## Ten clients and OpenAI's schemas against the server; prints the table of the README
	$(BOOTSTRAP) --with sdk
	cargo build --quiet --workspace --bin test-cluster
	"$(CARGO_TARGET_DIR)/debug/test-cluster" -- cargo nextest run -p insula-tests --test sdk --no-capture -E 'test(/^conformance::/)'

lint: ## Formatting and clippy
	cargo fmt --check
	cargo clippy --workspace --all-targets -- --deny warnings

openapi: ## Write openapi/openapi.json from the router
	cargo run --quiet -p insula -- openapi > openapi/openapi.json.new
	mv openapi/openapi.json.new openapi/openapi.json

bench: bootstrap build ## Measure, and print the table of the README
	cargo run --release -p insula-tests --bin bench -- "$(CARGO_TARGET_DIR)/release/insula" "$(INSULA_RUNTIME)"

bench-gateway: bootstrap build ## What the way through Insula costs, beside nginx where that is installed (ONLY=idle, closed, open, streams, failover, memory or start)
	cargo run --release -p insula-tests --bin bench -- gateway "$(CARGO_TARGET_DIR)/release/insula" "$(INSULA_RUNTIME)" $(ONLY)

bench-embed: bootstrap ## How much of the bare model's rate is left behind the batching front (SECONDS=…)
	cargo run --release -p insula-tests --bin bench -- embed "$(INSULA_RUNTIME)" $(SECONDS)

bench-usage: bootstrap build ## How long a tenant with a million calls waits to see its usage (CALLS=…)
	cargo run --release -p insula-tests --bin bench -- usage "$(CARGO_TARGET_DIR)/release/insula" "$(INSULA_RUNTIME)" $(CALLS)

bench-search: bootstrap build ## How fast search is, and how it grows (CHUNKS=1000,10000,…), or what a small tenant notices of a giant (CHUNKS="isolation 500000")
	cargo run --release -p insula-tests --bin bench -- search "$(CARGO_TARGET_DIR)/release/insula" "$(INSULA_RUNTIME)" $(CHUNKS)

# Nothing is timed, so the build need not be optimised.
bench-relevance: bootstrap dashboard ## How good search is on public sets (SETS=folder, LANGUAGES=en,ar, RERANK=folder of a model that ranks)
	cargo build --quiet --workspace --bin insula --bin bench
	$(if $(RERANK),INSULA_RERANK_MODELS="$(RERANK)") "$(CARGO_TARGET_DIR)/debug/bench" relevance "$(CARGO_TARGET_DIR)/debug/insula" "$(INSULA_RUNTIME)" "$(SETS)" $(LANGUAGES)

bench-relevance-lab: bootstrap ## Where the constants of the fusion come from, without a server
	cargo build --quiet --workspace --bin bench
	"$(CARGO_TARGET_DIR)/debug/bench" relevance-lab "$(INSULA_RUNTIME)" "$(SETS)" $(LANGUAGES)

clean-runtime: ## Remove .runtime/, the database of `make run` included
	rm -rf "$(INSULA_RUNTIME)"
