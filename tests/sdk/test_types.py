"""The types of the blocking context say what the awaited one says."""

import importlib.util
from pathlib import Path

from dragoman.authoring import blocking, context

ROOT = Path(__file__).parent.parent.parent


def test_the_blocking_types_are_in_step_with_the_context() -> None:
    spec = importlib.util.spec_from_file_location("blocking_types", ROOT / "scripts" / "blocking_types.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    assert module.TARGET.read_text() == module.render()


def test_every_method_of_the_context_has_its_blocking_twin() -> None:
    for name in ("SyncContext", "ActionContext"):
        wanted = {method for method in dir(getattr(context, name)) if callable(getattr(getattr(context, name), method))}
        made = set(dir(getattr(blocking, f"Blocking{name}")))
        assert {method for method in wanted if not method.startswith("_")} <= made
