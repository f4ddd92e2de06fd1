"""The functions of this project; every module in this folder is looked through for @sync and @action."""
