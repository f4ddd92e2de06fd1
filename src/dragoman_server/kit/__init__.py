"""What every part stands on: clock, ids, the error root, start and stop, telemetry.

Knows no product word and no table. Used by everything, stores nothing.
"""
