-- Tell every process how an authorization ended; the one that holds the browser's socket passes it on.
-- Safe from anywhere: it stores nothing, and who does not listen misses only a hint (the popup tells its opener too).
SELECT pg_notify('dragoman_popups', $1)
