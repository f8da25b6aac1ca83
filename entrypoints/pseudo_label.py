"""Label the target with --generator-run; without it, what is missing before that is done first.

Parameters: see MLproject.
"""

from udamlf.cli import entry

if __name__ == "__main__":
    entry("pseudo_label")
