"""Dragoman: what users of the platform import."""
