-- Makes another KEK current. The row lock waits for wraps under way and holds new ones until the re-wrap commits.
UPDATE vault.ring SET current_kek = $1, rotated_at = kit.now()
