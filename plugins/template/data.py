"""What a template sees of a question: the dot, with the names of Go's fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from corepy import codes
from corepy import wire as w
from corepy.expression import Match
from corepy.gotemplate import Function, Struct, Uint
from corepy.plugin import Query

ANY_CLASS: Final = 255
"""QCLASS ANY (RFC 1035 3.2.5)."""
_CLASSES: Final = {**codes.CLASS_NAMES, ANY_CLASS: "ANY"}

Fields = Mapping[str, Callable[[Any], Any]]


class Data(Struct):
    """The dot of a template. Everything but the name is made when a template asks for it."""

    __slots__ = ("expression", "found", "name", "query", "rclass", "rtype", "variables", "view", "zone")

    type_name: ClassVar[str] = "*template.templateData"

    def __init__(
        self,
        query: Query,
        name: str,
        zone: str,
        rclass: int,
        rtype: int,
        expression: str = ".*",
        found: Match | None = None,
    ) -> None:
        self.query = query
        self.name = name
        self.expression = expression
        self.found = found
        self.zone = zone
        self.rclass = rclass
        self.rtype = rtype
        self.view = ""
        self.variables: dict[str, Any] = {}

    def group(self, which: int | str) -> str:
        """A group of the expression by its number or name; empty where there is none."""
        return self.groups().named().get(str(which), "")

    def meta(self, label: str) -> str:
        """What plugins tell about the query under a label `PLUGIN/NAME`; empty for nothing."""
        value = (self.query.metadata or {}).get(label, "")
        return value if isinstance(value, str) else value()

    def groups(self) -> Match:
        """The expression's match; without an expression that of `.*`."""
        return self.found or Match((self.name,), {})

    def class_name(self) -> str:
        """The class that is asked for, that of the template where it is ANY; empty where it has no name."""
        asked = self.query.qclass
        return _CLASSES.get(self.rclass if asked == ANY_CLASS else asked, "")

    def qtype_name(self) -> str:
        """The type that is asked for, in the same way."""
        asked = self.query.qtype
        number = self.rtype if asked == codes.ANY else asked
        return codes.TYPE_LABELS.get(number, "")

    fields: ClassVar[Fields] = {
        "Name": lambda data: data.name,
        "Zone": lambda data: data.zone,
        "Regex": lambda data: data.expression,
        "Match": lambda data: data.groups().groups,
        "Group": lambda data: data.groups().named(),
        "Class": class_name,
        "Type": qtype_name,
        "Message": lambda data: Message(data.query),
        "Question": lambda data: Question(data.query),
        "Remote": lambda data: str(data.query.client.ip),
        "Var": lambda data: data.variables,
    }
    methods: ClassVar[Mapping[str, Callable[[Any], Function]]] = {
        "Meta": lambda data: Function(data.meta, ("string",)),
    }

    def __str__(self) -> str:
        return f"&{{{self.name}}}"


class Question(Struct):
    """`.Question`: the question as it was spelled."""

    __slots__ = ("query",)

    type_name: ClassVar[str] = "*dns.Question"

    def __init__(self, query: Query) -> None:
        self.query = query

    fields: ClassVar[Fields] = {
        "Name": lambda question: w.decode_name(question.query.qname),
        "Qtype": lambda question: Uint(question.query.qtype),
        "Qclass": lambda question: Uint(question.query.qclass),
    }
    methods: ClassVar[Mapping[str, Callable[[Any], Function]]] = {
        "String": lambda question: Function(question.__str__),
    }

    def __str__(self) -> str:
        query = self.query
        return f";{w.decode_name(query.qname)}\t{codes.class_name(query.qclass)}\t {codes.type_name(query.qtype)}"


def _flag(bit: int) -> Callable[[Any], bool]:
    return lambda message: bool(message.query.flags & bit)


def _section(number: int) -> Callable[[Any], list[Record]]:
    def records(message: Message) -> list[Record]:
        wire = message.query.wire
        return [Record(wire, found) for found in w.records(wire, message.query.qend) if found.section == number]

    return records


class Message(Struct):
    """`.Message`: the query's header and sections."""

    __slots__ = ("query",)

    type_name: ClassVar[str] = "*dns.Msg"

    def __init__(self, query: Query) -> None:
        self.query = query

    fields: ClassVar[Fields] = {
        "Id": lambda message: Uint(message.query.id),
        "Opcode": lambda message: message.query.opcode,
        "Rcode": lambda message: message.query.flags & w.RCODE,
        "Response": _flag(w.QR),
        "Authoritative": _flag(w.AA),
        "Truncated": _flag(w.TC),
        "RecursionDesired": _flag(w.RD),
        "RecursionAvailable": _flag(w.RA),
        "Zero": _flag(w.Z),
        "AuthenticatedData": _flag(w.AD),
        "CheckingDisabled": _flag(w.CD),
        "Question": lambda message: [Question(message.query)],
        "Answer": _section(w.ANSWER),
        "Ns": _section(w.AUTHORITY),
        "Extra": _section(w.ADDITIONAL),
    }
    methods: ClassVar[Mapping[str, Callable[[Any], Function]]] = {
        "Len": lambda message: Function(lambda: len(message.query.wire)),
        "IsEdns0": lambda message: Function(lambda: Edns(message.query) if message.query.edns else None),
    }

    def __str__(self) -> str:
        return repr(self.query)


class Record(Struct):
    """A record of the query: what its header says."""

    __slots__ = ("found", "wire")

    type_name: ClassVar[str] = "dns.RR"

    def __init__(self, wire: bytes, found: w.Record) -> None:
        self.wire = wire
        self.found = found

    fields: ClassVar[Fields] = {
        "Hdr": lambda record: record,
        "Name": lambda record: w.decode_name(w.read_name(record.wire, record.found.start)[0]),
        "Rrtype": lambda record: Uint(record.found.rtype),
        "Class": lambda record: Uint(record.found.rclass),
        "Ttl": lambda record: Uint(record.found.ttl),
        "Rdlength": lambda record: Uint(record.found.end - record.found.data),
    }
    methods: ClassVar[Mapping[str, Callable[[Any], Function]]] = {
        "Header": lambda record: Function(lambda: record),
    }

    def __str__(self) -> str:
        return f"{codes.type_name(self.found.rtype)} record"


class Edns(Struct):
    """`.Message.IsEdns0`: the OPT record of the query."""

    __slots__ = ("edns",)

    type_name: ClassVar[str] = "*dns.OPT"

    def __init__(self, query: Query) -> None:
        self.edns = query.edns

    methods: ClassVar[Mapping[str, Callable[[Any], Function]]] = {
        "UDPSize": lambda opt: Function(lambda: Uint(opt.edns.size)),
        "Do": lambda opt: Function(lambda: opt.edns.do),
        "Version": lambda opt: Function(lambda: Uint(opt.edns.version)),
    }

    def __str__(self) -> str:
        return f"OPT record of {self.edns.size if self.edns else 0} octets"
