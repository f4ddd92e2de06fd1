"""Whole applications that let their users connect accounts. Each runs against `dragoman up --simulate`."""
