"""IAM's own evaluation of policies, so that a test asks "may she?" instead of looking for words in a document.

It follows the IAM user guide: "Policy evaluation logic", "IAM JSON policy elements" (Condition operators, Principal,
Resource, variables and tags). What it does not know (an operator, NotPrincipal) raises: a guess would be a false proof.
"""

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Any, Literal

Document = Mapping[str, Any]
Decision = Literal["allow", "deny", "none"]
"""`deny` is an explicit Deny; `none` is the implicit one, where nothing allows."""
ANONYMOUS = "anonymous"
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_ARN_FIELDS = 6
ADMINISTRATOR: Document = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
"""What somebody might attach to a role by mistake: denials have to hold all the same."""


class UnknownPolicyError(ValueError):
    """A policy uses what this evaluator does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call. `principal` is an ARN, a service (`cloudfront.amazonaws.com`), an OIDC provider's ARN or ANONYMOUS.

    `context` holds condition keys: `aws:SourceIp`, `aws:MultiFactorAuthPresent`; several values as a list. A key that
    is not there is absent from the request, which IAM treats unlike an empty one.
    """

    action: str
    resource: str = "*"
    principal: str = ANONYMOUS
    context: Mapping[str, str | Sequence[str]] = field(default_factory=dict)

    @property
    def account(self) -> str:
        """The account of the principal; empty for services and strangers."""
        parts = self.principal.split(":")
        return parts[4] if len(parts) >= _ARN_FIELDS else ""

    def values(self, key: str) -> list[str] | None:
        """The values of a condition key, whose name has no case; None where the request lacks it."""
        for name, value in self.context.items():
            if name.lower() == key.lower():
                return [value] if isinstance(value, str) else list(value)
        return None


def evaluate(
    request: Request,
    *,
    identity: Iterable[Document] = (),
    resource: Iterable[Document] = (),
    boundary: Document | None = None,
    owner: str | None = None,
    governed: bool = False,
) -> Decision:
    """What AWS answers.

    `owner` is the account of the resource; None is the principal's own. `governed` resources (KMS keys, roles to
    assume) admit only whom their own policy names: identity policies count where it names the whole account.
    """
    documents = [*identity]
    resources = [*resource]
    bounds = [] if boundary is None else [boundary]
    if any(_says("Deny", one, request) for one in (*documents, *bounds)):
        return "deny"
    if any(_says("Deny", one, request, of_resource=True) for one in resources):
        return "deny"
    by_identity = any(_says("Allow", one, request) for one in documents)
    direct = any(_says("Allow", one, request, of_resource=True, account=False) for one in resources)
    delegated = any(_says("Allow", one, request, of_resource=True) for one in resources)
    if bounds and not any(_says("Allow", one, request) for one in bounds):
        return "none"
    if not request.account:
        passes = direct
    elif owner not in (None, request.account):
        passes = by_identity and delegated
    elif governed:
        passes = direct or (delegated and by_identity)
    else:
        passes = direct or by_identity
    return "allow" if passes else "none"


def allowed(request: Request, **policies: Any) -> bool:
    """Whether `evaluate` lets the request pass."""
    return evaluate(request, **policies) == "allow"


def statements(document: Document) -> list[Mapping[str, Any]]:
    found = document.get("Statement", [])
    return [found] if isinstance(found, Mapping) else list(found)


def listed(value: Any) -> list[Any]:
    """A policy element that may be one value or several."""
    return list(value) if isinstance(value, list | tuple) else [value]


def _says(
    effect: str, document: Document, request: Request, *, of_resource: bool = False, account: bool = True
) -> bool:
    return any(
        statement["Effect"] == effect and matches(statement, request, of_resource=of_resource, account=account)
        for statement in statements(document)
    )


def matches(statement: Mapping[str, Any], request: Request, *, of_resource: bool = False, account: bool = True) -> bool:
    """Whether a statement speaks of the request; `account` lets a principal that is a whole account match."""
    if "NotPrincipal" in statement:
        raise UnknownPolicyError("NotPrincipal")
    if of_resource != ("Principal" in statement):
        raise UnknownPolicyError(f"a statement of the wrong kind of policy: {statement}")
    if of_resource and not _principal(statement["Principal"], request, account=account):
        return False
    if not _element(statement, "Action", lambda pattern: glob(pattern.lower(), request.action.lower())):
        return False
    if ("Resource" in statement or "NotResource" in statement) and not _element(
        statement, "Resource", lambda pattern: _resource(pattern, request)
    ):
        return False
    return all(
        _condition(operator, key, listed(wanted), request)
        for operator, keys in statement.get("Condition", {}).items()
        for key, wanted in keys.items()
    )


def _element(statement: Mapping[str, Any], name: str, matching: Callable[[str], bool]) -> bool:
    if f"Not{name}" in statement:
        return not any(matching(pattern) for pattern in listed(statement[f"Not{name}"]))
    return any(matching(pattern) for pattern in listed(statement[name]))


def _principal(principal: Any, request: Request, *, account: bool) -> bool:
    if principal == "*":
        return True
    for kind, names in principal.items():
        if kind not in ("AWS", "Service", "Federated"):
            raise UnknownPolicyError(f"principal {kind}")
        for name in listed(names):
            if kind == "AWS" and name == "*":
                return True
            if kind == "AWS" and (re.fullmatch(r"\d{12}", name) or name.endswith(":root")):
                if account and request.account and request.account == (name if ":" not in name else name.split(":")[4]):
                    return True
            elif "*" in name or "?" in name:
                raise UnknownPolicyError(f"IAM refuses the wildcard in principal {name}")
            elif name in (request.principal, _role_of(request.principal)):
                return True
    return False


def _role_of(principal: str) -> str | None:
    """The role behind the ARN of a session of it."""
    found = re.fullmatch(r"arn:([^:]+):sts::(\d{12}):assumed-role/([^/]+)/.+", principal)
    return f"arn:{found[1]}:iam::{found[2]}:role/{found[3]}" if found else None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(pattern.replace("[", "[[]")))


def glob(pattern: str, text: str) -> bool:
    """IAM's wildcards: `*` any characters, `?` exactly one."""
    return bool(_compiled(pattern).match(text))


def arn_glob(pattern: str, arn: str) -> bool:
    """ARNs are compared field by field, so a wildcard does not reach over a colon; missing fields are `*`."""
    if pattern == "*":
        return True
    wanted = pattern.split(":", _ARN_FIELDS - 1)
    given = arn.split(":", _ARN_FIELDS - 1)
    wanted += ["*"] * (_ARN_FIELDS - len(wanted))
    return len(given) == _ARN_FIELDS and all(glob(one, other) for one, other in zip(wanted, given, strict=True))


def _resource(pattern: str, request: Request) -> bool:
    filled = _filled(pattern, request)
    return filled is not None and arn_glob(filled, request.resource)


def _filled(pattern: str, request: Request) -> str | None:
    """A value with its policy variables replaced; None where one has no value, and the statement does not match."""
    missing = False

    def value(found: re.Match[str]) -> str:
        nonlocal missing
        if found[1] in ("*", "?", "$"):
            raise UnknownPolicyError(f"the literal {found[0]}")
        name, _, default = found[1].partition(",")
        values = request.values(name.strip())
        if values is None or len(values) != 1:
            missing = missing or not default
            return default.strip(" '")
        return values[0]

    filled = _VARIABLE.sub(value, pattern)
    return None if missing else filled


_NEGATED = {"StringNotEquals", "StringNotEqualsIgnoreCase", "StringNotLike", "ArnNotEquals", "ArnNotLike"} | {
    "NotIpAddress",
    "NumericNotEquals",
}
_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, given: wanted == given,
    "StringEqualsIgnoreCase": lambda wanted, given: wanted.lower() == given.lower(),
    "StringLike": glob,
    "ArnEquals": arn_glob,
    "ArnLike": arn_glob,
    "Bool": lambda wanted, given: wanted.lower() == given.lower(),
    "IpAddress": lambda wanted, given: ip_address(given) in ip_network(wanted),
    "NumericEquals": lambda wanted, given: float(given) == float(wanted),
    "NumericLessThan": lambda wanted, given: float(given) < float(wanted),
    "NumericLessThanEquals": lambda wanted, given: float(given) <= float(wanted),
    "NumericGreaterThan": lambda wanted, given: float(given) > float(wanted),
    "NumericGreaterThanEquals": lambda wanted, given: float(given) >= float(wanted),
}


def _condition(operator: str, key: str, wanted: list[Any], request: Request) -> bool:
    quantifier, _, bare = operator.rpartition(":")
    if quantifier not in ("", "ForAllValues", "ForAnyValue"):
        raise UnknownPolicyError(f"condition {operator}")
    given = request.values(key)
    if bare == "Null":
        return any((given is None) == (str(one).lower() == "true") for one in wanted)
    exists = bare.endswith("IfExists")
    bare = bare.removesuffix("IfExists")
    negated = bare in _NEGATED
    positive = bare.replace("Not", "", 1) if negated else bare
    if positive not in _OPERATORS:
        raise UnknownPolicyError(f"condition {operator}")
    if given is None or (quantifier and not given):
        return exists or (quantifier == "ForAllValues") or (negated and not quantifier)
    if not quantifier and len(given) > 1:
        raise UnknownPolicyError(f"{key} has several values, which {operator} cannot tell apart")
    patterns = [filled for one in wanted if (filled := _filled(_text(one), request)) is not None]

    def holds(value: str) -> bool:
        return any(_OPERATORS[positive](pattern, value) for pattern in patterns) != negated

    return (any if quantifier == "ForAnyValue" else all)(holds(value) for value in given)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
