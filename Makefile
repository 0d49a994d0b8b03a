# Kenami's commands. `make run` and `make test` install what they miss; see README.md.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The SQL is checked against the committed descriptions in .sqlx; no database is needed to build.
export SQLX_OFFLINE := true
# Dependencies newer than the compiler are passed over when the lock file changes.
export CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS := fallback

ARGS ?=

.PHONY: help run build site server test test-rust test-end2end check fmt trial trial-experiment bench-train bench-claims bench-annotate bench-agreement profile-train check-cuda

help: ## Say what there is
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## Build and start Kenami with the demo project; ARGS="--listen 0.0.0.0:3000"
	@scripts/serve $(ARGS)

build: site server ## Build the optimised binary: target/release/kenami

site: ## Build the browser package and styles into target/site
	@scripts/build-site

server: site
	@scripts/build-server

test: test-rust test-end2end ## Run everything: Rust tests on a real PostgreSQL, Playwright in Chromium

test-rust: ## Rust tests; ARGS="-p kenami-domain"
	@scripts/with-postgres scripts/test-rust $(ARGS)

test-end2end: build ## End-to-end tests; ARGS="annotate.spec.ts"
	@scripts/test-end2end $(ARGS)

check: ## Format, lints, licences, offline SQL descriptions
	@scripts/check

check-cuda: ## Compile the trainer with cargo's feature cuda; fetches NVIDIA's compiler where there is none
	@scripts/check-cuda

fmt: ## Format the Rust code
	@cargo fmt --all

trial: build ## The loop on a big photo set with its figures: PETS=DIR make trial
	@scripts/trial

trial-experiment: build ## SIMULATED labels: baseline, class-level, instance-level: PETS=DIR make trial-experiment
	@scripts/trial-experiment

profile-train: ## What bounds each case of bench-train, by perf; CASES="resnet34/train"
	@scripts/profile-train

bench-train: ## Training speed and memory beside PyTorch's; CASES="resnet34/train heads", THREADS=2
	@scripts/bench-train

bench-annotate: build ## Key to paint, key presses and seconds a photo, claims: target/bench-annotate.json
	@scripts/bench-annotate

bench-claims: ## Claims a second with 50 clients at 10^5 and 10^6 photos; ARGS="--seconds 5 10000"
	@scripts/bench-claims $(ARGS)

bench-agreement: build ## Agreement and consensus of a million votes beside krippendorff and crowd-kit; VOTES=N
	@scripts/bench-agreement
