"""Benchmarks, beside peers where there are some. `python -m bench` runs them all, `python -m bench start replay` some; nothing is written here."""

import sys

sys.dont_write_bytecode = True
