"""Settings and the composition root: Settings -> connected parts -> processes.

Only this part and `cli` read settings; it alone knows which doors and loops a process has.
"""
