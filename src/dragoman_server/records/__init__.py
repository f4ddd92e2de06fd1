"""What syncs saved: records by stream (connection, model, variant), their change feed, and how far each sync got.

A record has a head (position, hash, times) and a sealed payload. Each stream counts positions in the order of commits,
so a reader's cursor never skips; see INVARIANTS.md. Called by `gate` (running functions), `jobs`, `flows` and `api`;
emptied contents are purged, and old ones pruned, by `loops` in the work process. Stores the schema `records`.
"""

from dragoman_server.records.errors import (
    CheckpointConflictError,
    ConnectionErasedError,
    InvalidCheckpointError,
    InvalidCursorError,
    InvalidRecordError,
    StaleAttemptError,
)
from dragoman_server.records.model import (
    Action,
    Closed,
    DeleteResult,
    Fence,
    Merging,
    MergingStrategy,
    Page,
    Progress,
    Pruned,
    SaveResult,
    Stream,
    StreamKey,
    StreamSize,
    Totals,
)
from dragoman_server.records.service import Records

__all__ = [
    "Action",
    "CheckpointConflictError",
    "Closed",
    "ConnectionErasedError",
    "DeleteResult",
    "Fence",
    "InvalidCheckpointError",
    "InvalidCursorError",
    "InvalidRecordError",
    "Merging",
    "MergingStrategy",
    "Page",
    "Progress",
    "Pruned",
    "Records",
    "SaveResult",
    "StaleAttemptError",
    "Stream",
    "StreamKey",
    "StreamSize",
    "Totals",
]
