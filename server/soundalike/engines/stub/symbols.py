"""The bounds of a symbol, and what announces the first: known without numpy."""

PREAMBLE_TONES = (1750.0, 2000.0)
"""Hz. Multiples of 250, so that they come round in the 4 ms blocks of the preamble search."""

SHORTEST_SYMBOL = 10
LONGEST_SYMBOL = 300
"""Milliseconds."""
