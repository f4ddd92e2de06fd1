"""The door of running functions: implements what a guest may ask (`runners.port.GuestCalls`), fenced by its attempt.

Called by the runner host through `jobs`; identity is the run the host made the channel for, never a token. Stores
nothing itself. Runs in the process that hosts runners.
"""
