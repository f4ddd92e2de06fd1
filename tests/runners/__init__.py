"""The runner host: protocol, runs over a real zygote, limits, dependencies."""
