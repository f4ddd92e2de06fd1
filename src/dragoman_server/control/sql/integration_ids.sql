-- The numbers behind integration keys of an environment, kept from deletion to the end of the transaction.
SELECT unique_key, id FROM control.integrations
WHERE environment_id = $1 AND unique_key = ANY ($2::text[]) AND deleted_at IS NULL ORDER BY id FOR SHARE
