"""Bodies of application/x-www-form-urlencoded (WHATWG URL Standard, 5.1), read as one JSON object.

Text becomes values by the schema's :class:`Reading`; see :mod:`gateway.core.texts.brackets` for names with
brackets. What the schema does not name stays a string, so that ``additionalProperties`` decides. Every
fault goes out as :class:`FormFault`, or as :class:`gateway.core.parse.JsonFault` for JSON inside a form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.core.parse import JsonFault, parse
from gateway.core.printable import caller_name
from gateway.core.texts.brackets import Field, FieldFault, Leaf, reading_of_member, split_name
from gateway.core.texts.percent import Undecodable, decode
from gateway.core.texts.reading import fits, read_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.core.types import Json, Reading

_FOLDED: Final = str.maketrans(" .", "__")
MAX_FIELDS: Final = 1000
"""How many fields or parts a form has at most."""


class FormFault(Exception):
    """A form that cannot be read without doubt.

    ``code`` is ``bad_request`` for what is malformed (there is no JSON for ``invalid_json`` to speak of, and
    no rule of a schema is broken), ``duplicate_key`` for a field that stands twice without being an array,
    ``json_too_deep`` for brackets nested too deep, ``unsupported_media_type`` for a part's Content-Type.
    ``message`` and ``param``, the field's name or None, are for the client.
    """

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param


def malformed(reason: str, param: str | None = None) -> FormFault:
    """Make the fault of a form that is malformed."""
    return FormFault(
        "bad_request", f"We could not read the form in the body of your request: {reason}.", param
    )


def read_form(body: bytes, reading: Reading, *, max_depth: int) -> dict[str, Json]:
    """Read an urlencoded form as an object at most ``max_depth`` levels deep; at most 1,000 fields.

    An empty body has no fields. Refused is what decoders differ over: malformed escapes, what is not UTF-8,
    ``;`` and unencoded bytes outside printable ASCII, NUL, fields without a name, ``a&&b``, and a ``?`` at
    the beginning, which JavaScript's URLSearchParams takes off.
    """
    if not body:
        return {}
    if body.startswith(b"?"):
        raise malformed("it begins with a question mark")
    if body.count(b"&") >= MAX_FIELDS:
        raise malformed(f"it has more than {MAX_FIELDS} fields")
    return read_fields(map(_decode_pair, body.decode("latin-1").split("&")), reading, max_depth)


def _decode_pair(part: str) -> tuple[str, Leaf]:
    raw_name, _, raw_value = part.partition("=")
    try:
        name = decode(raw_name, plus=" ")
    except Undecodable as fault:
        raise malformed(f"a field's name {fault.reason}") from None
    try:
        return name, Leaf(decode(raw_value, controls=True, plus=" "))
    except Undecodable as fault:
        raise malformed(f"the field '{caller_name(name)}' {fault.reason}", caller_name(name)) from None


def read_fields(pairs: Iterable[tuple[str, Leaf]], reading: Reading, max_depth: int) -> dict[str, Json]:
    """Put fields, in whatever order they stand, together to the object that they mean."""
    fields: dict[str, Field] = {}
    for name, leaf in pairs:
        base, keys = split_field(name, reading, max_depth)
        fields.setdefault(base, Field(base)).add(keys, leaf)
    try:
        return {
            name: field.read(reading_of_member(reading, name), max_depth - 1, _read_text)
            for name, field in fields.items()
        }
    except FieldFault as fault:
        name = caller_name(fault.name)
        raise FormFault(fault.code, f"Invalid '{name}': the field {fault.reason}.", name) from None


def split_field(name: str, reading: Reading, max_depth: int) -> tuple[str, tuple[str, ...]]:
    """Give a field's property and the keys below it; a name that the schema has means itself."""
    if name in reading.properties:
        return name, ()
    if name.count("[") > max_depth:  # before anything is made of so many keys
        raise FormFault("json_too_deep", "Invalid form: a field is nested too deep.", caller_name(name))
    split = split_name(name)
    if split is None:
        reason = (
            f"the name '{caller_name(name)}' has brackets out of place" if name else "a field has no name"
        )
        raise malformed(reason, caller_name(name) or None)
    folded = split[0].strip().translate(_FOLDED)
    # PHP reads " a" as "a" and "a.b" as "a_b", Django "a " of multipart as "a".
    if folded != split[0] and folded in reading.properties:
        raise malformed(f"the name '{caller_name(name)}' imitates another", caller_name(name))
    return split


def _read_text(text: str, reading: Reading, room: int) -> Json:
    """Read a field's text: for an object it is JSON (OpenAPI 3.1.0, "Encoding Object")."""
    value = read_text(text, reading)
    if "object" not in reading.types or fits(value, reading):
        return value
    try:
        found = parse(text.encode(), max_depth=room)
    except JsonFault:
        return text  # which is no object, as the schema will say
    return found if isinstance(found, dict) else text
