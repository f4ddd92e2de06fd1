"""The part's verbs in one place."""

from dragoman_server.records.progress import Progressing
from dragoman_server.records.reading import Reading
from dragoman_server.records.rotation import SealedPayloads
from dragoman_server.records.saving import Saving
from dragoman_server.records.tracking import Tracking
from dragoman_server.records.upkeep import Upkeep


class Records(Saving, Reading, Progressing, Tracking, Upkeep):
    """What syncs saved: `Records(database=…, vault=…)`. Each group of verbs has its file."""

    def sealed_table(self) -> SealedPayloads:
        """What the vault's key rotation is to re-encrypt."""
        return SealedPayloads(database=self._database, vault=self._vault)
