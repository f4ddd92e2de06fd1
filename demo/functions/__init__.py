"""The demo's functions; every module in this folder is looked through for @sync and @action."""
