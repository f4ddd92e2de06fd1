-- This writer lives. Safe repeated: one row a writer.
INSERT INTO logs.writers (id, beat_at) VALUES ($1, kit.now()) ON CONFLICT (id) DO UPDATE SET beat_at = excluded.beat_at
