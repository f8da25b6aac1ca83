"""One stage, in the run that MLflow made for it: `python entrypoints/stage.py NAME --parameter value`."""

import sys

from udamlf.cli.entry import entry

if __name__ == "__main__":
    entry(sys.argv.pop(1))
