# Works on a bare machine with Python 3.11 or later and make.
#
#   make demo [SECONDS=20] [RATE=500] [PORT=8080]   a simulated factory, the job and the page
#   make test [JOBS=1]                              all tests, in two processes; in one, if that is said
#   make chaos [CASES=kill,zombie] [EVENTS=100000]  faults on a real Kafka, and what came of them
#   make desk-chaos [CASES=kill] [EVENTS=60000]     faults on desks and their database, and what the books have then
#   make soak [HOURS=2] [RATE=5000]                 hours of load, a fault each minute: what grows?
#   make check                                      style, types, import rules, bandit
#   make audit-requirements                         known vulnerabilities of what is locked; asks a database
#   make bench [EVENTS=2000000]                     the figures of benchmarks/README.md: an hour or more
#   make bench-smoke                                the benchmarks' machinery, no figures
#   make profile                                    where an event's microseconds go
#   make docs                                       the generated pages
#   make lock                                       renew the locked requirements

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

demo: $(VENV)/.run
	@$(BIN)/lineside demo $(if $(SECONDS),--seconds $(SECONDS)) $(if $(RATE),--rate $(RATE)) $(if $(PORT),--port $(PORT))

test: $(VENV)/.dev
	@tests/provide-browser
	@tests/provide-broker
	@tests/provide-kubeconform
	@tests/provide-prometheus
	@tests/provide-sdks
	@$(BIN)/python -m pytest $(if $(filter-out 1,$(JOBS)),--numprocesses $(JOBS) --no-loadscope-reorder)

chaos: $(VENV)/.dev
	@tests/provide-broker
	@tests/provide-faketime
	@$(BIN)/python tests/kafka/chaos.py $(if $(CASES),--cases $(CASES)) $(if $(EVENTS),--events $(EVENTS)) $(if $(SCALE),--scale $(SCALE)) $(foreach file,$(OUT),--out $(file))

desk-chaos: $(VENV)/.dev
	@tests/provide-broker
	@$(BIN)/python tests/kafka/desk_chaos.py $(if $(CASES),--cases $(CASES)) $(if $(EVENTS),--events $(EVENTS)) $(if $(OUT),--out $(OUT))

soak: $(VENV)/.dev
	@tests/provide-broker
	@$(BIN)/python tests/kafka/soak.py $(if $(HOURS),--hours $(HOURS)) $(if $(RATE),--rate $(RATE)) $(foreach file,$(OUT),--out $(file))

check: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/bandit --quiet --configfile pyproject.toml --recursive streams tables agents docs hatch_build.py

audit-requirements: $(VENV)/.dev
	@$(BIN)/python tests/audit_requirements.py

bench: $(VENV)/.dev
	@tests/provide-broker
	@$(BIN)/python benchmarks/bench_kafka.py $(if $(EVENTS),--events $(EVENTS))
	@$(BIN)/python benchmarks/bench_peers.py $(if $(EVENTS),--events $(EVENTS))
	@$(BIN)/python benchmarks/bench_profile.py $(if $(EVENTS),--events $(EVENTS))
	@$(BIN)/python benchmarks/bench_latency.py
	@$(BIN)/python benchmarks/bench_recovery.py --keys 1000000
	@$(BIN)/python benchmarks/bench_growth.py
	@$(BIN)/python benchmarks/bench_replay.py

bench-smoke: $(VENV)/.dev
	@tests/provide-broker
	@$(BIN)/python benchmarks/smoke.py

profile: $(VENV)/.dev
	@tests/provide-broker
	@$(BIN)/python benchmarks/bench_profile.py $(if $(EVENTS),--events $(EVENTS))

docs: $(VENV)/.dev
	@$(BIN)/python docs/generate.py

lock: $(VENV)/.dev
	@$(BIN)/python -m pip --quiet install uv
	@$(BIN)/uv pip compile pyproject.toml --group build --universal --generate-hashes --python-version 3.11 \
		--no-header --no-annotate --upgrade --quiet --output-file requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --group dev --universal --generate-hashes --python-version 3.11 \
		--no-header --no-annotate --upgrade --quiet --constraints requirements.lock --output-file requirements-dev.lock
	@$(BIN)/uv pip compile --group sbom --universal --generate-hashes --python-version 3.11 \
		--no-header --no-annotate --upgrade --quiet --output-file requirements-sbom.lock

clean:
	@rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# Sources of compiled modules: a *.py that has its types in a *.pxd beside it is one.
TYPED := $(wildcard streams/*/*.pxd tables/*/*.pxd)
COMPILED := $(TYPED) $(wildcard streams/*/*.pyx tables/*/*.pyx $(TYPED:.pxd=.py))

# The stamps say with which lock the environment was made.
$(VENV)/.run: requirements.lock pyproject.toml hatch_build.py $(COMPILED)
	@echo "Setting up $(VENV) (the first time only, half a minute or so) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "lineside needs Python 3.11 or later; set PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock
	@echo "Adding the development tools to $(VENV) ..."
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

.PHONY: demo test chaos desk-chaos soak check audit-requirements bench bench-smoke profile docs lock clean
