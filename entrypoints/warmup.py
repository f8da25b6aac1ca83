"""The method's first training, in the run that MLflow has created for this process.

Parameters: see MLproject.
"""

from udamlf.cli import entry

if __name__ == "__main__":
    entry("warmup")
