# Everything a newcomer needs: `make demo` shows the product, `make test` proves it, `make check` judges the code.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test e2e api-fuzz infra faults bench units-cost load systemd-check agent check build assets deps mails-check prepare prepare-check prepare-in-cluster

DIST := frontend/assets/dist
ASSET_INPUTS := frontend/package.json frontend/package-lock.json frontend/build.mjs $(shell find frontend/assets/src -type f)

help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

demo: deps assets ## the product with a small fleet and break-it buttons; ONCE=1 runs one repair and ends
	cargo build -p server -p agent
	./target/debug/mendwright demo $(if $(ONCE),--once)

build: assets ## server and agent, debug
	cargo build --workspace

test: deps assets ## every test, on real servers
	cargo test --workspace --no-fail-fast

e2e: deps assets ## the demo in a real browser, desk and phone; CHROMIUM=path for another browser than the installed one
	infra/deps chromium
	cargo build -p server -p agent
	cd tests/e2e && npm ci --no-audit --no-fund && npx --no-install playwright test

FAULTS_REPORT := $(CURDIR)/target/faults.json
faults: deps assets ## every kill case CYCLES=n times in random order (SEED=n: in that one); the last line is JSON
	rm -f $(FAULTS_REPORT)
	status=0; MENDWRIGHT_FAULTS_CYCLES=$(or $(CYCLES),1) $(if $(SEED),MENDWRIGHT_FAULTS_SEED=$(SEED)) \
	  MENDWRIGHT_FAULTS_REPORT=$(FAULTS_REPORT) \
	  cargo test --workspace --tests faults::cycles -- --ignored --nocapture || status=$$?; \
	cat $(FAULTS_REPORT) || true; exit $$status

# Naming the target keeps the flags from programs that run while building. The gnu C library can be linked statically.
HOST_TARGET = $(shell rustc -vV | sed -n 's/^host: //p')
AGENT = $(CURDIR)/target/$(HOST_TARGET)/agent/mendwright-agent
agent: ## the agent as it is shipped: built alone, small and static
	RUSTFLAGS="-C target-feature=+crt-static" cargo build -p agent --profile agent --target $(HOST_TARGET)
	@ls -l $(AGENT)

BENCH_REPORT := $(CURDIR)/target/bench.log
bench: deps assets agent ## pages of a large organization, what isolation costs, crash to healed to verified, ROUNDS=n (20), release build, fsync on; the last line is JSON
	MENDWRIGHT_BENCH_AGENT=$(AGENT) MENDWRIGHT_BENCH_ROUNDS=$(or $(ROUNDS),20) cargo test --release --workspace --tests bench:: -- --ignored --nocapture --test-threads=1 > $(BENCH_REPORT) 2>&1 \
	  || { tail -40 $(BENCH_REPORT); exit 1; }
	@sed -n '/^pages and lists/,/^{"admissions/p' $(BENCH_REPORT) | grep -v '^test '

units-cost: deps agent ## what the agent needs for 0, 2 and 20 units of systemd, one of which is restarted 20 times: a line of JSON each
	MENDWRIGHT_BENCH_AGENT=$(AGENT) cargo test -q -p agent --test all units_cost:: -- --ignored --nocapture | grep '^{'

LOAD_REPORT := $(CURDIR)/target/load.log
load: deps assets ## AGENTS=n (100) on TLS links for SECONDS=s (30), each breaks once and is repaired; the last line is JSON
	MENDWRIGHT_LOAD_AGENTS=$(or $(AGENTS),100) MENDWRIGHT_LOAD_SECONDS=$(or $(SECONDS),30) \
	  cargo test --release --workspace --tests load:: -- --ignored --nocapture > $(LOAD_REPORT) 2>&1 || { tail -40 $(LOAD_REPORT); exit 1; }
	@grep -A99 '^limits lifted' $(LOAD_REPORT) | grep -B99 '^{'

FUZZ_VENV = $(or $(VENV),$(CURDIR)/target/schemathesis)
api-fuzz: deps assets ## /api/v1 on loopback against requests made up from its own document (schemathesis, in a venv of its own)
	test -x $(FUZZ_VENV)/bin/schemathesis || { python3 -m venv $(FUZZ_VENV) && $(FUZZ_VENV)/bin/pip install -q schemathesis==4.32.5; }
	MENDWRIGHT_SCHEMATHESIS=$(FUZZ_VENV)/bin/schemathesis cargo test --workspace --test all -- console::fuzz --ignored --nocapture

INFRA_VENV = $(or $(VENV),$(CURDIR)/target/infra)
infra: deps assets ## as root: infra's Ansible role and its snippet for cloud-init, run by Ansible and cloud-init on machines thrown away afterwards
	@[ "$$(id -u)" -eq 0 ] || { echo "make infra needs root: nothing was checked"; exit 3; }
	test -x $(INFRA_VENV)/bin/ansible-playbook || { python3 -m venv $(INFRA_VENV) && $(INFRA_VENV)/bin/pip install -q \
	  ansible-core==2.19.14 configobj==5.0.9 jsonpatch==1.48 jsonschema==4.26.0 oauthlib==4.0.1 requests==2.34.2; }
	test -d $(INFRA_VENV)/cloud-init/usr || { apt-get update -q && cd $(INFRA_VENV) && apt-get download -q cloud-init && dpkg-deb -x cloud-init_*.deb cloud-init; }
	MENDWRIGHT_INFRA=$(INFRA_VENV) cargo test --workspace --test all -- infra:: --ignored --nocapture --test-threads=1

systemd-check: ## the agent with this machine's own systemd, in a throw-away unit; MANAGER=user: with a user manager of its own; where there is none infra/systemd/check exits with 3, make with 2
	@infra/systemd/check $(MANAGER)

check: deps assets mails-check prepare-check ## formatting, lints, the mails' templates and the statements' offline data
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo test -q --workspace --test all -- lints::

assets: $(DIST)/.built ## the built CSS and scripts, when their sources are newer

$(DIST)/.built: $(ASSET_INPUTS)
	cd frontend && npm ci --no-audit --no-fund && npm run assets
	touch $@

mails-check: assets # fails when a mail's template is not what its MJML source gives
	cd frontend && npm run --silent mails-check

deps: ## PostgreSQL's server binaries, Node.js and dbus-daemon, where they are missing
	@infra/deps

prepare: ## the statements' offline data (.sqlx), after a statement or a migration changed
	cargo build -q -p embedded --example with_cluster
	./target/debug/examples/with_cluster $(MAKE) --no-print-directory prepare-in-cluster

prepare-in-cluster: # inside with_cluster, which says where the cluster is
	psql -qX -v ON_ERROR_STOP=1 -f infra/postgres/roles.sql
	psql -qX -c 'CREATE DATABASE mendwright OWNER app_owner'
	for file in migrations/*.sql; do PGUSER=app_owner psql -qX -v ON_ERROR_STOP=1 -1 -d mendwright -f "$$file"; done
	rm -rf .sqlx && mkdir .sqlx
	touch backend/store/src/lib.rs
	SQLX_OFFLINE=false SQLX_OFFLINE_DIR="$(CURDIR)/.sqlx" \
	  DATABASE_URL="postgres:///mendwright?host=$$PGHOST&port=$$PGPORT&user=app_owner&sslmode=disable" cargo check -p store
	touch backend/store/src/lib.rs

prepare-check: # fails when .sqlx differs from the statements; what it should be is then in its place
	@was="$$(mktemp -d)"; trap 'rm -rf "$$was"' EXIT; cp -r .sqlx "$$was/"; $(MAKE) --no-print-directory prepare; \
	  diff -rq "$$was/.sqlx" .sqlx || { echo ".sqlx differs from the statements: commit what is there now"; exit 1; }
