-- The database clock: safe anywhere, reads nothing.
SELECT kit.now()
