# WebChat from a checkout: it needs only Python 3.11 or later. `make` without a target lists all targets.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
BACKUPS ?= backups
VENV := .venv
IN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(IN)/python -m pip install --quiet --disable-pip-version-check
MEMBERS := shared $(wildcard services/*) deploy/embedded deploy/canary deploy/ops
PROJECTS := $(MEMBERS:%=%/pyproject.toml)
EDITABLE := --no-deps --no-build-isolation $(MEMBERS:%=--editable ./%)
SOURCES := $(MEMBERS:%=%/src) $(wildcard bench)
# Node comes as a Python package; a Node installed on the machine is not used.
NODE := PATH="$(CURDIR)/$(IN):$$PATH"
NPM := $(NODE) npm --silent
PATIENCE := $(if $(shell command -v timeout),timeout 20)
LOGS := $(CURDIR)/$(VENV)
MODULES := web/node_modules/.installed
BUILT := web/dist/index.html
PEERS := bench/socketio/node_modules/.installed
WEB_SOURCES := $(shell find web/src web/public web/index.html web/*.ts web/tsconfig*.json web/package.json \
	-type f -not -path 'web/src/core/generated/*' 2>/dev/null) docs/api/openapi.json docs/protocol/asyncapi.json
COMPOSE_FILES := compose.yaml $(wildcard deploy/*.yaml deploy/*/*.yaml deploy/stores/*/*.yaml deploy/logging/*/*.yaml tests-e2e/*.yaml)
TESTS := $(wildcard shared/tests services/*/tests deploy/tests deploy/embedded/tests deploy/canary/tests deploy/ops/tests \
	deploy/logging/tests tests-e2e bench/tests)
UNIT := $(wildcard services/*/tests/unit shared/tests/unit deploy/*/tests/unit)
# mypy checks them in two runs, because a run has one module of a name (conftest).
HELPERS = $(shell find services/*/tests deploy/*/tests tests-e2e -name '*.py' -not -name 'test_*')
# Each module runs on one worker, so its servers and stacks start once.
WORKERS := --dist=loadgroup --no-loadscope-reorder --numprocesses=2
PYTEST := $(IN)/python -P -m pytest $(WORKERS)
CONFIRMED_PYTEST = $(IN)/python -P -m shared.testing.confirm_failures $(if $(SEED),--seed=$(SEED)) $(WORKERS)
TWO_AT_A_TIME = $(MAKE) --no-print-directory --jobs=2 --output-sync=line

# If this were set, each of the processes of a stack would compile all its modules at every start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help:  ## print this list
	@echo "WebChat: make TARGET"
	@sed -n 's/^\([a-z0-9-]*\):.*##  *\(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-15s%s\n", $$1, $$2 }'
	@echo "Settings are environment variables, listed in .env.example. A file .env is read too."

.PHONY: run
run: $(STAMP)  ## run WebChat on this machine, on http://127.0.0.1:8080 (WEBCHAT_PORT, WEBCHAT_DATA)
	@$(MAKE) --silent web 2>$(LOGS)/make.log || { grep -v '^make' $(LOGS)/make.log; echo "The web client was not built; WebChat starts with the old one or none."; } >&2
	@$(IN)/python -P -m embedded run

.PHONY: env
env:  ## add missing secrets to .env, for the containers of compose.yaml
	@$(PYTHON) deploy/make_env.py .env

.PHONY: backup
backup:  ## copy databases and files of the containers into a dated folder under BACKUPS (backups), and print its name
	@$(PYTHON) deploy/backup.py save "$(BACKUPS)/$$(date -u +%Y-%m-%dT%H-%M-%SZ)"

.PHONY: restore
restore:  ## restore databases and files of the containers: make restore FROM=backups/...
	@[ -n "$(FROM)" ] || { echo "restore: name a backup: make restore FROM=$(BACKUPS)/..." >&2; exit 1; }
	@$(PYTHON) deploy/backup.py restore "$(FROM)"

.PHONY: seed
seed: $(STAMP)  ## fill the running instance with demo users, rooms and messages; prints two accounts
	@$(IN)/python -P -m embedded seed

.PHONY: trace
trace: $(STAMP)  ## send one message through the running instance and print its trace, from nginx to the sockets and back
	@$(IN)/python -P -m embedded trace

.PHONY: web
web: $(BUILT)  ## build the web client into web/dist if its sources changed

.PHONY: unit
unit: $(STAMP) $(MODULES)  ## run the tests that need no server, in seconds
	@cd web && $(NPM) test
	@$(PYTEST) --quiet $(UNIT)

.PHONY: test
test: $(STAMP) $(MODULES)  ## lint, then run all tests against real servers and in a real browser (SEED=N repeats an order)
	@$(TWO_AT_A_TIME) lint-python lint-web test-web $(BUILT)
	@$(CONFIRMED_PYTEST) $(TESTS)

.PHONY: flaky
flaky: $(STAMP) $(BUILT)  ## run the tests N times in random order and list what failed, in flaky/ (N=10, TESTS=path)
	@$(IN)/python -P -m shared.testing.flaky $(or $(N),10) flaky $(WORKERS) $(TESTS)

.PHONY: test-web
test-web: $(MODULES)
	@echo "test: web"
	@cd web && $(NPM) test

.PHONY: e2e
e2e: $(STAMP) $(BUILT)  ## run the end-to-end tests on the containers of compose.yaml, with MySQL (needs Docker)
	@docker compose version >/dev/null 2>&1 && docker info >/dev/null 2>&1 || { \
		echo "make e2e needs a running Docker engine with compose: on Debian, apt-get install docker.io docker-cli" \
		"docker-compose docker-buildx, and start dockerd" >&2; exit 1; }
	@$(IN)/python tests-e2e/leftovers.py
	@echo "e2e: the data services' tests on MySQL"
	@$(IN)/python tests-e2e/on_mysql.py $(CONFIRMED_PYTEST) services -m mysql
	@echo "e2e: the end-to-end tests on containers"
	@WEBCHAT_STACK=containers $(CONFIRMED_PYTEST) tests-e2e --ignore=tests-e2e/browser

.PHONY: chaos
chaos: $(STAMP) $(BUILT)  ## inject twenty faults while clients write and read, and count lost messages (CHAOS="--list", --data, --compose)
	@cd tests-e2e && PYTHONPATH=. ../$(IN)/python -P -m chaos $(CHAOS)

.PHONY: fairness
fairness: $(STAMP)  ## attack a stack in 27 ways beside twenty ordinary people, and compare what they wait for; ten minutes (FAIRNESS="--list")
	@$(IN)/python -m bench.fairness $(FAIRNESS)

.PHONY: mutants
mutants: $(STAMP) $(MODULES)  ## plant small bugs in the hot modules and list those that no test detects; takes hours (TARGETS="hub connection")
	@$(IN)/python -m bench.mutants $(TARGETS)

.PHONY: lint
lint: $(STAMP) $(MODULES)  ## check style, types, imports, prose and configuration files
	@$(TWO_AT_A_TIME) lint-python lint-web

.PHONY: lint-python
lint-python: $(STAMP)
	@echo "lint: ruff"
	@$(IN)/ruff check --quiet .
	@$(IN)/ruff format --quiet --check .
	@echo "lint: mypy"
	@$(IN)/mypy --strict --no-error-summary $(SOURCES)
	@echo "lint: mypy fixtures and helpers of tests"
	@MYPYPATH=services/chat-gateway:deploy/logging/tests:tests-e2e $(IN)/mypy --explicit-package-bases --no-error-summary \
		$(filter-out tests-e2e/browser/% deploy/logging/tests/conftest.py,$(HELPERS))
	@MYPYPATH=tests-e2e:tests-e2e/browser $(IN)/mypy --explicit-package-bases --no-error-summary \
		$(filter tests-e2e/browser/%,$(HELPERS))
	@echo "lint: imports"
	@$(IN)/lint-imports >$(VENV)/imports.log || { cat $(VENV)/imports.log; exit 1; }
	@echo "lint: prose"
	@git ls-files -z 2>/dev/null | xargs -0 -r $(IN)/codespell --toml pyproject.toml
	@$(IN)/python -P deploy/docs/prose.py
	@echo "lint: deploy"
	@if [ -x $(IN)/hadolint ]; then $(IN)/hadolint deploy/*.Dockerfile deploy/logging/*/*.Dockerfile; fi
	@if command -v shellcheck >/dev/null; then shellcheck deploy/*.sh deploy/ec2/*.sh deploy/logging/*/*.sh; fi
	@$(IN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec $(COMPOSE_FILES)
	@$(IN)/python -P deploy/nginx/check.py

.PHONY: lint-web
lint-web: $(MODULES)
	@for script in typecheck lint; do \
		echo "lint: web $$script"; (cd web && $(NPM) run $$script) || exit 1; done

.PHONY: bench
bench: $(STAMP) $(if $(findstring socketio,$(BENCH)),,$(PEERS))  ## run the benchmark and write figures and plots to bench/report; ten minutes, more with the client (BENCH=--help)
	@$(IN)/python -m bench $(BENCH)
	@[ -n "$(filter-out --all,$(BENCH))" ] || { $(MAKE) --silent web; $(IN)/python -m bench.browser; }

.PHONY: growth
growth: $(STAMP)  ## measure the cost of a message on MySQL as rooms and histories grow; five minutes (TEST_MYSQL_URL names the server)
	@$(IN)/python -m bench.growth

.PHONY: docs
docs: $(STAMP)  ## rewrite the OpenAPI and AsyncAPI documents under docs/
	@cd deploy/docs && ../../$(IN)/python snapshots.py

.PHONY: plans
plans: $(STAMP)  ## write MySQL's execution plans to docs/database (TEST_MYSQL_URL names the server)
	@WRITE_PLANS=1 $(IN)/python -P -m pytest -q -m mysql -k how_mysql_finds $(wildcard services/*/tests/service)

# hatchling and editables build the workspace's own packages, so that nothing outside the lock is downloaded for that.
.PHONY: lock
lock: $(STAMP)  ## resolve all requirements into requirements.lock (UPGRADE=--upgrade for newer versions)
	@printf 'hatchling\neditables\n' | $(IN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-annotate --no-header --no-emit-index-url --no-emit-find-links --no-emit-package webchat-shared \
		$(UPGRADE) --group dev - $(PROJECTS) --output-file requirements.lock
	@! grep -nE '://|^-' requirements.lock || { echo "requirements.lock contains an address: see above" >&2; exit 1; }

.PHONY: audit
audit: $(STAMP)  ## look for known vulnerabilities in the locked packages, where the services that list them are reachable
	@$(IN)/python -P deploy/audit.py

.PHONY: sbom
sbom: $(STAMP)  ## write what the locks name as CycloneDX to sbom/: python.cdx.json and client.cdx.json
	@mkdir -p sbom
	@$(IN)/python -P deploy/sbom.py requirements.lock >sbom/python.cdx.json
	@cd web && $(NPM) sbom --offline --package-lock-only --sbom-format cyclonedx >../sbom/client.cdx.json

.PHONY: screenshots
screenshots: $(BUILT)  ## take the pictures in docs/screenshots with demo users
	@cd tests-e2e/browser && ../../$(IN)/python screenshots.py $(SCENES)

.PHONY: demo-ops
demo-ops: $(BUILT)  ## take pictures of /ops during faults for docs/screenshots; three minutes
	@cd tests-e2e/browser && ../../$(IN)/python demo_ops.py

.PHONY: icons
icons: $(STAMP)  ## render the client's icons from their SVG
	@cd tests-e2e/browser && ../../$(IN)/python icons.py

.PHONY: clean
clean:  ## remove everything that was built; the data folder stays
	@rm -rf $(VENV) web/node_modules bench/socketio/node_modules web/dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache flaky
	@find $(MEMBERS) deploy tests-e2e bench -type d \( -name __pycache__ -o -name .mypy_cache \) -prune -exec rm -rf {} +

# First install uv with pip, verified by its hash, then the lock with uv, or with pip if uv fails.
$(STAMP): requirements.lock pyproject.toml $(PROJECTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "WebChat needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) -V 2>&1). Set PYTHON=... to another." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "This Python has no venv: apt-get install python3-venv" >&2; exit 1; }
	@[ -x $(IN)/python ] || { echo "creating $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "installing the packages of requirements.lock"
	@awk '/^uv==/ { wanted = 1 } wanted { print } wanted && !/\\$$/ { exit }' requirements.lock >$(VENV)/uv.lock
	@$(PIP) --require-hashes --requirement $(VENV)/uv.lock
	@$(IN)/uv pip install --quiet --compile-bytecode --python $(IN)/python --require-hashes --requirement requirements.lock || \
		$(PIP) --require-hashes --requirement requirements.lock
	@echo "installing the workspace"
	@$(IN)/uv pip install --quiet --python $(IN)/python --offline $(EDITABLE) || $(PIP) $(EDITABLE)
	@touch $@

# Query the registry first: without a network, npm would wait for minutes.
$(MODULES): web/package-lock.json | $(STAMP)
	@echo "installing the packages of web/package-lock.json"
	@cd web && { $(NODE) $(PATIENCE) npm view vite version --fetch-retries=0 && $(NPM) ci --loglevel=error; } >$(LOGS)/npm.log 2>&1 || { \
		echo "npm could not install the client's packages; check that its registry is reachable ($(VENV)/npm.log)"; exit 1; } >&2
	@touch $@

$(PEERS): bench/socketio/package-lock.json | $(STAMP)
	@echo "installing the packages of bench/socketio/package-lock.json"
	@cd bench/socketio && { $(NODE) $(PATIENCE) npm view socket.io version --fetch-retries=0 && $(NPM) ci --loglevel=error; } \
		>$(LOGS)/npm-bench.log 2>&1 || { echo "npm could not install socket.io ($(VENV)/npm-bench.log);" \
		"make bench BENCH='--without socketio' does without it"; exit 1; } >&2
	@touch $@

$(BUILT): $(MODULES) $(WEB_SOURCES)
	@echo "building the web client"
	@cd web && $(NPM) run build -- --outDir node_modules/.dist --emptyOutDir >$(LOGS)/web.log 2>&1 || { cat $(LOGS)/web.log; exit 1; } >&2
	@rm -rf web/dist && mv web/node_modules/.dist web/dist && touch $@
