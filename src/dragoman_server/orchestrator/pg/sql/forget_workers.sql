-- Workers silent for an hour hold nothing any more; a live one writes its row anew with its next beat.
DELETE FROM orchestrator.workers w WHERE w.beat_at < kit.now() - interval '1 hour'
