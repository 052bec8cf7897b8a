# Every target does its own set-up on a fresh checkout; `make help` lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# Arguments for `swift test`, for example: make test ARGS="--filter SQLTests"
ARGS ?=

.PHONY: help
help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Install what is missing: libpq, Postgres, the Python SDK for the tests
	@scripts/setup

.PHONY: build
build: setup ## Build everything, for debugging
	swift build --build-tests

.PHONY: examples
examples: ## Build the examples and the command absurd into .build/debug
	@scripts/setup --without-tests
	scripts/build-examples

.PHONY: test
test: setup ## Run all tests against a private Postgres server (ARGS="--filter Name" for some)
	scripts/test $(ARGS)

.PHONY: test-outages
test-outages: setup ## Run the tests of all outages of the database, with nothing beside them
	ABSURD_TEST_OUTAGES=all scripts/test --filter OutageTests

.PHONY: test-pooler
test-pooler: setup ## Run the tests of workers through PgBouncer in transaction mode
	scripts/test-pooler $(ARGS)

.PHONY: demo
demo: ## Run orders through worker processes, kill one of them, and show that every order completes
	@scripts/demo

.PHONY: endurance
endurance: setup ## Kill workers 60 times under 10,000 tasks and show that nothing is lost (ARGS for options)
	scripts/measure endurance $(ARGS)

.PHONY: chaos
chaos: setup ## Make workers, server and network fail under 200 seeded workloads (ARGS="--seed 17" for one)
	scripts/chaos $(ARGS)

.PHONY: measure
measure: setup ## Measure what the project promises: endurance, recovery, shutdown, claims, suspended tasks
	scripts/measure

.PHONY: bench
bench: setup ## Measure this project and its peers side by side (ARGS="--only drain" for some)
	scripts/bench $(ARGS)

.PHONY: lint
lint: ## Check format and source rules
	scripts/format --check
	scripts/check-sources

.PHONY: format
format: ## Format the Swift sources
	scripts/format

.PHONY: docs
docs: setup ## Build the documentation into .build/plugins/Swift-DocC/outputs
	scripts/docs

.PHONY: clean
clean: ## Remove what builds and set-up have made in this folder
	rm -rf .build .build-* .swiftpm .venv
