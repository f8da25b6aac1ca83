"""Imported last by the server that stages are forked from: the exit handlers of what it has imported take up to a
minute, for which whoever reads the launcher's output would wait."""

import atexit
import os
import sys

if any("multiprocessing.forkserver" in word for word in sys.orig_argv):
    atexit.register(os._exit, 0)
