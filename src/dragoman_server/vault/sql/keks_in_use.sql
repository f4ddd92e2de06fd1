-- How many keys each KEK wraps, over every environment: the proof that one may be dropped. The current one always counts.
SELECT kek_id, count(*) FROM (
    SELECT kek_id FROM vault.data_keys UNION ALL SELECT kek_id FROM vault.hash_keys
    UNION ALL SELECT kek_id FROM vault.system_keys UNION ALL SELECT current_kek FROM vault.ring
) AS uses GROUP BY kek_id
