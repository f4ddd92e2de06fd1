-- Makes or replaces functions under the environment's deployment lock. Their number, switch and frequency stay.
INSERT INTO control.functions AS f (environment_id, integration_id, name, type, deployment_id, manifest)
SELECT $1, n.integration_id, n.name, n.type, $2, n.manifest::jsonb
FROM unnest($3::int[], $4::text[], $5::text[], $6::text[]) AS n (integration_id, name, type, manifest)
ON CONFLICT (environment_id, integration_id, name, type) WHERE deleted_at IS NULL DO UPDATE SET
    deployment_id = excluded.deployment_id, manifest = excluded.manifest, version = f.version + 1,
    last_deployed = kit.now()
RETURNING f.id
