-- The database's clock, by which expiries are stored; reads nothing.
SELECT kit.now()
