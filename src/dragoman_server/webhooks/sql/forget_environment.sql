-- Erase everything of an environment. Safe repeated.
WITH deliveries AS (DELETE FROM webhooks.deliveries WHERE environment_id = $1),
    messages AS (DELETE FROM webhooks.messages WHERE environment_id = $1)
DELETE FROM webhooks.destinations WHERE environment_id = $1
