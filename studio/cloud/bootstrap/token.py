"""A token for EKS's API server: kubectl and helm run `python -m studio.cloud.bootstrap.token CLUSTER REGION`.

The token is a GetCallerIdentity request to STS, signed for this cluster and not sent; EKS sends it and learns who we
are. Sources: aws-iam-authenticator, "API Authorization from Outside a Cluster"; Kubernetes documentation, "client-go
credential plugins". Without boto3, since it runs once a call of kubectl.
"""

import base64
import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.model import ServiceId
from botocore.session import Session
from botocore.signers import RequestSigner

PREFIX = "k8s-aws-v1."
HEADER = "x-k8s-aws-id"
SIGNED_SECONDS = 60
"""How long STS takes the signature; EKS takes the token for fifteen minutes."""
KEPT_MINUTES = 14
EXEC_API = "client.authentication.k8s.io/v1"


def token(session: Session, cluster: str, region: str) -> str:
    """Signs in as whom the session's credentials say.

    Raises:
        botocore.exceptions.NoCredentialsError: there are none.
    """
    signer = RequestSigner(
        ServiceId("STS"), region, "sts", "v4", session.get_credentials(), session.get_component("event_emitter")
    )
    url = signer.generate_presigned_url(
        {
            "method": "GET",
            "url": f"https://sts.{region}.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15",
            "body": {},
            "headers": {HEADER: cluster},
            "context": {},
        },
        region_name=region,
        expires_in=SIGNED_SECONDS,
        operation_name="",
    )
    return PREFIX + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def credential(made: str, now: datetime) -> dict[str, Any]:
    """As kubectl wants it from a plugin."""
    until = now + timedelta(minutes=KEPT_MINUTES)
    return {
        "apiVersion": EXEC_API,
        "kind": "ExecCredential",
        "status": {"token": made, "expirationTimestamp": until.strftime("%Y-%m-%dT%H:%M:%SZ")},
    }


def main(arguments: list[str]) -> int:
    """Prints the credential; the profile is AWS_PROFILE."""
    cluster, region = arguments
    try:
        made = token(Session(), cluster, region)
    except Exception as error:  # the reader is kubectl, which shows one line
        sys.stderr.write(f"pingvas: no token for {cluster}: {' '.join(str(error).split())}\n")
        return 1
    sys.stdout.write(json.dumps(credential(made, datetime.now(UTC))) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
