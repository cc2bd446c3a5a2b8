"""What AWS would refuse, as the emulator refuses it."""

from typing import Any

from moto.cloudformation.exceptions import ValidationError

from studio.cloud.rehearse.ledger import Ledger, Line

Body = dict[str, Any]
Place = tuple[str, str, str]
"""Stack, logical id or export, type (empty where there is none)."""


class RefusedError(ValidationError):
    """What AWS would refuse; told once in the ledger."""

    def __init__(self, message: str) -> None:
        super().__init__(message=message)


def refusal(ledger: Ledger, place: Place, reason: str, body: Body | None = None) -> RefusedError:
    """An error to raise, told in the ledger with the construct's path."""
    stack, name, kind = place
    path = str((body or {}).get("Metadata", {}).get("aws:cdk:path", ""))
    ledger.write(Line("refused", stack, name, kind, path, reason=reason))
    return RefusedError(f"{stack}/{name} ({kind}): {reason}")
