"""The distributions: what each path gets, from where, and who may read what lies behind them."""

import json
from typing import Any

import pytest

from blueprint.buckets import ASSETS_BUCKET, LOGS_BUCKET, image_bucket
from blueprint.edge import DISTRIBUTION, ORIGIN_HEADER, routes
from blueprint.environments import CLUSTER_ENVIRONMENTS, Environment
from blueprint.regions import GLOBAL_REGION, REGIONS
from blueprint.services import HTTP
from stacks.placeholders import CDN_PUBLIC_KEYS
from tests.support.edge import Distribution
from tests.support.iam import Request, allowed
from tests.support.policies import ACCOUNT, OTHER_ACCOUNT, Policies
from tests.support.templates import Templates, synthesize

KIND = "AWS::CloudFront::Distribution"
EVERY_METHOD = {"GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"}
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
ALL_VIEWER = "216adef6-5c7f-47e4-b989-5492eafa07d3"
API_PATHS = [*sorted({route.path for route in routes()}), "/api/v1/unknown", "/api/", "/api/v1/images/1/original"]
STUDIO_PATHS = ["/", "/create", "/assets/app.js", "/imagesque", "/apiary", "/index.html", "/boards/1"]
PICTURE_PATHS = ["/images/01a2/1.png", "/images/", "/images/a/b/c.webp"]
CLOUDFRONT = "cloudfront.amazonaws.com"


@pytest.fixture(scope="module")
def distribution(templates: Templates, environment: Environment) -> Distribution:
    return Distribution(templates, environment.host)


def headers_of(templates: Templates, behaviour: Any) -> Any:
    logical = behaviour["ResponseHeadersPolicyId"]["Fn::GetAtt"][0]
    return templates["Edge"]["Resources"][logical]["Properties"]["ResponseHeadersPolicyConfig"]


@pytest.mark.parametrize("path", API_PATHS)
def test_the_api_is_passed_on_as_it_is(distribution: Distribution, environment: Environment, path: str) -> None:
    answer = distribution.answer(path)
    behaviour, origin = answer.behaviour, answer.origin
    assert origin["Id"] == "api"
    assert set(behaviour["AllowedMethods"]) == EVERY_METHOD
    assert behaviour["CachePolicyId"] == CACHING_DISABLED
    assert behaviour["OriginRequestPolicyId"] == ALL_VIEWER, "Host too: the listener's rules and certificate go by it"
    assert behaviour["Compress"] is False, "an event stream would wait in the compressor"
    assert behaviour["ViewerProtocolPolicy"] == "https-only", "a redirect would come after the token was sent"
    assert not behaviour.get("FunctionAssociations")
    assert not behaviour.get("TrustedKeyGroups")
    assert origin["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"
    assert origin["CustomOriginConfig"]["OriginSSLProtocols"] == ["TLSv1.2"]
    assert origin["OriginCustomHeaders"] == [
        {"HeaderName": ORIGIN_HEADER.name, "HeaderValue": ORIGIN_HEADER.reference(environment.name)}
    ]


def test_streams_outlive_the_wait_for_their_next_byte(distribution: Distribution) -> None:
    config = distribution.origins["api"]["CustomOriginConfig"]
    assert config["OriginReadTimeout"] == 120
    assert config["OriginReadTimeout"] > 2 * HTTP.event_heartbeat_seconds
    assert config["OriginKeepaliveTimeout"] == DISTRIBUTION.origin_keep_alive


@pytest.mark.parametrize("path", STUDIO_PATHS)
def test_the_studio_comes_from_its_folder_of_the_bucket(
    distribution: Distribution, environment: Environment, policies: Policies, region: str, path: str
) -> None:
    answer = distribution.answer(path)
    assert answer.origin["Id"] == "studio"
    assert answer.origin["OriginPath"] == f"/{environment.name}"
    domain = policies.resolve(answer.origin["DomainName"], "Edge")
    assert domain == f"{ASSETS_BUCKET}-{ACCOUNT}-{region}.s3.{region}.amazonaws.com"
    assert answer.behaviour["CachePolicyId"] == CACHING_OPTIMIZED
    assert set(answer.behaviour["AllowedMethods"]) == {"GET", "HEAD"}
    (function,) = answer.behaviour["FunctionAssociations"]
    assert function["EventType"] == "viewer-request"


@pytest.mark.parametrize("path", PICTURE_PATHS)
def test_pictures_want_a_signature(
    distribution: Distribution,
    environment: Environment,
    policies: Policies,
    templates: Templates,
    region: str,
    path: str,
) -> None:
    answer = distribution.answer(path)
    assert answer.origin["Id"] == "images"
    assert not answer.origin["OriginPath"], "the key in the bucket is the path"
    domain = policies.resolve(answer.origin["DomainName"], "Edge")
    assert domain == f"{image_bucket(environment.name)}-{ACCOUNT}-{region}.s3.{region}.amazonaws.com"
    (group,) = answer.behaviour["TrustedKeyGroups"]
    config = templates["Edge"]["Resources"][group["Ref"]]["Properties"]["KeyGroupConfig"]
    keys = [templates["Edge"]["Resources"][key["Ref"]]["Properties"]["PublicKeyConfig"] for key in config["Items"]]
    assert [key["EncodedKey"] for key in keys] == [
        pem for slot, pem in CDN_PUBLIC_KEYS if slot.startswith(environment.name)
    ]
    assert not answer.behaviour.get("FunctionAssociations")
    assert set(answer.behaviour["AllowedMethods"]) == {"GET", "HEAD"}


def test_nothing_but_pictures_wants_a_signature(distribution: Distribution) -> None:
    for path in (*API_PATHS, *STUDIO_PATHS):
        assert not distribution.answer(path).behaviour.get("TrustedKeyGroups"), path


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 414, 416, 422, 429, 500, 501, 502, 503, 504])
def test_errors_stay_what_they_are_and_are_kept_for_nobody(distribution: Distribution, status: int) -> None:
    seen, page, kept = distribution.status(status)
    assert seen == status
    assert page is None, "an API's 404 would become the studio's page"
    cacheable = {400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504}
    assert kept == 0 or status not in cacheable, "somebody else would be shown it"


def test_buckets_are_read_by_signed_requests_of_cloudfront(distribution: Distribution, templates: Templates) -> None:
    control = templates.one("AWS::CloudFront::OriginAccessControl").properties["OriginAccessControlConfig"]
    assert control["SigningBehavior"] == "always"
    assert control["OriginAccessControlOriginType"] == "s3"
    for name in ("studio", "images"):
        assert distribution.origins[name]["OriginAccessControlId"]
        assert distribution.origins[name]["S3OriginConfig"] == {"OriginAccessIdentity": ""}
    assert not list(templates.resources("AWS::CloudFront::CloudFrontOriginAccessIdentity"))


def test_buckets_let_distributions_of_this_account_read_what_they_serve(
    templates: Templates, policies: Policies, environment: Environment
) -> None:
    def may(bucket: str, key: str, account: str = ACCOUNT, action: str = "s3:GetObject") -> bool:
        (found,) = [
            one for one in templates.resources("AWS::S3::Bucket", stack="Storage") if bucket in policies.name(one)
        ]
        request = Request(
            action=action,
            principal=CLOUDFRONT,
            resource=f"{policies.arn(found)}/{key}",
            context={
                "aws:SourceArn": f"arn:aws:cloudfront::{account}:distribution/E1EXAMPLE",
                "aws:SourceAccount": account,
                "aws:SecureTransport": "true",
                "s3:TlsVersion": "1.3",
            },
        )
        return allowed(request, resource=policies.of(found))

    images = image_bucket(environment.name)
    assert may(ASSETS_BUCKET, f"{environment.name}/index.html")
    assert may(images, "images/1.png")
    assert not may(images, "inputs/1.png"), "what nobody has signed for stays the services' own"
    assert not may(images, "images/1.png", account=OTHER_ACCOUNT)
    assert not may(images, "images/1.png", action="s3:PutObject")


def test_viewers_speak_tls_1_2_of_today_over_http_3(distribution: Distribution, environment: Environment) -> None:
    config = distribution.config
    certificate = config["ViewerCertificate"]
    assert certificate["MinimumProtocolVersion"] in ("TLSv1.2_2021", "TLSv1.2_2025", "TLSv1.3_2025")
    assert certificate["SslSupportMethod"] == "sni-only"
    assert config["HttpVersion"] == "http2and3"
    assert config["IPV6Enabled"] is True
    assert config["Aliases"] == [environment.host]
    assert config["PriceClass"] == DISTRIBUTION.price_class
    assert config["DefaultRootObject"] == "index.html"
    assert "Restrictions" not in config, "countries are the Web ACL's business, which exempts the webhook"


def test_web_acl_and_certificate_are_those_of_us_east_1(
    distribution: Distribution, templates: Templates, region: str
) -> None:
    assert not list(templates.resources("Custom::CrossRegionExportReader")), "values between regions need no function"
    for value in (distribution.config["WebACLId"], distribution.config["ViewerCertificate"]["AcmCertificateArn"]):
        ((function, argument),) = value.items()
        if region == GLOBAL_REGION:
            assert function == "Fn::ImportValue"
            assert argument.startswith("PingvasEdgeGlobal:")
        else:
            assert function == "Fn::GetStackOutput"
            assert (argument["StackName"], argument["Region"]) == ("PingvasEdgeGlobal", GLOBAL_REGION)
            assert argument["OutputName"] in templates["EdgeGlobal"]["Outputs"]
    certificate = templates.one("AWS::CertificateManager::Certificate", stack="EdgeGlobal").properties
    hosts = {certificate["DomainName"], *certificate["SubjectAlternativeNames"]}
    assert hosts == {one.host for one in CLUSTER_ENVIRONMENTS}
    assert certificate["ValidationMethod"] == "DNS"


def test_browsers_are_told_to_be_careful(distribution: Distribution, templates: Templates) -> None:
    for path in ("/", "/api/v1/me", "/images/1.png"):
        security = headers_of(templates, distribution.answer(path).behaviour)["SecurityHeadersConfig"]
        hsts = security["StrictTransportSecurity"]
        assert hsts["AccessControlMaxAgeSec"] >= 31_536_000
        assert hsts["IncludeSubdomains"] is True
        assert security["ContentTypeOptions"]["Override"] is True
        assert security["FrameOptions"]["FrameOption"] == "DENY"
        assert security["ReferrerPolicy"]["ReferrerPolicy"].startswith("strict-origin")
    studio = headers_of(templates, distribution.answer("/").behaviour)
    policy = studio["SecurityHeadersConfig"]["ContentSecurityPolicy"]["ContentSecurityPolicy"]
    directives = dict(one.strip().split(" ", 1) for one in policy.split(";"))
    assert directives["default-src"] == "'self'"
    assert directives["frame-ancestors"] == "'none'"
    assert directives["object-src"] == "'none'"
    assert "'unsafe-inline'" not in directives.get("script-src", directives["default-src"])
    assert "'unsafe-eval'" not in policy
    assert "'self'" in directives["img-src"]
    images = headers_of(templates, distribution.answer("/images/1.png").behaviour)
    assert "sandbox" in images["SecurityHeadersConfig"]["ContentSecurityPolicy"]["ContentSecurityPolicy"]
    (cache,) = images["CustomHeadersConfig"]["Items"]
    assert cache["Header"] == "Cache-Control"
    assert cache["Value"].startswith("private")
    assert cache["Override"] is False
    api = headers_of(templates, distribution.answer("/api/v1/me").behaviour)
    assert "ContentSecurityPolicy" not in api["SecurityHeadersConfig"], "the services have their own"


def test_hosts_lead_to_their_distribution(templates: Templates, environment: Environment) -> None:
    distribution = Distribution(templates, environment.host)
    records = [
        one.properties
        for one in templates.resources("AWS::Route53::RecordSet", stack="Edge")
        if one.properties["Name"] == environment.host
    ]
    assert sorted(one["Type"] for one in records) == ["A", "AAAA", "HTTPS"]
    for record in records:
        assert record["AliasTarget"]["HostedZoneId"] == "Z2FDTNDATAQYW2"
        assert record["AliasTarget"]["DNSName"]["Fn::GetAtt"] == [distribution.resource.id, "DomainName"]


def test_access_logs_go_to_the_logs_bucket_from_us_east_1(
    templates: Templates, policies: Policies, region: str
) -> None:
    destination = templates.one("AWS::Logs::DeliveryDestination", stack="EdgeLogs").properties
    arn = policies.resolve(destination["DestinationResourceArn"], "EdgeLogs")
    assert arn == f"arn:aws:s3:::{LOGS_BUCKET}-{ACCOUNT}-{region}/cloudfront"
    sources = {one.properties["Name"]: one.properties for one in templates.resources("AWS::Logs::DeliverySource")}
    assert len(sources) == len(CLUSTER_ENVIRONMENTS)
    assert all(one["LogType"] == "ACCESS_LOGS" for one in sources.values())
    deliveries = list(templates.resources("AWS::Logs::Delivery", stack="EdgeLogs"))
    assert {one.properties["DeliverySourceName"] for one in deliveries} == set(sources)
    assert {"Storage", "Edge"} <= templates.dependencies["EdgeLogs"]
    (bucket,) = [
        one for one in templates.resources("AWS::S3::Bucket", stack="Storage") if LOGS_BUCKET in policies.name(one)
    ]
    writes = Request(
        action="s3:PutObject",
        principal="delivery.logs.amazonaws.com",
        resource=f"{arn}/E1EXAMPLE/2026/11/22/03/log.gz",
        context={
            "aws:SourceAccount": ACCOUNT,
            "aws:SourceArn": f"arn:aws:logs:{GLOBAL_REGION}:{ACCOUNT}:delivery-source:pingvas-cloudfront-dev",
            "s3:x-amz-acl": "bucket-owner-full-control",
            "aws:SecureTransport": "true",
            "s3:TlsVersion": "1.3",
        },
    )
    assert allowed(writes, resource=policies.of(bucket))


def test_regions_differ_in_nothing_but_place() -> None:
    def shape(templates: Templates) -> list[str]:
        return sorted(
            one.path for name in ("Edge", "EdgeGlobal", "EdgeLogs") for one in templates.resources(stack=name)
        )

    assert len({tuple(shape(synthesize(region=region))) for region in REGIONS}) == 1


def test_nothing_secret_is_in_the_templates(templates: Templates) -> None:
    for name in ("Ingress", "Edge", "EdgeGlobal", "EdgeLogs"):
        text = json.dumps(templates[name])
        assert "PRIVATE KEY" not in text
        assert text.count("{{resolve:") == text.count("{{resolve:secretsmanager:pingvas/")
