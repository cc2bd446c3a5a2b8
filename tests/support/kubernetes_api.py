"""A Kubernetes API server in memory, faithful where kubectl and helm look: TLS, tokens, discovery, CRDs, server-side
apply with managers and conflicts, label selectors, watches. What controllers would do, `Server.controllers` does.

Source: Kubernetes API reference, "API Concepts" and "Server-Side Apply".
"""

import copy
import json
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.kubernetes_discovery import built_in, discovery
from tests.support.kubernetes_objects import Body, Key, leaves, merged, read, selected, stored, without
from tests.support.tls import Certificates


class RefusedError(Exception):
    """An answer that is no success, as a Status."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message

    @property
    def body(self) -> Body:
        status = {"apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure"}
        return {**status, "message": self.message, "reason": self.reason, "code": self.code}


class Server:
    """The server's state. `authenticate` judges bearer tokens; `controllers` are asked before each answer."""

    def __init__(self, *, version: str = "1.35", url: str = "") -> None:
        self.version = version
        self.objects: dict[Key, Body] = {}
        self.calls: list[tuple[str, str, str]] = []
        """Method, path with query, body, of every request."""
        self.authenticate: Callable[[str], bool] = bool
        self.controllers: list[Callable[[Server], None]] = []
        self.url = url
        self._revision = 0
        self._owners: dict[Key, dict[str, Any]] = {}
        self._gone: list[tuple[int, Key, Body]] = []
        self._lock = threading.RLock()
        self.resources = built_in()

    @contextmanager
    def serving(self, files: Certificates) -> Iterator["Server"]:
        """Listens on 127.0.0.1 with TLS until the end of the block."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.certificate, files.key)
        handler = type("Handler", (_Handler,), {"api": self})
        listener = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        listener.daemon_threads = True
        listener.socket = context.wrap_socket(listener.socket, server_side=True)
        self.url = f"https://127.0.0.1:{listener.server_address[1]}"
        thread = threading.Thread(target=listener.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            listener.shutdown()
            listener.server_close()

    def find(self, plural: str, name: str, namespace: str = "") -> Body | None:
        """An object, whatever its group."""
        return next((body for key, body in self.objects.items() if key[1:] == (plural, namespace, name)), None)

    def store(self, key: Key, body: Body) -> Body:
        """Keeps an object with a new revision; a definition makes its kind known."""
        with self._lock:
            self._revision += 1
            meta = body.setdefault("metadata", {})
            meta.setdefault("uid", str(uuid.uuid4()))
            meta.setdefault("creationTimestamp", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
            old = self.objects.get(key)
            changed = old is None or old.get("spec") != body.get("spec")
            meta["generation"] = (old or {}).get("metadata", {}).get("generation", 0) + int(changed)
            meta["resourceVersion"] = str(self._revision)
            self.objects[key] = body
            if key[1] == "customresourcedefinitions":
                self._define(body)
            return body

    def put(self, group_version: str, plural: str, body: Body) -> None:
        """An object as if a controller had made it."""
        group = group_version.rpartition("/")[0]
        meta = body["metadata"]
        body = {"apiVersion": group_version, "kind": self.resources[group_version, plural][0], **body}
        self.store((group, plural, meta.get("namespace", ""), meta["name"]), body)

    def _define(self, body: Body) -> None:
        spec = body["spec"]
        names = spec["names"]
        for version in spec["versions"]:
            key = (f"{spec['group']}/{version['name']}", names["plural"])
            self.resources[key] = (names["kind"], names["singular"], spec["scope"] == "Namespaced")
        body["status"] = {
            "acceptedNames": names,
            "conditions": [{"type": one, "status": "True"} for one in ("NamesAccepted", "Established")],
            "storedVersions": [version["name"] for version in spec["versions"]],
        }

    # What requests ask for

    def answer(self, method: str, path: str, query: dict[str, str], body: bytes, kind: str) -> tuple[int, Body]:
        """Raises RefusedError."""
        with self._lock:
            for controller in self.controllers:
                controller(self)
            parts = path.strip("/").split("/")
            if found := discovery(parts, self.resources, self.version):
                return 200, found
            group_version, rest = ("v1", parts[2:]) if parts[0] == "api" else ("/".join(parts[1:3]), parts[3:])
            namespace = ""
            if len(rest) > 2 and rest[0] == "namespaces" and (group_version, rest[2]) in self.resources:
                namespace, rest = rest[1], rest[2:]
            if not rest or (group_version, rest[0]) not in self.resources:
                raise RefusedError(404, "NotFound", "the server could not find the requested resource")
            given = read(body) if body else {}
            key = (group_version.rpartition("/")[0], rest[0], namespace, rest[1] if len(rest) > 1 else "")
            return self._resource(method, group_version, key, query, given, kind)

    def _resource(
        self, method: str, group_version: str, key: Key, query: dict[str, str], given: Body, kind: str
    ) -> tuple[int, Body]:
        name = key[3]
        if key[1] == "selfsubjectaccessreviews":
            return 201, {**given, "status": {"allowed": True}}
        if method == "GET" and not name:
            return 200, self.listing(group_version, key, query)
        if method == "POST":
            return self._create((*key[:3], given["metadata"]["name"]), given)
        if method == "PATCH" and kind == "application/apply-patch+yaml":
            return self._apply(key, query, given)
        if key not in self.objects:
            raise RefusedError(404, "NotFound", f'{key[1]} "{name}" not found')
        if method != "DELETE":
            changed = {"PUT": stored(given), "PATCH": merged(self.objects[key], given)}.get(method)
            return 200, self.objects[key] if changed is None else self.store(key, changed)
        old = self.objects.pop(key)
        self._owners.pop(key, None)
        self._revision += 1
        self._gone.append((self._revision, key, old))
        return 200, {"kind": "Status", "apiVersion": "v1", "status": "Success"}

    def _create(self, key: Key, given: Body) -> tuple[int, Body]:
        if key in self.objects:
            raise RefusedError(409, "AlreadyExists", f'{key[1]} "{key[3]}" already exists')
        self._namespace(key)
        given["metadata"] |= {"namespace": key[2]} if key[2] else {}
        return 201, self.store(key, stored(given))

    def _namespace(self, key: Key) -> None:
        if key[2] and ("", "namespaces", "", key[2]) not in self.objects:
            raise RefusedError(404, "NotFound", f'namespaces "{key[2]}" not found')

    def _apply(self, key: Key, query: dict[str, str], given: Body) -> tuple[int, Body]:
        self._namespace(key)
        manager, old = query["fieldManager"], self.objects.get(key)
        owners = self._owners.setdefault(key, {})
        mine = {path: value for path, value in leaves(given) if path[0] not in ("apiVersion", "kind")}
        theirs = [
            f"{other}: .{'.'.join(path)}"
            for path, value in mine.items()
            for other, fields in owners.items()
            if other != manager and path in fields and fields[path] != value
        ]
        if theirs and query.get("force") != "true":
            raise RefusedError(409, "Conflict", f"Apply failed with {len(theirs)} conflicts: {'; '.join(theirs)}")
        left = {path for path in owners.get(manager, {}) if path not in mine}
        kept = {path for other, fields in owners.items() if other != manager for path in fields}
        body = merged(without(old, left - kept) if old else {}, stored(given))
        owners[manager] = mine
        for other, fields in owners.items():
            if other != manager:
                owners[other] = {path: value for path, value in fields.items() if mine.get(path, value) == value}
        # Without fields of its own, which clients decode, an entry would crash them.
        body["metadata"]["managedFields"] = [
            {"manager": one, "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": {}} for one in owners
        ]
        if key[2]:
            body["metadata"]["namespace"] = key[2]
        return (200 if old else 201), self.store(key, body)

    def listing(self, group_version: str, key: Key, query: dict[str, str]) -> Body:
        """A list, by label selector (equality) and by name."""
        found = [body for one, body in self.objects.items() if one[:2] == key[:2] and selected(one, key, body, query)]
        kind = self.resources[group_version, key[1]][0]
        meta = {"resourceVersion": str(self._revision)}
        return {"apiVersion": group_version, "kind": f"{kind}List", "metadata": meta, "items": found}

    def events(self, path: str, query: dict[str, str]) -> Iterator[Body]:
        """What happens after a revision, until the watch's time is over."""
        until = time.monotonic() + float(query.get("timeoutSeconds", "30"))
        seen = int(query.get("resourceVersion") or 0)
        begun = query.get("sendInitialEvents") != "true"
        while time.monotonic() < until:
            _, found = self.answer("GET", path, query, b"", "")
            fresh = [one for one in found["items"] if int(one["metadata"]["resourceVersion"]) > seen]
            for one in sorted(fresh, key=lambda body: int(body["metadata"]["resourceVersion"])):
                seen = int(one["metadata"]["resourceVersion"])
                yield {"type": "MODIFIED" if begun else "ADDED", "object": copy.deepcopy(one)}
            if not begun:
                begun = True
                kind = {"apiVersion": found["apiVersion"], "kind": found["kind"].removesuffix("List")}
                mark = {"resourceVersion": str(max(seen, 1)), "annotations": {"k8s.io/initial-events-end": "true"}}
                yield {"type": "BOOKMARK", "object": {**kind, "metadata": mark}}
            time.sleep(0.05)


class _Handler(BaseHTTPRequestHandler):
    api: Server
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        self.api.calls.append((self.command, self.path, body.decode(errors="replace")))
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        try:
            if not self.api.authenticate(self.headers.get("Authorization", "").removeprefix("Bearer ")):
                raise RefusedError(401, "Unauthorized", "Unauthorized")
            if query.get("watch") in ("true", "1"):
                self._watch(url.path, query)
                return
            code, made = self.api.answer(self.command, url.path, query, body, self.headers.get("Content-Type", ""))
        except RefusedError as refusal:
            code, made = refusal.code, refusal.body
        data = json.dumps(made).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 (http.server's names)

    def _watch(self, path: str, query: dict[str, str]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            for event in self.api.events(path, query):
                self.wfile.write(json.dumps(event).encode() + b"\n")
                self.wfile.flush()
        except OSError:
            return

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 (http.server's name)
        return
