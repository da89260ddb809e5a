"""A Corefile made real: sites, their chains, the listeners they share, and all that can be wrong with them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from corepy import codes, corefile, site
from corepy.door import Door, ProxyPolicy
from corepy.errors import ConfigError, ConfigErrors
from corepy.plugin import Directive, Outcome, Plugin, Query, Reply
from corepy.site import Bind, Configuration, Site, Timeouts
from corepy.testing import FakeClock, make_query
from corepy.wire import encode_name

Add = Callable[..., None]


def build(text: str, *, default_port: int = 53) -> Configuration:
    return site.build(corefile.load(text, "Corefile"), default_port=default_port)


def errors(text: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        build(text)
    return [str(error) for error in caught.value.errors]


def rcodes(configuration: Configuration, bind: Bind, *names: str) -> list[int]:
    replies = [configuration.listeners[bind].answer(make_query(name)) for name in names]
    return [reply.rcode for reply in replies if isinstance(reply, Reply)]


DNS = Bind("dns", "", 53)


class Says(Plugin):
    """Answers with the rcode that the Corefile says."""

    def __init__(self, rcode: int) -> None:
        self.rcode = rcode

    @classmethod
    def parse(cls, directive: Directive) -> Says:
        return cls(directive.integer())

    def serve(self, query: Query) -> Outcome:
        return Reply.failed(query, self.rcode)


# --- listeners ---


def test_blocks_with_one_port_share_a_listener() -> None:
    built = build("example.org {\n whoami\n}\nexample.net:53 {\n}\nexample.com:5300 {\n}\n")
    assert list(built.listeners) == [DNS, Bind("dns", "", 5300)]
    assert rcodes(built, DNS, "a.example.org.", "a.example.net.", "example.com.") == [0, 5, 5]
    assert built.describe() == ["example.net.:53", "example.org.:53", "example.com.:5300"]


def test_a_block_with_several_keys_is_on_all_their_ports() -> None:
    built = build("a.example:1 b.example:2 192.0.2.0/24:2 {\n whoami\n}\n")
    assert built.zones[Bind("dns", "", 2)] == [encode_name("b.example."), encode_name("2.0.192.in-addr.arpa.")]
    assert len(built.sites) == 1


def test_keys_without_a_port_have_that_of_the_flag() -> None:
    assert list(build("a. b.:9 {\n}\n", default_port=5353).listeners) == [Bind("dns", "", 5353), Bind("dns", "", 9)]


@pytest.mark.parametrize(
    ("text", "both"),
    [
        ("a {\n bind 0.0.0.0\n}", {"0.0.0.0": True}),
        ("a {\n bind :: ::1\n}", {"::": True, "::1": False}),
        ("a {\n bind ::\n}\nb {\n bind 0.0.0.0\n}", {"::": False, "0.0.0.0": False}),
    ],
)
def test_an_unspecified_address_stands_for_both_families_unless_the_other_is_named(
    text: str, both: dict[str, bool]
) -> None:
    assert {bind.host: bind.both for bind in build(text).listeners} == both


def test_addresses_are_listeners_of_their_own() -> None:
    built = build("a.example {\n bind 127.0.0.1 ::1\n whoami\n}\nb.example {\n bind 127.0.0.1\n whoami\n}\n")
    four, six = Bind("dns", "127.0.0.1", 53), Bind("dns", "::1", 53)
    assert list(built.listeners) == [four, six]
    assert rcodes(built, four, "a.example.", "b.example.") == [0, 0]
    assert rcodes(built, six, "a.example.", "b.example.") == [0, 5]
    assert [four.server, six.server] == ["dns://127.0.0.1:53", "dns://[::1]:53"]
    assert built.describe() == ["a.example.:53 on 127.0.0.1", "b.example.:53 on 127.0.0.1", "a.example.:53 on ::1"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a. {\n}\n A. {\n}\n", "Corefile:3:2: cannot serve dns://a.:53: it is already defined at Corefile:1:1"),
        ("a. a.:53 {\n}\n", "Corefile:1:4: cannot serve dns://a.:53: it is already defined at Corefile:1:1"),
        (
            "a. {\n}\na. {\n bind 127.0.0.1\n}\n",
            "Corefile:3:1: cannot serve dns://a.:53 on 127.0.0.1: it overlaps with dns://a.:53 at Corefile:1:1",
        ),
        (
            "a. {\n bind 127.0.0.1\n}\na. {\n}\n",
            "Corefile:4:1: cannot serve dns://a.:53: it overlaps with dns://a.:53 on 127.0.0.1 at Corefile:1:1",
        ),
    ],
)
def test_a_zone_on_an_address_belongs_to_one_block(text: str, error: str) -> None:
    assert errors(text) == [error]


@pytest.mark.parametrize(
    "text",
    [
        "a. {\n}\nb.a. {\n}\n",
        "a. {\n}\na.:54 {\n}\n",
        "a. {\n bind 127.0.0.1\n}\na. {\n bind ::1\n}\n",
        "a. {\n bind 127.0.0.1\n}\nb. {\n}\n",
    ],
)
def test_what_only_looks_like_an_overlap(text: str) -> None:
    assert build(text).listeners


def test_odd_names_are_remarked_upon() -> None:
    lines = build("_a.example ok-1.example 1a.example . 192.0.2.0/24 {\n}\n").describe()
    odd = [line for line in lines if line.startswith("Warning")]
    assert odd == [
        'Warning: Domain "1a.example." does not follow RFC1035 preferred syntax',
        'Warning: Domain "_a.example." does not follow RFC1035 preferred syntax',
    ]


# --- the chain ---


def test_the_order_of_plugins_is_not_that_of_the_file(directives: Add) -> None:
    class Early(Says):
        before = "errors"

    class Late(Says):
        before = "forward"

    directives(early=Early, late=Late)
    for text in (". {\n early 1\n late 2\n whoami\n}\n", ". {\n whoami\n late 2\n early 1\n}\n"):
        built = build(text)
        assert [plugin.name for plugin in built.plugins] == ["early", "late", "whoami"]
        assert rcodes(built, DNS, "a.") == [1]


def test_plugins_know_their_name_their_clock_and_the_zones_of_their_block(directives: Add) -> None:
    zones: list[tuple[bytes, ...]] = []

    class Curious(Plugin):
        @classmethod
        def parse(cls, directive: Directive) -> Curious:
            zones.append(directive.zones)
            return cls()

    directives(curious=Curious)
    clock = FakeClock()
    built = site.build(corefile.load("A.example b.example {\n curious\n}\n", "Corefile"), clock=clock)
    [plugin] = built.plugins
    assert (plugin.name, plugin.clock, plugin.log.prefix) == ("curious", clock, "plugin/curious: ")
    assert zones == [(b"\1a\7example\0", b"\1b\7example\0")]


def test_a_directive_may_stand_twice(directives: Add) -> None:
    directives(says=Says)
    built = build(". {\n says 3\n says 4\n}\n")
    assert len(built.plugins) == 2
    assert rcodes(built, DNS, "a.") == [3]


# --- what plugins shape ---


def shaping(configure: Callable[[Site], None]) -> type[Plugin]:
    class Shaping(Plugin):
        before = "errors"

        def configure(self, site: Site) -> None:
            configure(site)

    return Shaping


def test_the_last_door_of_a_port_wins_for_all_its_blocks(directives: Add) -> None:
    made: list[str] = []

    def doors(name: str) -> type[Plugin]:
        def door() -> Door:
            made.append(name)
            return Door(ProxyPolicy(), None, made.append)

        def configure(site: Site) -> None:
            site.door = door

        return shaping(configure)

    directives(one=doors("one"), two=doors("two"))
    built = build("a. {\n one\n}\nb. {\n two\n}\nc. {\n whoami\n}\nd.:54 {\n one\n}\ne.:55 {\n}\n")
    assert made == ["two", "one"]
    assert [listener.door is not None for listener in built.listeners.values()] == [True, True, False]


def test_each_listener_has_a_door_of_its_own() -> None:
    built = build("a. b.:54 {\n proxyproto\n}\n")
    one, two = (listener.door for listener in built.listeners.values())
    assert one is not None
    assert one is not two


def test_timeouts_that_a_block_gives_count_for_its_port(directives: Add) -> None:
    def configure(site: Site) -> None:
        site.timeouts = Timeouts(read=1)

    directives(quick=shaping(configure))
    built = build("a. {\n quick\n}\nb. {\n}\nc.:54 {\n}\n")
    assert [listener.timeouts.read for listener in built.listeners.values()] == [1, 3]


def test_debug_is_for_all(directives: Add) -> None:
    def configure(site: Site) -> None:
        site.debug = True

    directives(loud=shaping(configure))
    assert build("a. {\n loud\n}\nb. {\n}\n").debug
    assert not build("b. {\n}\n").debug


def test_a_class_that_one_plugin_wants_is_let_in_on_its_port(directives: Add) -> None:
    class Chaotic(Says):
        any_class = True

    directives(chaotic=Chaotic)
    built = build(". {\n chaotic 4\n}\n")
    reply = built.listeners[DNS].answer(make_query(qclass=codes.CH))
    assert isinstance(reply, Reply)
    assert reply.rcode == 4


# --- mistakes ---

HOMELESS = "the directive 'homeless' wants to stand before 'nowhere', which CoreDNS does not know"


def test_all_mistakes_are_found_each_with_its_place_in_the_order_of_the_file(directives: Add) -> None:
    class Homeless(Plugin):
        before = "nowhere"

    directives(homeless=Homeless)
    found = errors(
        "a.example:x ok.example {\n"
        " whoami extra\n"
        " azure\n"
        " homeless\n"
        " proxyproto {\n  default perhaps\n }\n"
        "}\n"
        "ok.example {\n}\n"
        "ok.example {\n nonsense\n}\n"
    )
    assert [line.partition(", expected")[0] for line in found] == [
        "Corefile:1:1: invalid port 'x' in 'a.example:x'",
        "plugin/whoami: Corefile:2:9: unexpected argument 'extra'",
        "plugin/azure: Corefile:3:2: the directive 'azure' of CoreDNS is not built yet",
        f"plugin/homeless: Corefile:4:2: {HOMELESS}",
        "plugin/proxyproto: Corefile:6:11: invalid argument 'perhaps'",
        "Corefile:11:1: cannot serve dns://ok.example.:53: it is already defined at Corefile:9:1",
        "plugin/nonsense: Corefile:12:2: unknown directive 'nonsense'",
    ]


def test_a_directive_that_nobody_reads_to_its_end_is_a_mistake(directives: Add) -> None:
    class Careless(Plugin):
        @classmethod
        def parse(cls, _directive: Directive) -> Careless:
            return cls()

    directives(careless=Careless)
    assert errors(". {\n careless word\n}\n") == [
        "plugin/careless: Corefile:2:11: unexpected argument 'word', expected no arguments"
    ]


def test_what_a_plugin_finds_without_a_place_gets_that_of_its_directive(directives: Add) -> None:
    def configure(_site: Site) -> None:
        raise ConfigError("not here")

    directives(picky=shaping(configure))
    assert errors(". {\n  picky\n}\n") == ["plugin/picky: Corefile:2:3: not here"]
