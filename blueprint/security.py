"""Lifetimes and limits of sign-in, and what the account's audit keeps. Seconds unless a name says otherwise."""

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Security:
    """Tokens and keys: HS256 access tokens of 30 minutes, refresh tokens that rotate at each use."""

    access_token: int = 30 * 60
    refresh_token: int = 30 * 24 * 3600
    refresh_reuse_window: int = 10
    """A refresh answered but lost on the way may be repeated this long; later reuse ends the session."""
    jwt_algorithm: str = "HS256"
    jwt_issuer: str = "pingvas"
    secret_bytes_minimum: int = 32
    api_keys_maximum: int = 20


SECURITY = Security()
SCOPES = ("profile", "credits", "generate", "gallery", "models")
"""What an API key may be limited to; a signed-in browser session has them all."""


@dataclass(frozen=True, slots=True)
class Operators:
    """The role of the people who run the platform. The STS minimum of a role's session is 3600."""

    role: str = "DevOps-AssumeRole"
    session: int = 3600
    mfa_age: int = 3600
    """How long ago the second factor may have been given."""


OPERATORS = Operators()


@dataclass(frozen=True, slots=True)
class Audit:
    """CloudTrail: who did what in the account. Days where a name says so.

    Writes to `data_event_buckets` are recorded object by object (0.10 USD per 100,000); reads are not, since S3's own
    access logs have them, and every picture that is looked at would be an event.
    """

    trail: str = "pingvas-audit"
    bucket: str = "pingvas-audit"
    kept_days: int = 365
    log_group: str = "/pingvas/audit"
    log_group_days: int = 90
    data_event_buckets: tuple[str, ...] = ("pingvas-dev-images", "pingvas-prod-images", "pingvas-models-shared")


AUDIT = Audit()
GUARDDUTY_FREQUENCY = "FIFTEEN_MINUTES"
GUARDDUTY_FEATURES: MappingProxyType[str, bool] = MappingProxyType(
    {
        "S3_DATA_EVENTS": True,
        "EKS_AUDIT_LOGS": True,
        "RDS_LOGIN_EVENTS": True,
        "EBS_MALWARE_PROTECTION": False,
        "LAMBDA_NETWORK_LOGS": False,
        "RUNTIME_MONITORING": False,
    }
)
"""What GuardDuty watches beside CloudTrail, flow logs and DNS. Off: malware scans of volumes (nodes live for hours and
run scanned images), Lambda (a handful of functions without a way in), runtime monitoring (an agent on every node, paid
by the vCPU). A feature that is not named would be on by default."""
