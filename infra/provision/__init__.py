"""The parts of `bootstrap.py`: what the machine is, what is pinned, and how it gets into `.runtime/`."""
