"""The independent analyser, network-config-analyzer, on the same resources, each direction by itself.

It takes pods for things without addresses. Asked about ingress and about egress apart, it tells what each end admits to
pods and to addresses; `matrix` puts the two together for pods that have addresses, as it does for our own answers.
"""

import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import yaml

from studio.cloud import toolchain
from studio.cloud.reachability.estate import Estate, Pod
from studio.cloud.reachability.policies import DIRECTIONS, Direction
from studio.cloud.reachability.ports import ANY, FIRST, LAST, NONE, Ports

_LINE = re.compile(r"(\S+) => (\S+) : (.+)")
_PART = re.compile(r"\{protocols:([A-Z0-9, -]+?)(?:,dst_ports:([0-9,-]+))?\}")
_RANGE = re.compile(r"(\d+\.\d+\.\d+\.\d+)(?:-(\d+\.\d+\.\d+\.\d+))?")


class AnalyserError(RuntimeError):
    """network-config-analyzer failed, or said something that this reader does not know."""


class Analyser:
    """Answers as `Evaluator` does, from two runs of about a second."""

    name = "network-config-analyzer"

    def __init__(self, estate: Estate) -> None:
        self.estate = estate

    def by_selector(self, direction: Direction, pod: Pod, peer: Pod) -> Ports:
        return self._answers[direction].pods.get((pod.name, peer.name), NONE)

    def by_address(self, direction: Direction, pod: Pod, address: IPv4Address) -> Ports:
        return self._answers[direction].of(pod.name, address)

    @cached_property
    def _answers(self) -> Mapping[Direction, "Answers"]:
        with ThreadPoolExecutor(len(DIRECTIONS)) as threads:
            return dict(zip(DIRECTIONS, threads.map(self._ask, DIRECTIONS), strict=True))

    def _ask(self, direction: Direction) -> "Answers":
        return Answers(direction, run(self.estate, [_half(one, direction) for one in self.estate.policies]))


class Answers:
    """What one run said about one direction, from the view of the end whose policies were asked.

    It may say something of a pair in several lines, one a protocol.
    """

    def __init__(self, direction: Direction, lines: list[tuple[str, str, Ports]]) -> None:
        self.pods: dict[tuple[str, str], Ports] = {}
        self._ranges: dict[str, list[tuple[int, int, Ports]]] = {}
        for source, target, ports in lines:
            pod, peer = (source, target) if direction == "egress" else (target, source)
            found = _RANGE.fullmatch(peer)
            if found:
                first, last = (int(IPv4Address(one)) for one in (found[1], found[2] or found[1]))
                self._ranges.setdefault(pod, []).append((first, last, ports))
            else:
                self.pods[pod, peer] = self.pods.get((pod, peer), NONE) | ports

    def of(self, pod: str, address: IPv4Address) -> Ports:
        parts = self._ranges.get(pod, ())
        return Ports.union(ports for first, last, ports in parts if first <= int(address) <= last)


def run(estate: Estate, policies: list[Mapping[str, Any]]) -> list[tuple[str, str, Ports]]:
    """One run: source, target and ports of every pair that may speak; an address range stands for itself.

    Raises:
        AnalyserError: it failed or its output is not understood.
    """
    with tempfile.TemporaryDirectory() as folder:
        resources = Path(folder, "resources.yaml")
        bodies = [*_namespaces(estate), *_pods(estate), *policies]
        resources.write_text(yaml.dump_all(bodies, Dumper=yaml.CSafeDumper), encoding="utf-8")
        done = subprocess.run(
            [
                *(toolchain.nca(), "--connectivity", "--resource_list", folder),
                *("--output_format", "txt_no_fw_rules", "--output_endpoints", "pods", "--return_0"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise AnalyserError(f"network-config-analyzer failed: {' '.join(done.stderr.split())[-300:]}")
    return list(_read(done.stdout))


def _read(text: str) -> Iterator[tuple[str, str, Ports]]:
    for line in text.splitlines():
        if not line or line.startswith(
            ("global:", "Total run time:", "Warning: Missing named port", "Warning: Named ports ")
        ):
            continue
        found = _LINE.fullmatch(line.strip())
        if not found:
            raise AnalyserError(f"network-config-analyzer said {line!r}")
        yield found[1], found[2], _ports(found[3])


def _ports(text: str) -> Ports:
    if text == "All connections":
        return ANY
    parts = _PART.findall(text)
    if ",".join(f"{{protocols:{names}{f',dst_ports:{ports}' if ports else ''}}}" for names, ports in parts) != text:
        raise AnalyserError(f"network-config-analyzer named the ports {text!r}")
    found = NONE
    for names, ports in parts:
        for protocol in names.split(", "):
            spans = [one.partition("-") for one in ports.split(",")] if ports else [(str(FIRST), "-", str(LAST))]
            found |= Ports.union(
                Ports(((protocol.lower(), int(first), int(last or first)),)) for first, _, last in spans
            )
    return found & ANY


def _half(policy: Mapping[str, Any], direction: Direction) -> Mapping[str, Any]:
    """A policy's part of one direction; where it has none, one that selects nothing of it."""
    spec = dict(policy["spec"])
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    other = "egress" if direction == "ingress" else "ingress"
    spec.pop(other, None)
    spec["policyTypes"] = [direction.title()]
    if direction.title() not in types:
        spec["podSelector"] = {"matchLabels": {"pingvas.studio/nobody": "nobody"}}
    return {**policy, "spec": spec}


def _namespaces(estate: Estate) -> Iterator[Mapping[str, Any]]:
    for name, labels in estate.namespaces.items():
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(labels)}}


def _pods(estate: Estate) -> Iterator[Mapping[str, Any]]:
    for pod in estate.pods:
        ports = [
            {"name": name, "protocol": protocol.upper(), "containerPort": number}
            for (name, protocol), number in pod.named.items()
        ]
        yield {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": pod.app, "namespace": pod.namespace, "labels": dict(pod.labels)},
            "spec": {"containers": [{"name": "one", "image": "one", "ports": ports}]},
        }
