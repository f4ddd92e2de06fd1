"""Hostile functions against the real sandbox, in every tier, as root and not."""
