-- The database clock: reads nothing.
SELECT kit.now()
