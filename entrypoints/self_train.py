"""One training of a round from --start-run; without it, the whole chain under MLflow's run as the parent.

Parameters: see MLproject.
"""

from udamlf.cli import entry

if __name__ == "__main__":
    entry("self_train")
