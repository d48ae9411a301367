# Each target sets up what it needs by itself: uv (the one on PATH, else a pinned one in .bootstrap) and, from uv.lock,
# the environment in .venv. The lab compiles its own tools when a target first needs them.

PYTHON ?= python3
WORKERS ?= 4
UV_VERSION := 0.13.8

UV := $(shell uv --version >/dev/null 2>&1 && command -v uv || echo .bootstrap/bin/uv)
BIN := .venv/bin
READY := .venv/.synced
PYTEST := $(BIN)/pytest -n $(WORKERS) --dist worksteal

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
KEY ?=
FORM ?= folder

.PHONY: help demo lab catalogue test test-unit test-cluster test-nodes test-images test-pods test-oldest crash mutate tools postgres check generate bench images format clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## Watch an alert become a verified fix on a lab cluster (YES=1: approve by itself)
	@$(BIN)/interlock demo $(if $(YES),--yes)

lab: $(READY) ## Start a lab cluster that stays until `make clean` or `.venv/bin/interlock lab down`
	@$(BIN)/interlock lab up

catalogue: $(READY) ## Vet what ships, sign it with KEY=key.pem, put it and its signed index into dist/ (FORM=oci: a layout)
	@test -n "$(KEY)" || { echo "whose key? make catalogue KEY=key.pem, after: $(BIN)/interlock key new key.pem" >&2; exit 2; }
	@mkdir -p dist
	$(BIN)/interlock runbook vet --catalogue --out dist/vetting.jsonl
	$(BIN)/interlock runbook sign --catalogue --vetting dist/vetting.jsonl --key "$(KEY)" --out dist/attestations.jsonl
	@rm -rf dist/catalogue
	$(BIN)/interlock catalogue make --catalogue --attestations dist/attestations.jsonl --key "$(KEY)" --form $(FORM) \
		--name interlock --version "$$($(BIN)/python -c 'import importlib.metadata as m; print(m.version("interlock"))')" \
		--out dist/catalogue

test: $(READY) postgres tools ## All tests; those of the cluster share one lab
	$(PYTEST) $(ARGS)

test-unit: $(READY) postgres ## The tests that need no cluster
	$(PYTEST) tests/unit $(ARGS)

test-cluster: $(READY) tools ## The tests that need a cluster
	$(PYTEST) tests/cluster $(ARGS)

test-nodes: $(READY) ## The tests on real kubelets and containers, or why this machine does not allow them
	@$(BIN)/python -m tools.lab_tools --real-nodes
	$(BIN)/pytest tests/nodes -m "realnode and not image" $(ARGS)

test-images: $(READY) tools ## Build both images and run what is in them at a lab, read-only and as no root (takes root)
	$(BIN)/pytest tests/cluster/operator/test_image.py -m image $(ARGS)

test-pods: $(READY) postgres ## Build both images and run the chart's own Deployments on real kubelets, two operators and the agents
	@$(BIN)/python -m tools.lab_tools --real-nodes
	$(BIN)/pytest tests/nodes/test_pods.py -m image $(ARGS)

# Not in .ci/run: one more API server takes minutes to compile.
OLDEST := tests/cluster/enforcement tests/cluster/install tests/cluster/operator/test_path.py \
	tests/cluster/cli/test_demo.py tests/cluster/lab/test_lifecycle.py tests/cluster/vetting

test-oldest: $(READY) ## What the API server enforces, charts, an execution, the demo, a vetting, on the oldest Kubernetes
	INTERLOCK_LAB_KUBERNETES=1.32 $(PYTEST) $(OLDEST) $(ARGS)

crash: $(READY) tools ## Kill operator and agents at every request and commit, which `make test` samples
	$(PYTEST) tests/cluster/crash tests/unit/agents/test_kill.py -m "crash or not crash" $(ARGS)

mutate: $(READY) tools ## Neutralise each rule of the API server in turn: a test must fail (ARGS="--shard 2/4": a part)
	$(BIN)/python -m tools.mutate $(ARGS)

# Where it cannot be installed, the tests of PostgreSQL are skipped with that reason.
postgres: ## Install PostgreSQL's server for the tests, where apt-get may do so without asking (as root)
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null \
		|| { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && export DEBIAN_FRONTEND=noninteractive \
		&& { apt-get install -qq -y --no-install-recommends postgresql </dev/null >/dev/null 2>&1 \
		|| { apt-get update -qq && apt-get install -qq -y --no-install-recommends postgresql; } </dev/null >/dev/null 2>&1; }; } \
		|| echo "no PostgreSQL: its tests are skipped"

tools: $(READY) ## Compile the lab's tools, once, into ~/.cache/interlock
	@$(BIN)/python -m tools.lab_tools

check: $(READY) ## Format, lint, types, import contracts, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python -m tools.check_types
	$(BIN)/lint-imports
	$(BIN)/python -m interlock.crds.generate --check
	$(BIN)/python -m tools.reference --check

generate: $(READY) ## Write what is generated from the contract: crds/, charts/, docs/reference/
	$(BIN)/python -m interlock.crds.generate
	$(BIN)/python -m tools.reference

bench: $(READY) ## Measure against baselines of the same run (FULL=1: the largest sizes, PROFILE=1, ARGO=1, ARGS=NAME)
	@$(BIN)/python -m bench $(if $(FULL),--full) $(if $(PROFILE),--profile) $(if $(ARGO),--argo) $(ARGS)

images: $(READY) ## Build the images of operator and agents into dist/, without Docker, with an SBOM each
	@$(BIN)/python -m tools.images

format: $(READY) ## Format the code and mend what ruff can mend
	$(BIN)/ruff check --fix-only --exit-zero .
	$(BIN)/ruff format .

clean: ## Remove what was made in this folder, and stop the lab; compiled tools stay in ~/.cache/interlock
	@if [ -x $(BIN)/interlock ]; then $(BIN)/interlock lab down || true; fi
	rm -rf .venv .bootstrap .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist bench/results
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml uv.lock | $(UV)
	@echo "setting up .venv from uv.lock"
	@$(UV) sync --locked
	@touch $@

.bootstrap/bin/uv:
	@echo "no uv on PATH: installing uv $(UV_VERSION) into .bootstrap"
	@$(PYTHON) -m venv .bootstrap || { echo "needs Python 3.11 or later with venv (Debian, Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	@.bootstrap/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
