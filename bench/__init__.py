"""Benchmarks of soundalike, run by `python -m bench` from the checkout; see README.md."""
