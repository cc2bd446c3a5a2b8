"""One AWS account by its API, in the regions that the platform stands in."""

import threading
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
)

from blueprint.regions import GLOBAL_REGION
from studio.errors import NotRunningError, StudioError, UsageError

STACKS = "Pingvas"
"""How the names of our stacks begin."""
_CONFIG = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "max_attempts": 4})


class Account:
    """Clients by service and region, made once; what is asked often is remembered.

    Raises:
        UsageError: the profile does not exist.
    """

    def __init__(self, region: str, *, profile: str | None = None) -> None:
        try:
            self._session = boto3.Session(profile_name=profile, region_name=region)
        except ProfileNotFound as error:
            raise UsageError(str(error), advice="`aws configure list-profiles` shows those there are.") from error
        self.region = region
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    @property
    def regions(self) -> tuple[str, ...]:
        """The platform's region and the one that CloudFront wants; one where they are the same."""
        return tuple(dict.fromkeys((self.region, GLOBAL_REGION)))

    def client(self, service: str, region: str | None = None) -> Any:
        with self._lock:
            key = (service, region or self.region)
            if key not in self._clients:
                self._clients[key] = self._session.client(service, region_name=key[1], config=_CONFIG)
            return self._clients[key]

    @cached_property
    def identity(self) -> dict[str, str]:
        """Who we are: `Account`, `Arn`.

        Raises:
            StudioError: there are no credentials, or they do not hold.
            NotRunningError: AWS cannot be reached.
        """
        try:
            found = self.client("sts").get_caller_identity()
        except NoCredentialsError as error:
            raise StudioError(
                "No AWS credentials were found.",
                advice="Sign in (`aws sso login --profile NAME`) and name the profile with --profile or AWS_PROFILE.",
            ) from error
        except ClientError as error:
            raise StudioError(
                f"AWS refuses the credentials: {said(error)}", advice="Sign in again, or name another --profile."
            ) from error
        except (BotoCoreError, NoRegionError) as error:
            raise NotRunningError(f"AWS cannot be reached: {error}", advice="Check the network.") from error
        return {"Account": found["Account"], "Arn": found["Arn"]}

    def pages(self, service: str, call: str, key: str, *, region: str | None = None, **arguments: Any) -> Iterator[Any]:
        """Every item of a call that answers page by page."""
        client = self.client(service, region)
        if client.can_paginate(call):
            for page in client.get_paginator(call).paginate(**arguments):
                yield from page.get(key, [])
        else:
            yield from getattr(client, call)(**arguments).get(key, [])

    @cached_property
    def stacks(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Our stacks that exist, by region and name."""
        return {
            (region, stack["StackName"]): stack
            for region in self.regions
            for stack in self.pages("cloudformation", "describe_stacks", "Stacks", region=region)
            if stack["StackName"].startswith(STACKS)
        }

    @cached_property
    def owned(self) -> frozenset[tuple[str, str]]:
        """(type, physical id) of every resource of our stacks."""
        return frozenset(
            (one["ResourceType"], one.get("PhysicalResourceId", ""))
            for region, name in self.stacks
            for one in self.pages(
                "cloudformation", "list_stack_resources", "StackResourceSummaries", region=region, StackName=name
            )
        )

    def physical_ids(self, kind: str) -> set[str]:
        """Physical ids of our resources of one type."""
        return {physical for found, physical in self.owned if found == kind}

    def forget(self) -> None:
        """After a deployment, what was remembered of the stacks is old."""
        for name in ("stacks", "owned"):
            self.__dict__.pop(name, None)


def said(error: Exception) -> str:
    """AWS's code and sentence."""
    if isinstance(error, ClientError):
        told = error.response.get("Error", {})
        return f"{told.get('Code', '')}: {' '.join(str(told.get('Message', '')).split())}"
    return str(error)


def code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
