-- Safe against a racing claim or finish: rows are locked in id order, then judged by the state they have.
SELECT task, ended FROM orchestrator.cancel($1, $2)
