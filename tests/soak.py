"""How long the tests go on that have a long form: `make test` runs them in short, `make soak` at length. The variables
``SOAK_KILLS``, ``SOAK_METHODS``, ``SOAK_CHAINS``, ``SOAK_FUZZ_S`` and ``SOAK_STORE`` change one of them alone."""

import os

KILLS = int(os.environ.get("SOAK_KILLS", "1"))
"""Random moments at which a chain of each method is killed."""
METHODS = os.environ.get("SOAK_METHODS", "st").split(",")
CHAINS = int(os.environ.get("SOAK_CHAINS", "3"))
"""Short chains that one process runs one after the other."""
FUZZ_S = float(os.environ.get("SOAK_FUZZ_S", "0"))
"""Seconds of fuzzing, all readers together; 0: a number of examples in place of a time."""
STORE = os.environ.get("SOAK_STORE", "sqlite")
"""Store of the end-to-end tests that name none: an SQLite file, or a ``server`` as MLflow's documentation starts it."""
