-- Names the first KEK of a new database. Safe with many starters: the first one wins, the others read its choice.
INSERT INTO vault.ring (current_kek) VALUES ($1) ON CONFLICT DO NOTHING
