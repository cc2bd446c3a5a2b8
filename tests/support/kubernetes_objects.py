"""What an API server does with objects: selects, stores, merges, owns by field; and reads kubectl's protobuf."""

import base64
import copy
from collections.abc import Iterator
from typing import Any

import yaml

Body = dict[str, Any]
Key = tuple[str, str, str, str]
"""API group, plural, namespace, name."""
PROTOBUF = b"k8s\x00"


def read(body: bytes) -> Body:
    """A request's body: JSON, YAML or, of a Secret, protobuf, which typed clients send.

    Source: k8s.io/apimachinery, runtime/generated.proto (Unknown); k8s.io/api, core/v1/generated.proto (Secret).
    """
    if not body.startswith(PROTOBUF):
        return yaml.load(body, Loader=yaml.CSafeLoader) or {}
    unknown = dict(_fields(body[len(PROTOBUF) :]))
    kind = dict(_fields(unknown[1]))
    secret = list(_fields(unknown[2]))
    meta = list(_fields(dict(secret)[1]))
    texts = {number: value.decode() for number, value in meta if number in (1, 3) and value}
    return {
        "apiVersion": kind[1].decode(),
        "kind": kind[2].decode(),
        "metadata": {
            "name": texts[1],
            **({"namespace": texts[3]} if 3 in texts else {}),
            "labels": {one[1].decode(): one[2].decode() for one in _entries(meta, 11)},
        },
        "data": {one[1].decode(): base64.b64encode(one[2]).decode() for one in _entries(secret, 2)},
        "type": next(value.decode() for number, value in secret if number == 3),
    }


def _entries(fields: list[tuple[int, bytes]], wanted: int) -> Iterator[dict[int, bytes]]:
    """A map's entries: key 1, value 2."""
    return (dict(_fields(value)) for number, value in fields if number == wanted)


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of each field with a length; numbers are passed over."""
    at = 0

    def varint() -> int:
        nonlocal at
        found = shift = 0
        while True:
            byte = data[at]
            at += 1
            found |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return found

    while at < len(data):
        tag = varint()
        length = varint()
        if tag & 7 == 2:
            yield tag >> 3, data[at : at + length]
            at += length


def selected(key: Key, asked: Key, body: Body, query: dict[str, str]) -> bool:
    labels = body["metadata"].get("labels", {})
    wanted = dict(
        one.split("=", 1) for one in query.get("labelSelector", "").replace("==", "=").split(",") if "=" in one
    )
    fields = dict(one.split("=", 1) for one in query.get("fieldSelector", "").split(",") if "=" in one)
    named = fields.get("metadata.name", key[3]) == key[3]
    return asked[2] in ("", key[2]) and named and all(labels.get(name) == value for name, value in wanted.items())


def stored(body: Body) -> Body:
    """A Secret's plain text becomes its data, as the server makes it."""
    made = copy.deepcopy(body)
    for name, text in made.pop("stringData", {}).items() if made.get("kind") == "Secret" else ():
        made.setdefault("data", {})[name] = base64.b64encode(text.encode()).decode()
    return made


def merged(old: Any, new: Any) -> Any:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return copy.deepcopy(new)
    return {**old, **{name: merged(old.get(name), value) for name, value in new.items()}}


def leaves(body: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(body, dict) and body:
        for name, value in body.items():
            yield from leaves(value, (*path, name))
    else:
        yield path, body


def without(body: Body, paths: set[tuple[str, ...]]) -> Body:
    made = copy.deepcopy(body)
    for path in paths:
        part = made
        for name in path[:-1]:
            part = part.get(name, {})
        part.pop(path[-1], None)
    return made
