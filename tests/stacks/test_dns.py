"""The zone: made or taken, who may issue certificates in it, and what the operator delegates to."""

from blueprint.environments import CLUSTER_ENVIRONMENTS
from tests.support.templates import Templates, synthesize


def test_the_zone_holds_both_hosts_and_is_kept(templates: Templates) -> None:
    zone = templates.one("AWS::Route53::HostedZone")
    assert zone.properties["Name"] == "studio.pingvas.com."
    assert zone.body["DeletionPolicy"] == "Retain"
    assert all(f".{one.host}.".endswith(f".{zone.properties['Name']}") for one in CLUSTER_ENVIRONMENTS)


def test_only_acm_issues_certificates_and_lets_encrypt_for_the_vpn(templates: Templates) -> None:
    records = {
        one.properties["Name"]: one.properties["ResourceRecords"]
        for one in templates.resources("AWS::Route53::RecordSet", stack="Dns")
        if one.properties["Type"] == "CAA"
    }
    assert records == {
        "studio.pingvas.com.": ['0 issue "amazon.com"', '0 issuewild ";"'],
        "vpn.studio.pingvas.com.": ['0 issue "letsencrypt.org"', '0 issuewild ";"'],
    }


def test_no_certificate_of_the_platform_is_one_that_the_zone_forbids(templates: Templates) -> None:
    for one in templates.resources("AWS::CertificateManager::Certificate"):
        names = [one.properties["DomainName"], *one.properties.get("SubjectAlternativeNames", [])]
        assert not [name for name in names if name.startswith(("*", "vpn."))]


def test_the_operator_is_told_the_name_servers(templates: Templates) -> None:
    value = templates["Dns"]["Outputs"]["NameServers"]["Value"]
    zone = templates.one("AWS::Route53::HostedZone").id
    assert value == {"Fn::Join": [",", {"Fn::GetAtt": [zone, "NameServers"]}]}


def test_a_zone_that_is_taken_is_left_as_it_is(region: str) -> None:
    taken = synthesize(region=region, hosted_zone_id="Z0123456789ABC")
    assert not list(taken.resources("AWS::Route53::HostedZone"))
    assert not list(taken.resources("AWS::Route53::RecordSet", stack="Dns"))
    assert "NameServers" not in taken["Dns"].get("Outputs", {})
    assert taken.one("AWS::SSM::Parameter", Name="/pingvas/dns/zone-id").properties["Value"] == "Z0123456789ABC"
    host = next(one for one in taken.resources("AWS::Route53::RecordSet", stack="Vpn"))
    assert host.properties["HostedZoneId"] == "Z0123456789ABC"


def test_a_trial_lets_its_zone_go(region: str) -> None:
    trial = synthesize(region=region, protected=False)
    assert trial.one("AWS::Route53::HostedZone").body["DeletionPolicy"] == "Delete"
