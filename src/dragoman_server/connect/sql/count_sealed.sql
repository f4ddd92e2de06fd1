-- Exact: a data key is dropped only when this is zero. Rows of both tables, by their index.
SELECT (SELECT count(*) FROM connect.credentials WHERE environment_id = $1 AND data_key_id = $2)
    + (SELECT count(*) FROM connect.oauth_states WHERE environment_id = $1 AND data_key_id = $2)
