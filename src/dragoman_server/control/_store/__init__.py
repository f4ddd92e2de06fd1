"""The only code that knows the tables of `control`, a module per noun."""
