"""In which order CloudFormation makes what a template has."""

from collections.abc import Mapping

from studio.cloud.rehearse.refusals import Body, RefusedError
from studio.cloud.rehearse.schemas import references


def order(resources: Mapping[str, Body]) -> list[str]:
    """Logical ids so that each stands after what it refers to or depends on.

    >>> order({"B": {"DependsOn": "A"}, "A": {}})
    ['A', 'B']
    """
    done: dict[str, None] = {}

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in done:
            return
        if name in above:
            raise RefusedError(f"Circular dependency between resources: {', '.join([*above, name])}")
        body = resources[name]
        after = body.get("DependsOn", [])
        for other in [*([after] if isinstance(after, str) else after), *references(body.get("Properties"))]:
            if other in resources and other != name:
                visit(other, (*above, name))
        done[name] = None

    for name in resources:
        visit(name, ())
    return list(done)
