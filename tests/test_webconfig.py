"""corepy.webconfig: what a web configuration says, and each mistake with its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy.errors import ConfigErrors
from corepy.webconfig import Pem, WebConfig, read
from corepy.words import NOWHERE

HASH = "$2y$10$" + "a" * 53
CERT = "tls_server_config:\n  cert_file: c.pem\n  key_file: /k.pem\n"


def pem(path: str = "", text: str = "") -> Pem:
    return Pem(NOWHERE, path, text)


def test_nothing() -> None:
    for text in (b"", b"# nothing\n", b"tls_server_config:\nbasic_auth_users:\n", b"tls_server_config: {}\n", b"~"):
        assert read(text, "web.yml") == WebConfig()


def test_all_of_it() -> None:
    text = f"""\
tls_server_config:
  cert_file: c.pem
  key: |
    -----BEGIN
  client_ca_file: sub/ca.pem
  client_auth_type: RequireAndVerifyClientCert
  client_allowed_sans: [a.example, "::1"]
  min_version: TLS13
  max_version: TLS13
  cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]
  prefer_server_cipher_suites: no
  curve_preferences:
    - CurveP256
http_server_config:
  http2: false
  headers:
    X-Frame-Options: deny
    X-XSS-Protection: 1
basic_auth_users:
  alice: {HASH}
rate_limit:
  interval: 100ms
  burst: 5
"""
    config = read(text.encode(), "/etc/web.yml")
    tls = config.tls
    assert tls is not None
    assert (tls.certificate, tls.key) == (pem("/etc/c.pem"), pem(text="-----BEGIN\n"))
    assert tls.authorities == pem("/etc/sub/ca.pem")
    assert (tls.clients, tls.sans) == ("RequireAndVerifyClientCert", frozenset({"a.example", "::1"}))
    assert (tls.minimum, tls.maximum, tls.server_order, tls.curve) == ("TLS13", "TLS13", False, "prime256v1")
    assert tls.ciphers == ("ECDHE-RSA-AES128-GCM-SHA256",)
    assert config.headers == (("X-Frame-Options", "deny"), ("X-XSS-Protection", "1"))
    assert dict(config.users) == {"alice": HASH}
    assert (config.interval, config.burst) == (0.1, 5)


def test_defaults_and_paths() -> None:
    tls = read(CERT.encode(), "sub/web.yml").tls
    assert tls is not None
    assert (tls.certificate.path, tls.key.path) == ("sub/c.pem", "/k.pem")
    assert (tls.minimum, tls.maximum, tls.ciphers, tls.server_order) == ("TLS12", "TLS13", (), True)
    assert (tls.clients, tls.authorities, tls.sans, tls.curve) == ("NoClientCert", None, None, "")
    only13 = read(f"{CERT}  cipher_suites: [TLS_AES_128_GCM_SHA256]".encode(), "w").tls
    assert only13 is not None
    assert (only13.minimum, only13.ciphers) == ("TLS13", ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tls_server_confg: {}", "1:1: unknown key 'tls_server_confg', expected one of tls_server_config, http_server"),
        ("a: [", "1:5: no YAML: expected the node content, but found '<stream end>'"),
        ("tls_server_config: 7", "1:20: unexpected scalar, expected a mapping"),
        ("tls_server_config:\n  key_file: x", "1:1: tls_server_config lacks cert_file or cert"),
        ("tls_server_config:\n  min_version: TLS13", "1:1: tls_server_config lacks cert_file or cert"),
        (f"{CERT}  cert: x", "4:3: cert and cert_file, expected one of the two"),
        (f"{CERT}  cert_fil: x", "4:3: unknown key 'cert_fil'"),
        (f"{CERT}  client_auth_type: Request", "4:21: invalid value 'Request', expected one of NoClientCert, Ver"),
        (f"{CERT}  client_auth_type: RequestClientCert", "4:21: RequestClientCert is not possible: Python's ssl takes"),
        (f"{CERT}  client_ca_file: x", "4:3: a CA for clients, but none is asked for a certificate, expected client_"),
        (f"{CERT}  client_allowed_sans: [x]", "4:3: names of clients, but none is asked for a certificate, expec"),
        (f"{CERT}  client_allowed_sans: x", "4:24: invalid value 'x', expected a list"),
        (f"{CERT}  client_allowed_sans: [[x]]", "4:25: invalid value a sequence, expected a text"),
        (f"{CERT}  min_version: TLS10", "4:16: 'TLS10' is not spoken any more (RFC 8996), expected one of TLS12, TLS"),
        (f"{CERT}  max_version: SSL3", "4:16: invalid value 'SSL3', expected one of TLS12, TLS13"),
        (f"{CERT}  min_version: TLS13\n  max_version: TLS12", "5:3: no version is left, expected one that is not be"),
        (f"{CERT}  max_version: TLS12\n  cipher_suites: [TLS_AES_128_GCM_SHA256]", "4:3: no version is left"),
        (f"{CERT}  cipher_suites: [RC4]", "4:19: invalid value 'RC4', expected one of TLS_AES_128_GCM_SHA256, TLS_A"),
        (f"{CERT}  prefer_server_cipher_suites: 1", "4:32: invalid value '1', expected true or false"),
        (f"{CERT}  curve_preferences: [P256]", "4:23: invalid value 'P256', expected one of CurveP256, CurveP384"),
        (f"{CERT}  curve_preferences: [X25519, CurveP256]", "4:22: several curves are not possible: Python's ssl"),
        ("http_server_config:\n  http2: true", "2:3: HTTP/2 is not spoken here, expected false"),
        ("http_server_config:\n  headers: [a]", "2:12: invalid value a sequence, expected a mapping"),
        ("http_server_config:\n  headers:\n    Server: x", "3:5: invalid value 'Server', expected one of Content-Sec"),
        ("http_server_config:\n  headers:\n    X-Frame-Options: x", "3:22: invalid value 'x', expected one of deny"),
        ('http_server_config:\n  headers:\n    X-XSS-Protection: "a\\nb"', "3:23: invalid value 'a\\nb', expected pri"),
        ("basic_auth_users:\n  bob: secret", "2:8: the password of 'bob' is no bcrypt hash, expected $2y$10$..."),
        (f"basic_auth_users:\n  bob: {HASH}\n  bob: {HASH}", "3:3: 'bob' is given twice"),
        ("rate_limit:\n  interval: 1x", "2:13: invalid value '1x', expected a duration such as 1s"),
        ("rate_limit:\n  interval: -1s\n  burst: 1", "2:13: invalid value '-1s', expected a duration such as 1s"),
        ("rate_limit:\n  interval: 1s", "1:1: a limit without a burst lets nobody in, expected burst: 1, or more"),
        ("rate_limit:\n  interval: 1s\n  burst: 0", "3:3: a limit without a burst lets nobody in"),
        ("rate_limit:\n  burst: many", "2:10: invalid value 'many', expected a whole number"),
    ],
)
def test_mistakes(text: str, expected: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        read(text.encode(), "web.yml")
    assert str(caught.value.errors[0]).startswith(f"web.yml:{expected}")


def test_all_mistakes_at_once_in_the_order_of_the_file() -> None:
    with pytest.raises(ConfigErrors) as caught:
        read(f"{CERT}  min_version: x\n  nonsense: 1\nother: 2\nrate_limit:\n  burst: x\n".encode(), "web.yml")
    assert [error.at and error.at.line for error in caught.value.errors] == [4, 5, 6, 8]


def test_a_password_that_is_no_hash_is_not_shown() -> None:
    with pytest.raises(ConfigErrors) as caught:
        read(b"basic_auth_users:\n  bob: secret\n", "web.yml")
    assert "secret" not in caught.value.explain()
    with pytest.raises(ConfigErrors) as caught:
        read(b"tls_server_config:\n  min_version: TLS9\n", "web.yml")
    assert "    min_version: TLS9\n" in caught.value.explain()


def test_a_duration_without_a_unit_is_nanoseconds() -> None:
    assert read(b"rate_limit:\n  interval: 1000000000\n  burst: 1\n", "web.yml").interval == 1.0


def mistakes(octets: bytes) -> bool:
    """Whether a file is right, or every mistake in it has its place."""
    try:
        read(octets, "web.yml")
    except ConfigErrors as found:
        return bool(found.errors) and all(error.at is not None for error in found.errors)
    return True


@given(st.binary(max_size=200))
def test_any_octets(octets: bytes) -> None:
    assert mistakes(octets)


KEYS = st.sampled_from(
    ["tls_server_config", "cert_file", "key", "min_version", "cipher_suites", "headers", "basic_auth_users", "x"]
)
VALUES = st.recursive(
    st.sampled_from(["", "~", "1", "true", "TLS12", "1s", "a b", "'", "*a", "&a", "<<", HASH]),
    lambda inner: st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
    | st.dictionaries(KEYS, inner, max_size=4).map(lambda d: f"{{{', '.join(f'{k}: {v}' for k, v in d.items())}}}"),
)


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_any_structure(entries: dict[str, str]) -> None:
    assert mistakes("".join(f"{name}: {value}\n" for name, value in entries.items()).encode())
