"""Self-supervised pre-training of a round's network, in the run that MLflow has created for this process.

Parameters: see MLproject.
"""

from udamlf.cli import entry

if __name__ == "__main__":
    entry("pretrain")
