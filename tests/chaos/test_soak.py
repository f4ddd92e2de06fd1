"""Two hundred customers at work for a minute while processes are killed and Postgres is started again.

SOAK_SECONDS says how long (default 40 of traffic; what follows checks), CHAOS_SEED repeats a run's choices.
"""

import os

import pytest

from tests.chaos.world import seed_of
from tests.support.platform import make_data_dir, remove_data_dir, start_platform
from tests.support.soak.bazaar import open_bazaar, write_entry
from tests.support.soak.play import Soak, run, set_up

SECONDS = float(os.environ.get("SOAK_SECONDS", "40"))

pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("chaos"), pytest.mark.timeout(300 + SECONDS)]


async def test_two_hundred_customers_lose_nothing_and_see_no_fault_outside_of_outages() -> None:
    choose = seed_of("soak")
    folder = make_data_dir()
    with open_bazaar() as bazaar:
        settings = {"DRAGOMAN_PROVIDERS_DIR": str(write_entry(folder / "providers"))}
        platform = start_platform(folder / "data", extra=settings)
        try:
            soak = Soak(platform, bazaar, choose, set_up(platform, bazaar, customers=200, wares=30))
            await run(soak, seconds=SECONDS, kill_every=6.0)
            tally = soak.tally
            print(f"done {dict(tally.done)}; excused {dict(tally.excused)}; kills {[o.kind for o in tally.outages]}")
            print(
                f"recoveries {[round(o.ended - o.began, 1) for o in tally.outages if o.ended]}; memory {tally.memory}"
            )
            assert tally.faults == []
            assert {o.kind for o in tally.outages} >= {"postgres", "work"}
            assert all(o.ended is not None for o in tally.outages), "it recovers from every kill"
            assert tally.done["proxy"] > 0
            assert tally.done["action"] > 0
            assert tally.done["async action"] > 0
            assert bazaar.hanging > 0
            assert "bazaar-key-" not in platform.output()
        except BaseException:
            print(platform.output()[-20_000:])  # pytest shows it with the failure
            raise
        finally:
            bazaar.closing.set()
            platform.stop()
            remove_data_dir(folder)
