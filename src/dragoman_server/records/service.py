"""The part's verbs in one place."""

from dragoman_server.records.progress import Progressing
from dragoman_server.records.reading import Reading
from dragoman_server.records.saving import Saving


class Records(Saving, Reading, Progressing):
    """What syncs saved: `Records(database=…, vault=…)`. Each group of verbs has its file."""
