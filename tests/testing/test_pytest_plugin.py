"""The plugin, in runs of pytest of its own."""

from __future__ import annotations

import json
import shutil
import stat
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/test-your-corefile"
COREFILE = ". {\n cache\n forward . 192.0.2.53\n}\nexample.net {\n acl {\n  block\n }\n}\n"
WWW = "www.example.org. 300 IN A 192.0.2.1"


class Run:
    """pytest in a folder of its own, with the plugin."""

    def __init__(self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pytester = pytester
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        monkeypatch.setenv("PYTHONWARNINGS", "error::ResourceWarning")
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")   # what else is installed takes a second each time
        (pytester.path / "Corefile").write_text(COREFILE)

    def __call__(self, *options: str) -> pytest.RunResult:
        """Run the tests; none may write into the folder of another."""
        plugins = ["corepy.testing.pytest_plugin", "no:cacheprovider", *(["xdist"] if "-n" in options else [])]
        named = [word for name in plugins for word in ("-p", name)]
        return self.pytester.runpytest_subprocess(*named, "-ra", *options)


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    return Run(pytester, monkeypatch)


@pytest.fixture
def binary(tmp_path: Path) -> str:
    """A server that is a program of its own, as a CoreDNS is."""
    path = tmp_path / "coredns"
    path.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m corepy "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def data(tests: object, **more: object) -> str:
    """A data file."""
    return json.dumps({"corefile": "Corefile", "upstreams": [{"answer": WWW}], "tests": tests, **more})


# --- the example ---


@pytest.fixture
def example(run: Run) -> Run:
    leave_out = shutil.ignore_patterns("__pycache__", ".pytest_cache")
    shutil.copytree(EXAMPLE, run.pytester.path, ignore=leave_out, dirs_exist_ok=True)
    return run


def test_the_example(example: Run) -> None:
    result = example("-n", "2", "--corefile-coverage")
    result.assert_outcomes(passed=10)
    result.stdout.fnmatch_lines(["*Corefile:6  .", "*Corefile:23      forward . 10.1.0.53", "13 of 13 server blocks*"])


def test_the_example_on_another_server(example: Run, binary: str) -> None:
    result = example("--coredns-bin", binary)
    result.assert_outcomes(passed=8, skipped=2)
    result.stdout.fnmatch_lines(["SKIPPED*needs the clock of the test*"])


# --- fixtures ---


def test_a_failure_shows_the_reply_and_what_the_server_said(run: Run) -> None:
    run.pytester.makepyfile(
        """
        def test_compared(corefile):
            dns = corefile(". {\\n log\\n whoami\\n}")
            answer = dns.ask("www.example.org.")
            assert answer.rcode == "NXDOMAIN"
        """
    )
    result = run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*last reply*", "*status: NOERROR*", ";www.example.org. IN A"])
    result.stdout.fnmatch_lines(["*what plugins did for it*", "whoami  Corefile:3  answered NOERROR without records"])


def test_an_unexpected_question_fails_the_test_at_its_end(run: Run) -> None:
    run.pytester.makepyfile(
        """
        def test_asks(corefile):
            corefile("Corefile").ask("www.example.org.")
        """
    )
    result = run()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["dns_upstream was asked", "  www.example.org. A over udp", "  nothing", "if that is*"])


def test_what_no_test_has_met(run: Run) -> None:
    run.pytester.makepyfile(
        """
        def test_one(corefile, dns_upstream):
            dns_upstream.nxdomain()
            assert corefile("Corefile").ask("www.example.org.").rcode == "NXDOMAIN"
            corefile(". {\\n whoami\\n}").ask("www.example.org.")
        """
    )
    result = run("--corefile-coverage")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([
        "     1  Corefile:1  .", "     1  Corefile:2      cache", "     1  Corefile:3      forward . 192.0.2.53",
        " never  Corefile:5  example.net", " never  Corefile:6      acl",
        " never  Corefile:7        rule 1 of acl: block",
        "3 of 6 server blocks, plugins and rules were met",
    ])  # fmt: skip


RULES = """\
example.org {
    view inside {
        expr incidr(client_ip(), '127.0.0.0/8')
    }
    acl {
        block type ANY
        allow
    }
    rewrite name old.example.org new.example.org
    rewrite type TXT A
    template IN A {
        match ^t\\.
        answer "{{ .Name }} 60 IN A 192.0.2.7"
        fallthrough
    }
    hosts {
        192.0.2.1 new.example.org
        192.0.2.2 other.example.org
        fallthrough
    }
    whoami
}
"""


@pytest.mark.parametrize("how", [[], ["-n", "2"], ["process"]], ids=" ".join)
def test_which_rules_no_test_has_met(run: Run, how: list[str]) -> None:
    if how == ["-n", "2"]:
        pytest.importorskip("xdist")
    run.pytester.makepyfile(
        f"""
        from pathlib import Path
        from corepy.testing import expect
        PROCESS = {how == ["process"]}
        def test_renamed(corefile):
            expect(corefile("Corefile", process=PROCESS).ask("old.example.org.")).has("old.example.org. A 192.0.2.1")
        def test_template(corefile):
            dns = corefile("Corefile", process=PROCESS)
            expect(dns.ask("t.example.org.")).has("t.example.org. A 192.0.2.7")
            dns.reload(Path("Corefile").read_text())
            expect(dns.ask("t.example.org.")).has("t.example.org. A 192.0.2.7")
        """
    )
    (run.pytester.path / "Corefile").write_text(RULES)
    files = ["--corefile-coverage-json=c.json", "--corefile-coverage-lcov=c.info"]
    result = run("--corefile-coverage", *files, *how[: 2 * (how != ["process"])])
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines([
        "     3  Corefile:1  example.org",
        "     3  Corefile:2      view inside",
        "     3  Corefile:5      acl",
        " never  Corefile:6        rule 1 of acl: block type ANY",
        "     3  Corefile:7        rule 2 of acl: allow",
        "     3  Corefile:9      rewrite name old.example.org new.example.org",
        "     1  Corefile:9        rule 1 of rewrite: rewrite name old.example.org new.example.org",
        " never  Corefile:10        rule 2 of rewrite: rewrite type TXT A",
        "     3  Corefile:11      template IN A",
        "     2  Corefile:11        rule 1 of template: template IN A",
        "     1  Corefile:16      hosts",
        "     1  Corefile:17        rule 1 of hosts: 192.0.2.1 new.example.org",
        " never  Corefile:18        rule 2 of hosts: 192.0.2.2 other.example.org",
        " never  Corefile:21      whoami",
        "10 of 14 server blocks, plugins and rules were met",
    ])  # fmt: skip
    written = json.loads((run.pytester.path / "c.json").read_text())
    assert (written["places"], written["met"]) == (14, 10)
    assert {"file": "Corefile", "line": 21, "block": 1, "what": "whoami", "count": 0} in written["counts"]
    lines = (run.pytester.path / "c.info").read_text().splitlines()
    assert lines[:3] == ["TN:", "SF:Corefile", "DA:1,3"]
    assert lines[-3:] == ["LF:12", "LH:8", "end_of_record"]
    assert "DA:9,1" in lines


@pytest.mark.parametrize("how", [[], ["-n", "1"]])
def test_too_little_was_met(run: Run, how: list[str]) -> None:
    if how:
        pytest.importorskip("xdist")
    run.pytester.makepyfile(
        """
        def test_one(corefile, dns_upstream):
            dns_upstream.nxdomain()
            assert corefile("Corefile").ask("www.example.org.").rcode == "NXDOMAIN"
        """
    )
    result = run("--corefile-coverage-fail-under=51", *how)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["FAIL 50.0 percent was met, and 51 is wanted"])
    assert run("--corefile-coverage-fail-under=50", *how).ret == pytest.ExitCode.OK


TRANSFER = """\
example.org {
    transfer {
        to 192.0.2.9
    }
    transfer sub.example.org {
        to *
    }
    file zone
}
"""


def test_rules_of_transfer(run: Run) -> None:
    run.pytester.makepyfile(
        """
        def test_one(corefile):
            dns = corefile("Corefile")
            assert dns.ask("example.org.", "AXFR", transport="tcp").rcode == "REFUSED"
        """
    )
    (run.pytester.path / "Corefile").write_text(TRANSFER)
    (run.pytester.path / "zone").write_text("@ 60 IN SOA ns hostmaster 1 2 3 4 5\n@ 60 IN NS ns\n")
    run("--corefile-coverage").stdout.fnmatch_lines([
        "     1  Corefile:2        rule 1 of transfer: transfer",
        " never  Corefile:5        rule 2 of transfer: transfer sub.example.org",
    ])  # fmt: skip


# --- snapshots ---


def test_answers_as_they_were(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.pytester.makepyfile(
        """
        import os
        import pytest

        @pytest.mark.parametrize("name", ["www/x"])
        def test_asks(corefile, dns_upstream, dns_snapshot, name):
            dns_upstream.answer(f"www.example.org. {os.environ['TTL']} IN A 192.0.2.2")
            dns_upstream.answer("www.example.org. 60 IN AAAA 2001:db8::1", "www.example.org. 60 IN AAAA 2001:db8::2")
            dns = corefile("Corefile")
            dns_snapshot(dns.ask("www.example.org."))
            dns_snapshot(dns.ask("www.example.org.", "AAAA", edns=1232), ttl=False)
        """
    )
    monkeypatch.setenv("TTL", "60")
    missing = run()
    missing.assert_outcomes(failed=1)
    missing.stdout.fnmatch_lines(["*answer 1 is not in *: run with --corefile-snapshot-update"])
    run("--corefile-snapshot-update").assert_outcomes(passed=1)
    [file] = (run.pytester.path / "snapshots").rglob("*.txt")
    assert file.name == "test_asks_www_x.txt"
    assert file.read_text() == (
        ";; www.example.org. IN A\n;; NOERROR: qr rd ra\nANSWER www.example.org. 60 IN A 192.0.2.2\n\n"
        ";; www.example.org. IN AAAA\n;; NOERROR: qr rd ra\n; EDNS: version: 0, flags:; udp: 1232\n"
        "ANSWER www.example.org. * IN AAAA 2001:db8::1\nANSWER www.example.org. * IN AAAA 2001:db8::2\n"
    )
    run().assert_outcomes(passed=1)
    monkeypatch.setenv("TTL", "61")
    other = run()
    other.assert_outcomes(failed=1)
    other.stdout.fnmatch_lines(["*answer 1 is not as in *", "*-ANSWER www.example.org. 60 IN A 192.0.2.2",
                                "*+ANSWER www.example.org. 61 IN A 192.0.2.2", "*what plugins did:*"])  # fmt: skip


def test_nothing_heavy_is_imported_before_it_is_used(run: Run) -> None:
    run.pytester.makepyfile(
        """
        import sys

        def test_modules():
            assert not {"lark", "dnslib", "yaml", "corepy.server", "corepy.query"} & set(sys.modules)
        """
    )
    run().assert_outcomes(passed=1)


# --- data files ---


def test_cases_in_json_need_no_yaml(run: Run) -> None:
    tests = {
        "the cache answers": [
            {"ask": "www.example.org. A", "expect": {"only": WWW, "ttl": 300, "flags": ["ra"], "from_upstream": True}},
            {"advance": "100s"},
            {"ask": "www.example.org. A", "expect": {"has": WWW.replace("300", "200"), "from_upstream": False}},
        ],
        "a client is refused": [{"ask": "example.net. A", "client": "10.1.2.3", "expect": {"rcode": "REFUSED"}}],
        "another corefile": [
            {"reload": ". {\n acl {\n drop\n }\n}"}, {"ask": "example.net. A", "expect": "silence"},
        ],
    }  # fmt: skip
    (run.pytester.path / "good.dnstest.json").write_text(data(tests))
    (run.pytester.path / "yaml.py").write_text("raise ImportError\n")
    run("--import-mode=prepend").assert_outcomes(passed=3)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"ask": "www.example.org. A", "expect": {"rcode": "NXDOMAIN"}}, "step 1, ask www.example.org. A: wanted *"),
        ({"ask": "www.example.org. A", "expect": "silence"}, "step 1, ask www.example.org. A: wanted no reply, got"),
        ({"ask": "www.example.org. A", "expect": {"rcodes": 1}}, "*expect knows no 'rcodes'"),
        ({"ask": "www.example.org. A", "expected": 1}, "step 1: unexpected 'expected', expected one of *"),
        ({"what": 1}, "step 1: expected 'ask', 'advance' or 'reload', got what"),
        ({"ask": "other.example. A"}, "  other.example. A over udp"),
        ({"reload": "nonsense {\n nonsense\n}"}, "*step 1, reload*unknown directive*"),
    ],
)
def test_a_case_that_fails_says_where(run: Run, step: object, message: str) -> None:
    (run.pytester.path / "bad.dnstest.json").write_text(data({"it": [step]}))
    result = run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*bad.dnstest.json: it"])
    result.stdout.fnmatch_lines([message])
    assert "Traceback" not in result.stdout.str()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "*bad.dnstest.json: the file lacks 'corefile': a path, or the text"),
        ("[]", "*the file: expected words with values, got *"),
        ('{"corefiles": "x"}', "*the file: unexpected 'corefiles', expected one of corefile, *"),
        ("{", "*bad.dnstest.json: *"),
    ],
)
def test_a_data_file_that_is_wrong_is_an_error(run: Run, text: str, message: str) -> None:
    (run.pytester.path / "bad.dnstest.json").write_text(text)
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([message])


def test_yaml_without_pyyaml_says_which_extra(run: Run) -> None:
    (run.pytester.path / "bad.dnstest.yaml").write_text("corefile: Corefile\n")
    (run.pytester.path / "conftest.py").write_text("import sys\nsys.modules['yaml'] = None\n")
    result = run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*bad.dnstest.yaml: YAML needs PyYAML: pip install 'corepy[[]testing]'*"])
