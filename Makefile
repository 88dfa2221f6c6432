# `make` alone prints what there is. Everything happens in .venv; nothing else on the machine is touched.

# The first python that is new enough; `make PYTHON=/path/to/python demo` chooses another.
CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in $(CANDIDATES); do $$p -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$p && break; done)

BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check --no-input
COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --no-header --allow-unsafe \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --build-deps-for editable

# Many tests wait for processes and servers: twice as many workers as processors leave neither idle.
WORKERS ?= $(shell expr 2 \* $$(getconf _NPROCESSORS_ONLN))
UPGRADE ?= --upgrade
VERSIONS ?= 3.11 3.12 3.13 3.14
# What depends on the interpreter: the database, connections, processes, and the wheel, which is built, installed and run.
SHORT ?= tests/config tests/model tests/remote tests/store tests/sync tests/web tests/worker tests/test_package.py

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-others check bench bench-instructions bench-compare bench-postgres peers torture hostile identity systems crms new-crm new-booking-system check-skeletons lock licences sbom image image-check clean
.DELETE_ON_ERROR:

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  make %-18s %s\n' "$$name" "$$text"; done

demo: .venv/.installed ## both remote systems as sandboxes, sample webhooks, the status page (DEMO_ARGS=--once ends by itself)
	@$(BIN)/connector demo $(DEMO_ARGS)

# Hundreds of processes are started: each would compile everything again where this is set.
test: .venv/.installed-dev ## the whole test suite
	@PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-all: ## a short suite on each Python from 3.11 that is found, each in an environment of its own (VERSIONS="3.12 3.13")
	@found=0; for version in $(VERSIONS); do \
		python=$$(for p in python$$version $$HOME/.pyenv/versions/$$version.*/bin/python; do \
			$$p -c 'import venv' 2>/dev/null && echo $$p && break; done); \
		if [ -z "$$python" ]; then echo "Python $$version is not here: left out"; continue; fi; \
		echo "== $$($$python --version)"; found=1; \
		$(MAKE) --no-print-directory .venv-$$version/.installed-dev PYTHON=$$python || exit 1; \
		.venv-$$version/bin/python -m pytest -q -n $(WORKERS) --dist loadfile -m "not slow and not browser" $(SHORT) || exit 1; \
	done; [ $$found = 1 ] || { echo "none of $(VERSIONS) is on this machine" >&2; exit 1; }

# At most so many of VERSIONS, in their order.
MOST ?= 9
test-others: .venv/.installed-dev ## as test-all, without the version of .venv; says so and ends well where there is no other
	@mine=$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	others=$$(for version in $(VERSIONS); do \
		[ $$version = $$mine ] || for p in python$$version $$HOME/.pyenv/versions/$$version.*/bin/python; do \
			$$p -c 'import venv' 2>/dev/null && echo $$version && break; done; \
	done | head -n $(MOST)); \
	if [ -z "$$others" ]; then echo "No other Python than $$mine is here: the short suite on others is left out"; \
	else $(MAKE) --no-print-directory test-all VERSIONS="$$others"; fi

check: .venv/.installed-dev ## lint, format, types, who may import whom, documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/test_docs.py

bench-instructions: .venv/.installed-dev ## instructions of the hot paths, counted by valgrind where it is installed
	@$(BIN)/python benchmarks/bench_instructions.py

bench: .venv/.installed-dev ## every benchmark in benchmarks/ (takes minutes)
	@for script in benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

bench-compare: .venv/.installed-dev ## the embedded default of two commits in turns: make bench-compare OLD=commit (NEW=HEAD, COMPARE_ARGS=--help)
	@$(BIN)/python benchmarks/compare_commits.py $(OLD) $(if $(NEW),$(NEW)) $(COMPARE_ARGS)

bench-postgres: .venv/.installed-dev ## several processes on PostgreSQL; long: BENCH_ARGS="--only claims --backlog 1000000", see docs/benchmarks.md
	@$(BIN)/python benchmarks/bench_postgres.py $(BENCH_ARGS)

peers: .venv/.installed-dev ## the same job in Node-RED and n8n, side by side (needs Node.js; PEERS_CACHE=folder keeps what npm installs; PEERS_ARGS=--help)
	@$(BIN)/python benchmarks/compare_peers.py $(PEERS_ARGS)

torture: .venv/.installed-dev ## kill real processes between unreliable remote systems, and count what was lost (TORTURE_ARGS=--help)
	@$(BIN)/python -m tests.torture $(TORTURE_ARGS)

N ?= 20000
hostile: .venv/.installed-dev ## hostile requests on every route of a real service, counted (make hostile N=1000000 HOSTILE_ARGS="--seed 7")
	@$(BIN)/python -m tests.hostile -n $(N) $(HOSTILE_ARGS)

identity: .venv/.installed-dev ## who is who on real kinds of booking data, as one table; CRM=odoo for another CRM, CRM=all for each
	@$(BIN)/python -m tests.identity $(if $(CRM),--crm $(CRM)) $(IDENTITY_ARGS)

systems: .venv/.installed-dev ## every booking system through its sandbox with faults on, as one table
	@$(BIN)/python -m tests.systems

crms: .venv/.installed-dev ## every CRM through its sandbox: one person many times at once, lost answers, kills, calls, as one table
	@$(BIN)/python -m tests.every_crm $(foreach name,$(CRM),--crm $(name))

new-crm: .venv/.installed ## the skeleton of a CRM's integration: make new-crm NAME=acme_crm
	@$(BIN)/python scripts/new_integration.py crm "$(NAME)"

new-booking-system: .venv/.installed ## the skeleton of a booking system's: make new-booking-system NAME=acme_booking
	@$(BIN)/python scripts/new_integration.py booking-system "$(NAME)"

check-skeletons: .venv/.installed-dev ## lint, types and imports of both skeletons, in a copy of the project
	@copy=$$(mktemp -d) && trap 'rm -rf "$$copy"' EXIT && \
	cp -R connector tests scripts docs benchmarks pyproject.toml config.example.toml CHANGELOG.md "$$copy" && bin="$(abspath $(BIN))" && cd "$$copy" && \
	$$bin/python scripts/new_integration.py crm acme_crm && $$bin/python scripts/new_integration.py booking-system zeta_booking && \
	$$bin/ruff check . && $$bin/ruff format --check . && $$bin/mypy && PYTHONPATH=. $$bin/lint-imports --no-cache

lock: .venv/.installed-dev ## write the lock files again from pyproject.toml (UPGRADE= keeps the versions that will do)
	$(COMPILE) $(UPGRADE) --output-file requirements.lock pyproject.toml
	$(COMPILE) $(UPGRADE) --extra dev --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml
	$(COMPILE) $(UPGRADE) --extra postgres --extra jwt --constraint requirements-dev.lock --output-file requirements-image.lock pyproject.toml
	@echo "Now run make licences: its list must fit the new lock files."

licences: .venv/.installed-dev ## write docs/licences.md again from the lock files; fails where a licence is unknown
	@$(BIN)/python scripts/packages.py licences

sbom: .venv/.installed-dev ## print what the image holds as CycloneDX (make -s sbom > sbom.json)
	@$(BIN)/python scripts/packages.py sbom

IMAGE ?= connector
image: ## the container image, on a base that is named by its digest; the image keeps both as labels (needs Docker; IMAGE=name:tag)
	@base=$$(sed -n 's/^ARG BASE=//p' Dockerfile) && docker pull --quiet "$$base" >&2 && \
	digest=$$(docker image inspect --format '{{index .RepoDigests 0}}' "$$base") && digest=$${digest##*@} && \
	case $$digest in sha256:*) ;; *) echo "Docker does not say the digest of $$base." >&2; exit 1;; esac && \
	echo "Base image: $$base@$$digest" && \
	docker build --build-arg "BASE=$$base@$$digest" --label "org.opencontainers.image.base.name=$$base" \
		--label "org.opencontainers.image.base.digest=$$digest" --tag "$(IMAGE)" .

image-check: .venv/.installed-dev ## build the image, run it read-only and without a network, and print one table (needs Docker or Podman; IMAGE_CHECK_ARGS=--help)
	@$(BIN)/python -m tests.image $(IMAGE_CHECK_ARGS)

clean: ## remove .venv and what the tools left
	rm -rf .venv .venv-3.* build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "connector needs Python 3.11 or newer; install it, or name it: make PYTHON=/path/to/python3.11 …" >&2; exit 1; }
	@$(PYTHON) -c '$(NEW_ENOUGH)' || { echo "$(PYTHON) is older than 3.11, or not a Python; name another: make PYTHON=… …" >&2; exit 1; }
	@echo "Making .venv with $$($(PYTHON) --version 2>&1) …"
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "Python's venv module is missing; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

# `--require-hashes` covers every package, setuptools included: building our own package downloads nothing.
.venv/.installed: requirements.lock pyproject.toml | .venv/bin/python
	@echo "Installing what requirements.lock names …"
	@$(PIP) install --require-hashes --requirement requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.installed-dev: requirements-dev.lock .venv/.installed
	@echo "Installing what requirements-dev.lock names …"
	@$(PIP) install --require-hashes --requirement requirements-dev.lock
	@touch $@

# Packages only: our own is tested as it stands in this folder.
.venv-%/.installed-dev: requirements-dev.lock requirements.lock
	@rm -rf .venv-$* && $(PYTHON) -m venv .venv-$*
	@.venv-$*/bin/python -m pip --quiet --disable-pip-version-check --no-input install --require-hashes \
		--requirement requirements.lock --requirement requirements-dev.lock
	@touch $@
