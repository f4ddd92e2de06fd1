"""Writing functions: the decorators, the context a function receives, models, pagination.

Imported by users' projects (on their machine and, mounted read-only, inside the sandbox). Holds one implementation
as coroutines over a `Transport`; plain `def` functions get the same code driven without an event loop.
"""
