-- Lease due deliveries, a few of each destination, of every environment (environment_id is returned).
-- Safe with many deliverers: rows another one holds are skipped, a lease is due_at in the future by the database's
-- clock, and the attempt's number fences a late sender. The walk hops from destination to destination by the index, so
-- a flood for one is never read through; a destination with an open circuit gives nothing, one whose time is over gives
-- a single delivery, and its row is locked and pushed on, so that there is one probe.
WITH RECURSIVE walk (destination_id, hop) AS (
    (SELECT d.destination_id, 1 FROM webhooks.deliveries d
        WHERE d.state = 'pending' AND d.destination_id > $1 ORDER BY d.destination_id LIMIT 1)
    UNION ALL
    SELECT (SELECT d.destination_id FROM webhooks.deliveries d
        WHERE d.state = 'pending' AND d.destination_id > w.destination_id ORDER BY d.destination_id LIMIT 1), w.hop + 1
    FROM walk w WHERE w.destination_id IS NOT NULL AND w.hop < $2),
probing AS (
    UPDATE webhooks.destinations t SET open_until = kit.now() + $3::interval
    WHERE t.id IN (
        SELECT x.id FROM webhooks.destinations x
        WHERE x.id IN (SELECT w.destination_id FROM walk w) AND x.open_until <= kit.now()
            AND EXISTS (SELECT FROM webhooks.deliveries d
                WHERE d.destination_id = x.id AND d.state = 'pending' AND d.due_at <= kit.now())
        FOR UPDATE SKIP LOCKED)
        AND t.open_until <= kit.now()
    RETURNING t.id),
allowed AS (
    SELECT t.id, t.environment_id, t.url, coalesce(k.cap, $4) AS cap
    FROM webhooks.destinations t LEFT JOIN unnest($5::bigint[], $6::int[]) AS k(id, cap) ON k.id = t.id
    WHERE t.id IN (SELECT w.destination_id FROM walk w) AND t.open_until IS NULL
    UNION ALL
    SELECT t.id, t.environment_id, t.url, 1 FROM webhooks.destinations t WHERE t.id IN (SELECT p.id FROM probing p)),
picked AS MATERIALIZED (
    SELECT due.id, a.url FROM allowed a CROSS JOIN LATERAL (
        SELECT d.id FROM webhooks.deliveries d
        WHERE d.destination_id = a.id AND d.state = 'pending' AND d.due_at <= kit.now() AND a.cap > 0
        ORDER BY d.due_at LIMIT a.cap FOR UPDATE SKIP LOCKED) due
    LIMIT $7),
leased AS (
    UPDATE webhooks.deliveries d SET due_at = kit.now() + $3::interval, attempts = d.attempts + 1
    FROM picked p WHERE d.id = p.id AND d.state = 'pending'
    RETURNING d.id, d.environment_id, d.message_id, d.destination_id, p.url, d.type, d.integration, d.connection,
        d.connection_row_id, d.attempts)
SELECT (SELECT max(w.destination_id) FROM walk w), (SELECT count(w.destination_id) FROM walk w), l.*
FROM (SELECT 1) AS always LEFT JOIN leased l ON true
