"""Memory that was freed serves the next page of records without the kernel."""

import subprocess
import sys

PAGES = """
import resource
from dragoman_server.runners.guest.memory import keep_freed
if {kept}:
    keep_freed()
def page():
    held = [bytes(500_000) for _ in range(8)]
page(), page()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    page()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*, kept: bool) -> int:
    """Page faults of twenty pages in a process of its own."""
    code = PAGES.format(kept=kept)
    return int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


def test_a_page_after_the_first_costs_no_page_faults() -> None:
    assert faults(kept=True) < 100
    assert faults(kept=False) > 1000
