"""The two slots of keys that open pictures."""

import json

from blueprint.environments import CLUSTER_ENVIRONMENTS
from stacks.placeholders import CDN_PUBLIC_KEYS
from tests.support.edge import Distribution
from tests.support.templates import Templates, synthesize


def keys_of(templates: Templates, environment: str) -> dict[str, str]:
    """Logical id and PEM of the keys whose signatures open an environment's pictures."""
    host = next(one.host for one in CLUSTER_ENVIRONMENTS if one.name == environment)
    (group,) = Distribution(templates, host).answer("/images/1.png").behaviour["TrustedKeyGroups"]
    resources = templates["Edge"]["Resources"]
    items = resources[group["Ref"]]["Properties"]["KeyGroupConfig"]["Items"]
    return {item["Ref"]: resources[item["Ref"]]["Properties"]["PublicKeyConfig"]["EncodedKey"] for item in items}


def test_two_slots_open_pictures_while_keys_change() -> None:
    placeholders = dict(CDN_PUBLIC_KEYS)
    another_key = placeholders["dev-a"]
    one = synthesize(region="us-east-1")
    both = synthesize(region="us-east-1", cdn_public_keys=json.dumps({**placeholders, "prod-b": another_key}))
    after = synthesize(
        region="us-east-1", cdn_public_keys=json.dumps({"dev-a": placeholders["dev-a"], "prod-b": another_key})
    )
    assert list(keys_of(both, "prod").values()) == [placeholders["prod-a"], another_key]
    assert keys_of(both, "dev") == keys_of(one, "dev"), "the other environment's keys stay"
    assert keys_of(one, "prod").items() <= keys_of(both, "prod").items(), "the first key stays as it is"
    assert list(keys_of(after, "prod").values()) == [another_key]


def test_another_key_in_a_slot_is_another_resource() -> None:
    """CloudFront refuses to change a key that it has; the new one has to be made under another name first."""
    placeholders = dict(CDN_PUBLIC_KEYS)
    before = synthesize(region="us-east-1")
    after = synthesize(
        region="us-east-1", cdn_public_keys=json.dumps({**placeholders, "dev-a": placeholders["prod-a"]})
    )
    assert not set(keys_of(before, "dev")) & set(keys_of(after, "dev"))

    def names(templates: Templates) -> set[str]:
        return {one.properties["PublicKeyConfig"]["Name"] for one in templates.resources("AWS::CloudFront::PublicKey")}

    assert len(names(before) & names(after)) == 1
