# `make help` lists what there is. Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
ONCE   ?=
FRESH  ?=
WEIGHTS ?= none
export TF_CPP_MIN_LOG_LEVEL ?= 3
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.DEFAULT_GOAL := help
.PHONY: help install install-dev demo test test-all test-fast installed check format proto docs bench soak screenshots clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "Kerascope needs Python 3.10 to 3.13; '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "Python's venv module is missing. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.user: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Kerascope and TensorFlow into $(VENV) (a few minutes, once)"
	@$(BIN)/pip install --quiet -c constraints.txt -e '.[train,serve,dashboard,hospital]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Kerascope with its tests' tools into $(VENV) (a few minutes, once)"
	@$(BIN)/pip install --quiet -c constraints.txt -e '.[train,serve,dashboard,hospital,openvino,onnx,dev]'
	@touch $@ $(VENV)/.user

install: $(VENV)/.user  ## everything a user needs, into .venv
install-dev: $(VENV)/.dev  ## and what the tests need

demo: $(VENV)/.user  ## phantoms -> training -> bundle -> three services; ONCE=1 stops after the analysis, FRESH=1 begins anew, WEIGHTS=imagenet fine-tunes
	@$(BIN)/python deploy/demo.py --weights $(WEIGHTS) $(if $(ONCE),--once) $(if $(FRESH),--fresh)

# Two processes, each with the whole of a test module, so that what a module's tests share is made once.
PYTEST = $(BIN)/python -m pytest -n 2 --dist loadscope
test: $(VENV)/.dev  ## the whole suite, but for the largest backbones
	$(PYTEST) -m "not large and not installed"

test-all: $(VENV)/.dev  ## the whole suite and every backbone there is
	$(BIN)/python -m pytest -m "not installed"

test-fast: $(VENV)/.dev  ## what needs no graph, no training and no browser
	$(PYTEST) -m "not slow and not large and not installed"

installed: $(VENV)/.dev  ## sdist and wheel built, each extra alone in a fresh environment, its commands run from an empty folder
	$(BIN)/python -m pytest -m installed --durations=12 tests/installed

check: $(VENV)/.dev  ## ruff, mypy, generated code up to date, bill of materials, known vulnerabilities
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_generated_code.py
	$(BIN)/python -m deploy.sbom build/sbom.cdx.json
	$(BIN)/python -m deploy.audit

format: $(VENV)/.dev  ## let ruff tidy up
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

PROTO := serving/proto/kerascope/v1/inference.proto serving/proto/modelserver/files.proto
proto: $(VENV)/.dev  ## generate the code of the protos
	$(BIN)/python -m grpc_tools.protoc -I . --python_out=. --pyi_out=. --grpc_python_out=. $(PROTO)

docs: $(VENV)/.dev  ## write the reference pages from the code
	$(BIN)/python docs/generate.py

bench: $(VENV)/.dev  ## speed, as ratios against a peer in the same run
	$(BIN)/python -m benchmarks

MINUTES ?= 10
soak: $(VENV)/.dev  ## parts killed, database restarted, disk full, clients slow, under load, for MINUTES; nothing may be lost
	$(BIN)/python -m benchmarks.chaos --minutes $(MINUTES)

screenshots: $(VENV)/.dev  ## the pictures of the README and docs, by the tests that look at the real pages
	KERASCOPE_SCREENSHOTS=1 $(BIN)/python -m pytest -q tests/dashboard/test_screenshots.py
	cp build/screenshots/*.png docs/images/

clean:  ## what builds and runs left behind, not the virtual environment
	rm -rf build .pytest_cache .mypy_cache .ruff_cache
