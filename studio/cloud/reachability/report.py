"""Everything that `./pingvas network` tells: both analysers' matrices, the plan, and where they differ."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from blueprint.reach import Allowed, allowed
from studio.cloud.reachability.analyser import Analyser
from studio.cloud.reachability.difference import (
    Difference,
    Plan,
    differences,
    disagreements,
    plan,
    unmatched,
)
from studio.cloud.reachability.estate import Estate
from studio.cloud.reachability.evaluator import Evaluator
from studio.cloud.reachability.matrix import Matrix, matrix
from studio.cloud.reachability.prefixes import traps


@dataclass(frozen=True, slots=True)
class Report:
    """`own` and `other` are the analysers' matrices; `rows` what the blueprint allows, `wanted` the same by pairs.

    `traps`: where the VPC CNI's own way of judging differs from what the policies say.
    """

    estate: Estate
    own: Matrix
    other: Matrix
    rows: tuple[Allowed, ...]
    wanted: Plan
    names: tuple[str, str]
    traps: tuple[str, ...]

    @property
    def missing(self) -> list[str]:
        """Names in the blueprint's list that nobody has."""
        return unmatched(self.rows, (one.name for one in self.estate.pods))

    @property
    def differences(self) -> list[Difference]:
        each = zip((self.own, self.other), self.names, strict=True)
        against_plan = [one for found, name in each for one in differences(found, self.wanted, name)]
        return [*against_plan, *disagreements(self.own, self.other, self.names)]

    @property
    def problems(self) -> list[str]:
        """One line each: pairs that differ, names that nobody has, and what the VPC CNI would judge otherwise."""
        missing = [f"{one}: is in blueprint/reach.py, and in no manifest" for one in self.missing]
        return [*missing, *map(str, self.differences), *self.traps]

    def why(self, source: str, target: str) -> str:
        """The reasons of a pair, in the blueprint's words."""
        reasons = [one.why for one in self.rows if (source, target) in plan((one,), (source, target))]
        return "; ".join(dict.fromkeys(reasons))

    def as_json(self) -> Mapping[str, Any]:
        pairs = sorted({*self.own, *self.other, *self.wanted})
        return {
            "analysers": list(self.names),
            "pods": [one.name for one in self.estate.pods],
            "on_nodes": list(self.estate.on_nodes),
            "pairs": [
                {
                    "source": source,
                    "target": target,
                    "ports": [str(matrix.get((source, target), "-")) for matrix in (self.own, self.other)],
                    "allowed": str(self.wanted.get((source, target), "-")),
                    "why": self.why(source, target),
                }
                for source, target in pairs
            ],
            "problems": self.problems,
        }


def report(estate: Estate, *, interface_endpoints: bool = False, in_cluster: bool = False) -> Report:
    """Asks both analysers; the settings are those of the deployment facts.

    Raises:
        PolicyError: a policy is none; AnalyserError: the other analyser failed.
    """
    evaluator, analyser = Evaluator(estate), Analyser(estate)
    rows = allowed(interface_endpoints=interface_endpoints, in_cluster=in_cluster)
    names: Iterable[str] = [one.name for one in estate.pods]
    return Report(
        estate,
        matrix(evaluator),
        matrix(analyser),
        rows,
        plan(rows, names),
        (evaluator.name, analyser.name),
        tuple(traps(evaluator)),
    )
