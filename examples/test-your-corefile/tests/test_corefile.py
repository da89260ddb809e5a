"""What we want of our Corefile. Nothing here leaves this machine: fakes stand in for all upstreams."""

import pytest

from corepy.testing import expect

WWW = "www.example.org. 300 IN A 192.0.2.1"


def test_the_internet_is_cached(corefile, dns_upstream):
    dns_upstream.answer(WWW)
    dns = corefile("../Corefile")
    expect(dns.ask("www.example.org.")).rcode("NOERROR").has(WWW.replace("300", "30")).from_upstream()
    expect(dns.ask("www.example.org.")).from_upstream(False)


def test_the_cache_forgets(corefile, dns_upstream, dns_clock):
    dns_upstream.answer(WWW)
    dns = corefile("../Corefile", clock=dns_clock)
    dns.ask("www.example.org.")
    dns_clock.advance("29s")
    expect(dns.ask("www.example.org.")).from_upstream(False).ttl(at_most=1)
    dns_clock.advance("2s")
    expect(dns.ask("www.example.org.")).from_upstream().ttl(30)


def test_the_second_resolver_takes_over(corefile, dns_upstream):
    dns_upstream["9.9.9.9"].drop()
    dns_upstream["149.112.112.112"].answer(WWW)
    dns = corefile("../Corefile")
    expect(dns.ask("www.example.org.")).rcode("NOERROR")
    assert len(dns_upstream["149.112.112.112"].queries) == 1


@pytest.mark.parametrize(("client", "rcode"), [("10.9.8.7", "NOERROR"), ("192.0.2.66", "REFUSED")])
def test_only_the_office_sees_the_intranet(corefile, client, rcode):
    dns = corefile("../Corefile")
    expect(dns.ask("intranet.corp.example.org.", client=client)).rcode(rcode)


def test_other_corp_names_go_to_the_office_server(corefile, dns_upstream):
    dns_upstream["10.1.0.53"].answer("wiki.corp.example.org. 60 IN A 10.1.0.11")
    dns = corefile("../Corefile")
    expect(dns.ask("wiki.corp.example.org.", client="10.9.8.7")).only("wiki.corp.example.org. 30 IN A 10.1.0.11")
