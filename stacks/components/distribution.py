"""One environment's CloudFront distribution: the studio, its API and its pictures under one host."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_cloudfront as cloudfront
from constructs import Construct

from blueprint.edge import API_PREFIX, DISTRIBUTION, IMAGES_PREFIX, ORIGIN_HEADER
from blueprint.environments import Environment
from stacks.components.excuse import excuse

_REWRITE = Path(__file__).parents[1] / "functions" / "spa_rewrite" / "function.js"
# CloudFront's own policies, by the ids that its developer guide gives ("Use managed cache policies" and so on).
_CACHE = "658327ea-f89d-4fab-a63d-7e88639e58f6"  # CachingOptimized
_NO_CACHE = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"  # CachingDisabled
_ALL_OF_THE_VIEWER = "216adef6-5c7f-47e4-b989-5492eafa07d3"  # AllViewer: headers with Host, cookies, query
_READ = ["GET", "HEAD"]
_EVERY_METHOD = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
_ERRORS = (400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504)
"""Every status that CloudFront would keep for ten seconds and then show to others, whoever it was meant for."""
_CONTENT_SECURITY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' blob: data:",
        "style-src 'self' 'unsafe-inline'",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)


@dataclass(frozen=True, slots=True)
class Headers:
    """Ids of the response headers policies of the three kinds of content."""

    studio: str
    api: str
    images: str


class Shared(Construct):
    """What both distributions use: access control for buckets, the studio's rewrite, response headers."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self.access_control = cloudfront.CfnOriginAccessControl(
            self,
            "AccessControl",
            origin_access_control_config={
                "name": "pingvas-buckets",
                "originAccessControlOriginType": "s3",
                "signingBehavior": "always",
                "signingProtocol": "sigv4",
            },
        ).attr_id
        self.rewrite = cloudfront.CfnFunction(
            self,
            "Rewrite",
            name="pingvas-spa-rewrite",
            auto_publish=True,
            function_code=_REWRITE.read_text(),
            function_config={"comment": "index.html for the studio's own routes", "runtime": "cloudfront-js-2.0"},
        ).attr_function_arn
        images_cache = {
            "header": "Cache-Control",
            "value": f"private, max-age={DISTRIBUTION.images_browser_cache}",
            "override": False,
        }
        self.headers = Headers(
            studio=self._headers("studio", content_security=_CONTENT_SECURITY),
            api=self._headers("api"),
            images=self._headers("images", content_security="default-src 'none'; sandbox", custom=[images_cache]),
        )

    def _headers(
        self, name: str, *, content_security: str | None = None, custom: list[dict[str, Any]] | None = None
    ) -> str:
        security: dict[str, Any] = {
            "contentTypeOptions": {"override": True},
            "frameOptions": {"frameOption": "DENY", "override": True},
            "referrerPolicy": {"referrerPolicy": "strict-origin-when-cross-origin", "override": True},
            "strictTransportSecurity": {
                "accessControlMaxAgeSec": DISTRIBUTION.hsts,
                "includeSubdomains": True,
                "override": True,
            },
        }
        if content_security:
            security["contentSecurityPolicy"] = {"contentSecurityPolicy": content_security, "override": True}
        config: dict[str, Any] = {"name": f"pingvas-{name}", "securityHeadersConfig": security}
        if custom:
            config["customHeadersConfig"] = {"items": custom}
        return cloudfront.CfnResponseHeadersPolicy(
            self, f"Headers-{name}", response_headers_policy_config=config
        ).attr_id


class Distribution(Construct):
    """`resource`, the distribution, and `key_group`, whose signatures open its pictures.

    The bucket of the studio holds both environments, each in a folder of its name, which is this origin's path.
    CloudFront sends the API every header of the viewer, Host too: it is the name in the load balancer's certificate and
    in its rules. Errors are passed on as they are and never kept.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        shared: Shared,
        public_keys: Mapping[str, str],
        assets: str,
        images: str,
        load_balancer: str,
        certificate: str,
        web_acl: str,
    ) -> None:
        super().__init__(scope, construct_id)
        self._shared = shared
        self.key_group = self._key_group(environment.name, public_keys)
        self.resource = cloudfront.CfnDistribution(
            self,
            "Resource",
            distribution_config={
                "enabled": True,
                "comment": f"Pingvas Studio {environment.name}",
                "aliases": [environment.host],
                "httpVersion": DISTRIBUTION.http_version,
                "ipv6Enabled": True,
                "priceClass": DISTRIBUTION.price_class,
                "defaultRootObject": "index.html",
                "webAclId": web_acl,
                "viewerCertificate": {
                    "acmCertificateArn": certificate,
                    "sslSupportMethod": "sni-only",
                    "minimumProtocolVersion": DISTRIBUTION.tls_policy,
                },
                "origins": [
                    self._bucket("studio", assets, path=f"/{environment.name}"),
                    self._load_balancer(environment.name, load_balancer),
                    self._bucket("images", images),
                ],
                "defaultCacheBehavior": {
                    **self._behaviour("studio", _READ, _CACHE, shared.headers.studio, compress=True),
                    "functionAssociations": [{"eventType": "viewer-request", "functionArn": shared.rewrite}],
                },
                "cacheBehaviors": [
                    {
                        "pathPattern": f"{API_PREFIX}*",
                        **self._behaviour("api", _EVERY_METHOD, _NO_CACHE, shared.headers.api, compress=False),
                        "originRequestPolicyId": _ALL_OF_THE_VIEWER,
                    },
                    {
                        "pathPattern": f"{IMAGES_PREFIX}*",
                        **self._behaviour("images", _READ, _CACHE, shared.headers.images, compress=False),
                        "trustedKeyGroups": [self.key_group.ref],
                    },
                ],
                "customErrorResponses": [{"errorCode": code, "errorCachingMinTtl": 0} for code in _ERRORS],
            },
        )
        self._excuse()

    def _key_group(self, environment: str, public_keys: Mapping[str, str]) -> cloudfront.CfnKeyGroup:
        """CloudFront lets nobody change a key that it has, so a key's name follows from its content: another key in the
        same slot is another resource, made before the old one goes.
        """
        keys = []
        for slot, pem in sorted(public_keys.items()):
            name = f"pingvas-{environment}-{slot}-{sha256(pem.encode()).hexdigest()[:8]}"
            config = {"name": name, "callerReference": name, "encodedKey": pem}
            keys.append(cloudfront.CfnPublicKey(self, f"Key-{name}", public_key_config=config).ref)
        return cloudfront.CfnKeyGroup(
            self, "KeyGroup", key_group_config={"name": f"pingvas-{environment}", "items": keys}
        )

    def _behaviour(
        self, origin: str, methods: list[str], cache: str, headers: str, *, compress: bool
    ) -> dict[str, Any]:
        return {
            "targetOriginId": origin,
            "viewerProtocolPolicy": "redirect-to-https" if origin == "studio" else "https-only",
            "allowedMethods": methods,
            "cachedMethods": _READ,
            "cachePolicyId": cache,
            "responseHeadersPolicyId": headers,
            "compress": compress,
        }

    def _bucket(self, origin: str, name: str, *, path: str = "") -> dict[str, Any]:
        stack = Stack.of(self)
        return {
            "id": origin,
            "domainName": f"{name}.s3.{stack.region}.{stack.url_suffix}",
            "originPath": path,
            "originAccessControlId": self._shared.access_control,
            "s3OriginConfig": {"originAccessIdentity": ""},
        }

    def _load_balancer(self, environment: str, name: str) -> dict[str, Any]:
        return {
            "id": "api",
            "domainName": name,
            "connectionAttempts": DISTRIBUTION.connection_attempts,
            "connectionTimeout": DISTRIBUTION.connection_timeout,
            "customOriginConfig": {
                "originProtocolPolicy": "https-only",
                "originSslProtocols": ["TLSv1.2"],
                "originReadTimeout": DISTRIBUTION.origin_read_timeout,
                "originKeepaliveTimeout": DISTRIBUTION.origin_keep_alive,
            },
            "originCustomHeaders": [
                {"headerName": ORIGIN_HEADER.name, "headerValue": ORIGIN_HEADER.reference(environment)}
            ],
        }

    def _excuse(self) -> None:
        excuse(
            self.resource,
            "AwsSolutions-CFR1",
            "Countries are blocked by the Web ACL, which lets the payment provider's webhook pass from anywhere",
        )
        for rule in ("AwsSolutions-CFR3", "CKV_AWS_86"):
            excuse(self.resource, rule, "Standard logging v2 is on, by the stack EdgeLogs, which this rule cannot see")
