"""One way to treat pydantic models, dataclasses, msgspec structs and plain types: schema, validation, JSON bytes.

pydantic is imported only when a model needs it.
"""

import dataclasses
import sys
import typing
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, cast

from dragoman.authoring.errors import InvalidValueError


class Adapter:
    """What the platform needs of a type. `validate` takes plain values or an instance; `encode` gives JSON bytes."""

    def __init__(
        self,
        type_: Any,
        *,
        validate: Callable[[Any], Any],
        decode: Callable[[bytes], Any],
        encode: Callable[[Any], bytes],
        schema: Callable[[], dict[str, Any]],
        problems: Callable[[Exception], list[dict[str, Any]]],
        caught: tuple[type[Exception], ...],
    ) -> None:
        self.type = type_
        self.name = model_name(type_)
        self._validate = validate
        self._decode = decode
        self.encode = encode
        self.schema = schema
        self._problems = problems
        self._caught = caught

    def validate(self, value: Any, code: str, what: str) -> Any:
        """Return an instance; raises InvalidValueError(`code`)."""
        try:
            return self._validate(value)
        except self._caught as error:
            raise self._invalid(error, code, what) from error

    def decode(self, data: bytes, code: str, what: str) -> Any:
        """Return an instance made from JSON bytes; raises InvalidValueError(`code`)."""
        try:
            return self._decode(data)
        except self._caught as error:
            raise self._invalid(error, code, what) from error

    def _invalid(self, error: Exception, code: str, what: str) -> InvalidValueError:
        issues = self._problems(error)
        first: Mapping[str, Any] = issues[0] if issues else {"path": [], "message": str(error)}
        place = ".".join(str(part) for part in first["path"])
        at = f" at `{place}`" if place else ""
        return InvalidValueError(code, f"{what} does not fit `{self.name}`{at}: {first['message']}", issues)


def model_name(type_: Any) -> str:
    """The name records of this type are stored under."""
    return getattr(type_, "__name__", None) or str(type_)


@lru_cache(maxsize=512)
def adapter_for(type_: Any) -> Adapter:
    """Return the adapter of `type_`; raises TypeError when neither library can describe it."""
    if _needs_pydantic(type_):
        return _pydantic(type_)
    try:
        return _msgspec(type_)
    except ImportError:
        return _pydantic(type_)


def is_pydantic_model(type_: Any) -> bool:
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and isinstance(type_, type) and issubclass(type_, pydantic.BaseModel)


def _needs_pydantic(type_: Any, seen: frozenset[Any] = frozenset()) -> bool:
    if type_ in seen:
        return False
    if is_pydantic_model(type_) or hasattr(type_, "__pydantic_validator__"):
        return True
    seen |= {type_}
    parts = list(typing.get_args(type_))
    if dataclasses.is_dataclass(type_) or hasattr(type_, "__struct_fields__") or typing.is_typeddict(type_):
        try:
            parts += typing.get_type_hints(type_, include_extras=True).values()
        except Exception:  # an author's annotation may raise anything; the library that reads it next says it better
            return False
    return any(_needs_pydantic(part, seen) for part in parts if _hashable(part))


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _pydantic(type_: Any) -> Adapter:
    import pydantic

    adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(type_)
    serializer = adapter.serializer

    def problems(error: Exception) -> list[dict[str, Any]]:
        assert isinstance(error, pydantic.ValidationError)
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return [{"path": list(issue["loc"]), "message": issue["msg"], "code": issue["type"]} for issue in found]

    return Adapter(
        type_,
        validate=adapter.validate_python,
        decode=adapter.validate_json,
        encode=serializer.to_json,
        schema=lambda: adapter.json_schema(),  # noqa: PLW0108 - without its parameters
        problems=problems,
        caught=(pydantic.ValidationError,),
    )


def _msgspec(type_: Any) -> Adapter:
    import msgspec

    decoder = msgspec.json.Decoder(type_)
    encoder = msgspec.json.Encoder()

    def validate(value: Any) -> Any:
        # Structs and dataclasses are not checked when made: their JSON is.
        return decoder.decode(encoder.encode(value))

    def problems(error: Exception) -> list[dict[str, Any]]:
        text, _, where = str(error).partition(" - at `$")
        path = [part for part in where.rstrip("`").replace("[", ".").replace("]", "").split(".") if part]
        return [{"path": path, "message": text, "code": "invalid"}]

    def schema() -> dict[str, Any]:
        return msgspec.json.schema(type_)

    return Adapter(
        type_,
        validate=validate,
        decode=decoder.decode,
        encode=encoder.encode,
        schema=schema,
        problems=problems,
        caught=(msgspec.ValidationError, msgspec.DecodeError, TypeError),
    )


def _name_of(record: Any) -> str:
    return type(record).__name__


def record_id(record: Any) -> str:
    """Return the record's id as text; raises InvalidValueError unless it is a non-empty string or an integer."""
    found: Any = (
        cast("Mapping[str, Any]", record).get("id") if isinstance(record, Mapping) else getattr(record, "id", None)
    )
    value = found
    if type(value) is str and 0 < len(value) <= 255:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is not None and not isinstance(value, (str, bool, float)):
        text = str(value)  # uuids and the like, as their JSON shows them
        if 0 < len(text) <= 255:
            return text
    raise InvalidValueError(
        "invalid_sync_record",
        f"A record of `{_name_of(record)}` needs an `id` of 1 to 255 characters; it has {value!r:.60}.",
        [{"path": ["id"], "message": "needs 1 to 255 characters", "code": "invalid_id"}],
    )
