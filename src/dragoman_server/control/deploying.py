"""What a deployment changes, computed from what is there and what is wanted. Pure."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from dragoman_server.control import rules
from dragoman_server.control.errors import InvalidFrequencyError, SyncIntervalTooShortError
from dragoman_server.control.frequency import LONGEST, parse_frequency
from dragoman_server.control.model import (
    Difference,
    FunctionSpec,
    FunctionVersion,
    declared_frequency,
    declared_models,
)
from dragoman_server.kit.errors import Issue
from dragoman_server.kit.ids import DeploymentId

Identity = tuple[str, str, str]
LONGEST_TIMEOUT = 86_400
_MODEL = re.compile(r"[A-Z][a-zA-Z0-9_-]{0,254}")


def difference(
    current: Sequence[FunctionVersion],
    wanted: Sequence[FunctionSpec],
    *,
    deployment_id: DeploymentId | None = None,
    reconcile: bool = True,
    within: Collection[str] | None = None,
) -> Difference:
    """Return what becomes of `current` when `wanted` is deployed.

    A function is unchanged when its manifest is and its code came in the same archive. With `reconcile` what is no
    longer wanted goes, but only of the integrations `within` (None: all).
    """
    before = {_identity(function): function for function in current}
    after = {_identity(spec): spec for spec in wanted}
    kept = [function for identity, function in before.items() if identity in after]
    unchanged = [
        function
        for function in kept
        if function.deployment_id == deployment_id and function.manifest == after[_identity(function)].manifest
    ]
    still = {_identity(function) for function in unchanged}
    deleted = [
        function
        for identity, function in before.items()
        if reconcile and identity not in after and (within is None or function.integration_key in within)
    ]
    gone = {_identity(function) for function in deleted}
    return Difference(
        new=[spec for identity, spec in after.items() if identity not in before],
        updated=[function for function in kept if _identity(function) not in still],
        unchanged=unchanged,
        deleted=deleted,
        deleted_models=_deleted_models(
            current, [*wanted, *(f for i, f in before.items() if i not in after and i not in gone)]
        ),
    )


def check_specs(specs: Sequence[FunctionSpec]) -> list[Issue]:
    """Name what is wrong with the functions of a deployment."""
    issues: list[Issue] = []
    seen: set[Identity] = set()
    for number, spec in enumerate(specs):
        place = ("functions", number)
        issues += rules.check_function_name(spec.name, (*place, "name"))
        issues += rules.check_integration_key(spec.integration_key, (*place, "integration"))
        issues += rules.check_json(spec.manifest, place)
        if _identity(spec) in seen:
            issues.append(Issue("custom", f"The {spec.type} `{spec.name}` is declared twice.", place))
        seen.add(_identity(spec))
        wrong = _check_manifest(spec.manifest, place)
        issues += wrong
        frequency = declared_frequency(spec.manifest) if spec.type == "sync" and not wrong else None
        if frequency is not None:
            try:
                parse_frequency(frequency)
            except (InvalidFrequencyError, SyncIntervalTooShortError) as error:
                issues.append(Issue("custom", error.message, (*place, "frequency")))
    return issues


def _check_manifest(manifest: Mapping[str, Any], place: tuple[str | int, ...]) -> list[Issue]:
    """Name what later readers of a manifest could not bear: it comes from a project's code, which may say anything."""
    issues: list[Issue] = []
    timeout, interval, models = (manifest.get(name) for name in ("timeout_seconds", "interval_seconds", "models"))
    if timeout is not None and (type(timeout) is not int or not 1 <= timeout <= LONGEST_TIMEOUT):
        issues.append(Issue("custom", f"`timeout_seconds` is 1 to {LONGEST_TIMEOUT}.", (*place, "timeout_seconds")))
    longest = LONGEST.total_seconds()
    if interval is not None and (type(interval) not in {int, float} or not 1 <= cast("float", interval) <= longest):
        issues.append(Issue("custom", f"`interval_seconds` is 1 to {longest:.0f}.", (*place, "interval_seconds")))
    if models is not None:
        names = list(cast("Mapping[Any, Any]", models)) if isinstance(models, Mapping) else None
        if names is None or not all(isinstance(name, str) and _MODEL.fullmatch(name) for name in names):
            issues.append(Issue("custom", "`models` maps names like `Contact` to schemas.", (*place, "models")))
    return issues


def _identity(function: FunctionSpec | FunctionVersion) -> Identity:
    return (function.integration_key, function.type, function.name)


def _deleted_models(
    current: Sequence[FunctionVersion], remaining: Sequence[FunctionSpec | FunctionVersion]
) -> list[str]:
    had = {(function.integration_key, model) for function in current for model in declared_models(function.manifest)}
    has = {(spec.integration_key, model) for spec in remaining for model in declared_models(spec.manifest)}
    return sorted({model for _, model in had - has})
