# make demo: the main job with a quarter of the miniature's training (make demo PROFILE=miniature ROUNDS=: all of it).
# make test: the test suite.  make soak: properties on new examples, and the tests with a long form; hours.  All set up .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
SCENARIO ?= syn2city
PROFILE ?= demo
ROUNDS ?= 2
# MLflow and its entry points say `python`: the one of the environment.
export PATH := $(BIN):$(PATH)

.PHONY: demo test soak lint bench clean

demo: $(VENV)/installed
	$(BIN)/mlflow run . -e self_train -P scenario=$(SCENARIO) -P profile=$(PROFILE) -P rounds=$(ROUNDS) $(if $(METHOD),-P method=$(METHOD)) --env-manager local

test: $(VENV)/installed-test
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -q

# The long form, and a shorter one: make soak KILLS=3 METHODS=st,iast CHAINS=10 FUZZ_S=60
KILLS ?= 30
METHODS ?= st,cbst,crst_mrkld,iast,hiast,intrada,proda,ema_mix,advent,adabn
CHAINS ?= 200
FUZZ_S ?= 600
SOAK := tests/end_to_end/test_kill.py tests/end_to_end/test_soak.py tests/test_fuzz.py

soak: $(VENV)/installed-test
	$(BIN)/python -m pytest -q --hypothesis-profile=others tests/data tests/models tests/selection tests/training
	SOAK_KILLS=$(KILLS) SOAK_METHODS=$(METHODS) SOAK_CHAINS=$(CHAINS) SOAK_FUZZ_S=$(FUZZ_S) \
		$(BIN)/python -m pytest -q --durations=0 $(SOAK)
	SOAK_STORE=server $(BIN)/python -m pytest -q tests/end_to_end

lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pylint --disable=all --enable=duplicate-code --min-similarity-lines=8 udamlf

bench: $(VENV)/installed
	$(BIN)/python benchmarks/ratios.py

$(VENV)/installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	touch $@

clean:
	rm -rf $(VENV) mlflow.db mlflow.db.lock mlruns .udamlf
