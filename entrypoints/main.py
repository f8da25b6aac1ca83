"""The whole chain of a method on a scenario, and the references it is compared with.

Parameters: see MLproject.
"""

from udamlf.cli.entry import entry

if __name__ == "__main__":
    entry("main")
