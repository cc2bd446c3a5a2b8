"""The policy evaluator against what the IAM user guide says, and the sweep of every policy of every template."""

import pytest

from tests.support.iam import ANONYMOUS, Request, UnknownPolicyError, allowed, arn_glob, evaluate
from tests.support.policies import ACCOUNT, OTHER_ACCOUNT, Policies, UnresolvedError
from tests.support.templates import Templates

USER = f"arn:aws:iam::{ACCOUNT}:user/Developer-A"
STRANGER = f"arn:aws:iam::{OTHER_ACCOUNT}:user/Developer-A"
PICTURE = "arn:aws:s3:::pictures/images/1.png"


def policy(**statement: object) -> dict[str, object]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}


READ = policy(Action="s3:GetObject", Resource="arn:aws:s3:::pictures/*")


def test_nothing_said_is_an_implicit_deny_and_an_explicit_one_always_wins() -> None:
    request = Request(action="s3:GetObject", resource=PICTURE, principal=USER)
    assert evaluate(request) == "none"
    assert evaluate(request, identity=[READ]) == "allow"
    assert (
        evaluate(
            request,
            identity=[
                READ,
                policy(Action="s3:*", Resource="*")
                | {"Statement": {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}},
            ],
        )
        == "deny"
    )
    denied = {"Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}}
    assert evaluate(request, identity=[READ], resource=[denied]) == "deny"


def test_action_and_resource_wildcards() -> None:
    def may(action: str, pattern: str) -> bool:
        return allowed(Request(action=action, principal=USER), identity=[policy(Action=pattern, Resource="*")])

    assert may("iam:ListAccessKeys", "iam:*AccessKey*")  # the guide's example
    assert may("S3:GetObject", "s3:getobject"), "actions have no case"
    assert not may("s3:GetObject", "s3:Get?bject?")
    assert not may("ec2:RunInstances", "s3:*")


def test_an_arn_is_compared_field_by_field() -> None:
    assert arn_glob("arn:aws:sqs", "arn:aws:sqs:us-east-1:111122223333:queue"), "missing fields are wildcards"
    assert arn_glob("arn:aws:s3:::pictures/*", PICTURE)
    assert not arn_glob("arn:aws:s3:::picture", PICTURE)
    assert not arn_glob("arn:aws:*:111122223333:queue", "arn:aws:sqs:us-east-1:111122223333:queue")
    assert not arn_glob("arn:aws:cloudfront::111122223333:*", "arn:aws:cloudfront::444455556666:distribution/E1")


def test_not_action_and_not_resource() -> None:
    """The guide's example of NotAction: everything of S3 but deleting buckets."""
    document = policy(NotAction="s3:DeleteBucket", Resource="arn:aws:s3:::*")
    assert allowed(Request(action="s3:GetObject", resource=PICTURE, principal=USER), identity=[document])
    assert not allowed(
        Request(action="s3:DeleteBucket", resource="arn:aws:s3:::pictures", principal=USER), identity=[document]
    )
    others = policy(Action="s3:GetObject", NotResource="arn:aws:s3:::pictures/*")
    assert not allowed(Request(action="s3:GetObject", resource=PICTURE, principal=USER), identity=[others])


@pytest.mark.parametrize(
    ("operator", "key", "wanted", "given", "holds"),
    [
        ("Bool", "aws:MultiFactorAuthPresent", "true", "true", True),
        ("Bool", "aws:MultiFactorAuthPresent", "true", "false", False),
        ("Bool", "aws:MultiFactorAuthPresent", "true", None, False),  # long-term keys do not carry the key at all
        ("BoolIfExists", "aws:MultiFactorAuthPresent", "true", None, True),
        ("Bool", "aws:SecureTransport", "false", "false", True),
        ("Null", "aws:TokenIssueTime", "true", None, True),
        ("Null", "aws:TokenIssueTime", "true", "2026-01-01T00:00:00Z", False),
        ("Null", "aws:TokenIssueTime", "false", "2026-01-01T00:00:00Z", True),
        ("StringEquals", "aws:PrincipalTag/job", ["iamuser-admin", "other"], "iamuser-admin", True),
        ("StringEquals", "aws:PrincipalTag/job", "iamuser-admin", "IAMuser-admin", False),
        ("StringEqualsIgnoreCase", "aws:PrincipalTag/job", "iamuser-admin", "IAMuser-admin", True),
        ("StringNotEquals", "s3:x", ["one", "two"], "two", False),
        ("StringNotEquals", "s3:x", ["one", "two"], "three", True),
        ("StringNotEquals", "s3:x", "one", None, True),
        ("StringEqualsIfExists", "s3:x", "one", None, True),
        ("StringLike", "token:sub", "repo:octo-org/octo-repo:*", "repo:octo-org/octo-repo:ref:refs/heads/main", True),
        (
            "StringLike",
            "token:sub",
            "repo:octo-org/octo-repo:*",
            "repo:octo-org/octo-repo-fork:ref:refs/heads/main",
            False,
        ),
        (
            "ArnLike",
            "aws:SourceArn",
            "arn:aws:cloudfront::111122223333:distribution/*",
            "arn:aws:cloudfront::111122223333:distribution/E1",
            True,
        ),
        (
            "ArnLike",
            "aws:SourceArn",
            "arn:aws:cloudfront::111122223333:distribution/*",
            "arn:aws:cloudfront::444455556666:distribution/E1",
            False,
        ),
        ("ArnNotLike", "aws:SourceArn", "arn:aws:s3:::*", None, True),
        ("IpAddress", "aws:SourceIp", "203.0.113.0/24", "203.0.113.9", True),
        ("IpAddress", "aws:SourceIp", "203.0.113.0/24", "198.51.100.9", False),
        ("IpAddress", "aws:SourceIp", "203.0.113.0/24", None, False),
        ("NotIpAddress", "aws:SourceIp", ["192.0.2.0/24", "203.0.113.0/24"], "203.0.113.9", False),
        ("NumericLessThan", "aws:MultiFactorAuthAge", "3600", "3599", True),
        ("NumericLessThan", "aws:MultiFactorAuthAge", "3600", "3600", False),
        ("NumericLessThan", "aws:MultiFactorAuthAge", "3600", None, False),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["a", "b"], ["a"], True),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["a", "b"], ["a", "c"], False),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["a", "b"], None, True),
        ("ForAnyValue:StringEquals", "aws:TagKeys", ["a", "b"], ["c", "b"], True),
        ("ForAnyValue:StringEquals", "aws:TagKeys", ["a", "b"], None, False),
    ],
)
def test_condition_operators(operator: str, key: str, wanted: object, given: object, holds: bool) -> None:
    """IAM user guide, "Condition operators" and "Multivalued context keys"; keys have no case."""
    document = policy(Action="a:b", Resource="*", Condition={operator: {key: wanted}})
    context = {} if given is None else {key.swapcase(): given}
    assert allowed(Request(action="a:b", principal=USER, context=context), identity=[document]) is holds  # type: ignore[arg-type]


def test_conditions_are_joined_by_and() -> None:
    condition = {"Bool": {"aws:MultiFactorAuthPresent": "true"}, "IpAddress": {"aws:SourceIp": "203.0.113.9/32"}}
    document = policy(Action="a:b", Resource="*", Condition=condition)
    both = {"aws:MultiFactorAuthPresent": "true", "aws:SourceIp": "203.0.113.9"}
    assert allowed(Request(action="a:b", principal=USER, context=both), identity=[document])
    for name in both:
        less = {key: value for key, value in both.items() if key != name}
        assert not allowed(Request(action="a:b", principal=USER, context=less), identity=[document])


def test_policy_variables() -> None:
    """The guide's home folders: each user her own; without the variable's value the statement does not match."""
    document = policy(Action="s3:GetObject", Resource="arn:aws:s3:::pictures/home/${aws:username}/*")
    own = Request(
        action="s3:GetObject",
        resource="arn:aws:s3:::pictures/home/ann/1",
        principal=USER,
        context={"aws:username": "ann"},
    )
    other = Request(
        action="s3:GetObject",
        resource="arn:aws:s3:::pictures/home/bob/1",
        principal=USER,
        context={"aws:username": "ann"},
    )
    nameless = Request(action="s3:GetObject", resource="arn:aws:s3:::pictures/home/ann/1", principal=USER)
    assert [allowed(one, identity=[document]) for one in (own, other, nameless)] == [True, False, False]


def test_principals() -> None:
    def may(
        principal: object, by: str, *identity: dict[str, object], governed: bool = False, owner: str = ACCOUNT
    ) -> bool:
        document = policy(Action="a:b", Resource="*", Principal=principal)
        request = Request(action="a:b", principal=by)
        return allowed(request, identity=identity, resource=[document], governed=governed, owner=owner)

    everything = policy(Action="a:b", Resource="*")
    assert may({"AWS": USER}, USER)
    assert not may({"AWS": USER}, f"{USER}2")
    assert may("*", ANONYMOUS)
    assert may({"AWS": "*"}, ANONYMOUS)
    assert not may({"AWS": ACCOUNT}, ANONYMOUS)
    assert may({"Service": "cloudfront.amazonaws.com"}, "cloudfront.amazonaws.com")
    assert not may({"Service": "cloudfront.amazonaws.com"}, "s3.amazonaws.com")
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/i-0abc"
    assert may({"AWS": f"arn:aws:iam::{ACCOUNT}:role/worker"}, session)
    whole = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    assert not may(whole, USER, governed=True), "a key that delegates to its account gives nobody anything by itself"
    assert may(whole, USER, everything, governed=True)
    assert not may({"AWS": session.replace("worker", "other")}, USER, everything, governed=True)
    assert not may({"AWS": STRANGER}, STRANGER), "from another account both sides have to allow"
    assert may({"AWS": STRANGER}, STRANGER, everything)
    assert not may({"AWS": USER}, STRANGER, everything)


def test_a_permissions_boundary_limits_and_never_gives() -> None:
    request = Request(action="s3:GetObject", resource=PICTURE, principal=USER)
    assert not allowed(request, boundary=READ)
    assert allowed(request, identity=[READ], boundary=policy(Action="s3:*", Resource="*"))
    assert not allowed(request, identity=[READ], boundary=policy(Action="ec2:*", Resource="*"))


def test_what_the_evaluator_does_not_know_raises() -> None:
    request = Request(action="a:b", principal=USER, context={"k": "v"})
    for condition in ({"DateLessThan": {"k": "v"}}, {"ForMost:StringEquals": {"k": "v"}}):
        with pytest.raises(UnknownPolicyError):
            evaluate(request, identity=[policy(Action="a:b", Resource="*", Condition=condition)])
    with pytest.raises(UnknownPolicyError):
        evaluate(request, resource=[policy(Action="a:b", Resource="*", NotPrincipal={"AWS": USER})])
    with pytest.raises(UnknownPolicyError):
        evaluate(
            request, resource=[policy(Action="a:b", Resource="*", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/*"})]
        )


def test_intrinsics_resolve_across_stacks() -> None:
    one = {
        "Resources": {
            "B": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": {"Fn::Sub": "b-${AWS::AccountId}"}}}
        },
        "Outputs": {
            "O": {"Value": {"Fn::GetAtt": ["B", "Arn"]}, "Export": {"Name": {"Fn::Sub": "${AWS::StackName}-o"}}}
        },
    }
    policies = Policies(Templates({"One": one, "Two": {"Resources": {}}}), region="us-east-1")
    imported = {"Fn::Join": ["", [{"Fn::ImportValue": "PingvasOne-o"}, "/images/*"]]}
    assert policies.resolve(imported, "Two") == f"arn:aws:s3:::b-{ACCOUNT}/images/*"
    assert policies.resolve({"a": {"Ref": "AWS::NoValue"}, "b": 1}, "Two") == {"b": 1}
    with pytest.raises(UnresolvedError):
        policies.resolve({"Ref": "Nowhere"}, "Two")
    with pytest.raises(UnresolvedError):
        policies.resolve({"Fn::Cidr": ["10.0.0.0/16", 1, 8]}, "Two")
