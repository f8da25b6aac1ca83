"""The choice of the target images of every round, in the run that MLflow has created for this process.

Parameters: see MLproject.
"""

from udamlf.cli import entry

if __name__ == "__main__":
    entry("target_subset")
