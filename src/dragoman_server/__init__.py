"""The Dragoman server."""
