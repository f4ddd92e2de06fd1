"""What a process says of itself shows no local variable: they hold tokens."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys
from dragoman_server.kit import telemetry
if sys.argv[1] != "default":
    telemetry.configure_logging(pretty=sys.argv[1] == "pretty")
def ask(token):
    raise ValueError("no")
try:
    ask("hunter2" + "-hunter2")
except ValueError:
    telemetry.get_logger("test").exception("broken")
"""


@pytest.mark.parametrize("how", ["default", "pretty", "json"])
def test_a_traceback_shows_no_variables(how: str) -> None:
    ran = subprocess.run([sys.executable, "-c", SCRIPT, how], capture_output=True, text=True, check=True)

    said = ran.stdout + ran.stderr
    assert "ValueError: no" in said
    assert "hunter2-hunter2" not in said
