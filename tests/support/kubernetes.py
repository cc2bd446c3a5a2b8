"""The API server's PATCH of a pod, as far as a worker meets it: TLS, bearer token, JSON merge patch, refusals."""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from studio.processes import LOOPBACK
from tests.support.tls import Certificates, certificates

REASONS = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 503: "ServiceUnavailable"}


@dataclass
class ApiServer:
    """One pod, and what was asked of it. `fails` are the answers to the next requests; then it does as it is asked."""

    namespace: str = "dev"
    pod: str = "gpu-worker-1"
    token: str = "first"
    annotations: dict[str, str] = field(default_factory=lambda: {"pingvas.com/configuration": "1"})
    fails: list[int] = field(default_factory=list)
    slow: float = 0.0
    answers: list[int] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    port: int = 0
    folder: Path = Path()

    @property
    def address(self) -> str:
        return f"https://{LOOPBACK}:{self.port}"

    def rotate(self, token: str) -> None:
        """The kubelet writes a new token, and the server takes no other."""
        self.token = token
        (self.folder / "token").write_text(token)

    def until(self, **annotations: str | None) -> None:
        """Waits until the pod has these annotations; None: has not."""
        end = time.monotonic() + 10
        while any(self.annotations.get(name) != value for name, value in annotations.items()):
            assert time.monotonic() < end, self.annotations
            time.sleep(0.005)

    def asked(self) -> None:
        """Waits until something has been asked."""
        end = time.monotonic() + 10
        while not self.answers:
            assert time.monotonic() < end
            time.sleep(0.005)

    def answer(self, path: str, token: str, kind: str, body: dict[str, Any]) -> int:
        """The status; a success has changed the pod (RFC 7396, of a pod's annotations)."""
        if token != f"Bearer {self.token}":
            return 401
        if path.partition("?")[0] != f"/api/v1/namespaces/{self.namespace}/pods/{self.pod}":
            return 403
        if kind != "application/merge-patch+json":
            return 415
        if self.fails:
            return self.fails.pop(0)
        time.sleep(self.slow)
        for name, value in body["metadata"]["annotations"].items():
            if value is None:
                self.annotations.pop(name, None)
            else:
                self.annotations[name] = value
        return 200


@contextmanager
def api_server(folder: Path) -> Iterator[ApiServer]:
    """Runs one; `folder` becomes what a pod has in its service account's folder."""
    files: Certificates = certificates(folder, name="kubernetes")
    server = ApiServer(folder=folder)

    class Handler(BaseHTTPRequestHandler):
        def do_PATCH(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.bodies.append(body)
            status = server.answer(
                self.path, self.headers.get("Authorization", ""), self.headers.get("Content-Type", ""), body
            )
            server.answers.append(status)
            told = {"kind": "Status", "code": status, "reason": REASONS.get(status, "Success")}
            text = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    listening = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    server.port = listening.server_address[1]
    (folder / "token").write_text(server.token)
    (folder / "namespace").write_text(server.namespace)
    (folder / "ca.crt").write_bytes(files.authority.read_bytes())
    thread = threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()
