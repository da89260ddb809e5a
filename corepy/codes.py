"""The numbers of the DNS and their names (IANA, DNS Parameters), both ways.

Numbers that have no name here are written as RFC 3597 says: TYPE65280, CLASS3841.
"""

from __future__ import annotations

from typing import Final

A: Final = 1
NS: Final = 2
CNAME: Final = 5
SOA: Final = 6
PTR: Final = 12
MX: Final = 15
TXT: Final = 16
AAAA: Final = 28
SRV: Final = 33
DNAME: Final = 39
OPT: Final = 41
DS: Final = 43
RRSIG: Final = 46
TSIG: Final = 250
IXFR: Final = 251
AXFR: Final = 252
ANY: Final = 255

IN: Final = 1
CH: Final = 3

QUERY: Final = 0
NOTIFY: Final = 4

NOERROR: Final = 0
FORMERR: Final = 1
SERVFAIL: Final = 2
NXDOMAIN: Final = 3
NOTIMP: Final = 4
REFUSED: Final = 5
BADVERS: Final = 16
BADCOOKIE: Final = 23

NSID: Final = 3
CLIENT_SUBNET: Final = 8
COOKIE: Final = 10
ECHOED_OPTIONS: Final = frozenset((NSID, 9, COOKIE, 11, 12))
"""EDNS options that come back as they were sent: NSID, EXPIRE, COOKIE, TCP KEEPALIVE, PADDING (as CoreDNS). A plugin
that means one of them writes its own."""

_TYPES = """
1 A  2 NS  3 MD  4 MF  5 CNAME  6 SOA  7 MB  8 MG  9 MR  10 NULL  12 PTR  13 HINFO  14 MINFO  15 MX  16 TXT  17 RP
18 AFSDB  19 X25  20 ISDN  21 RT  23 NSAP-PTR  24 SIG  25 KEY  26 PX  27 GPOS  28 AAAA  29 LOC  30 NXT  31 EID
32 NIMLOC  33 SRV  34 ATMA  35 NAPTR  36 KX  37 CERT  39 DNAME  41 OPT  42 APL  43 DS  44 SSHFP  45 IPSECKEY  46 RRSIG
47 NSEC  48 DNSKEY  49 DHCID  50 NSEC3  51 NSEC3PARAM  52 TLSA  53 SMIMEA  55 HIP  56 NINFO  57 RKEY  58 TALINK
59 CDS  60 CDNSKEY  61 OPENPGPKEY  62 CSYNC  63 ZONEMD  64 SVCB  65 HTTPS  99 SPF  100 UINFO  101 UID  102 GID
103 UNSPEC  104 NID  105 L32  106 L64  107 LP  108 EUI48  109 EUI64  128 NXNAME  249 TKEY  250 TSIG  251 IXFR
252 AXFR  253 MAILB  254 MAILA  255 ANY  256 URI  257 CAA  258 AVC  260 AMTRELAY  261 RESINFO  32768 TA  32769 DLV
"""
_RCODES = """
0 NOERROR  1 FORMERR  2 SERVFAIL  3 NXDOMAIN  4 NOTIMP  5 REFUSED  6 YXDOMAIN  7 YXRRSET  8 NXRRSET  9 NOTAUTH
10 NOTZONE  11 DSOTYPENI  16 BADVERS  17 BADKEY  18 BADTIME  19 BADMODE  20 BADNAME  21 BADALG  22 BADTRUNC
23 BADCOOKIE
"""


def _table(text: str) -> dict[int, str]:
    words = text.split()
    return {int(number): name for number, name in zip(words[::2], words[1::2], strict=True)}


TYPE_NAMES: Final = _table(_TYPES)
CLASS_NAMES: Final = {1: "IN", 2: "CS", 3: "CH", 4: "HS", 254: "NONE"}
RCODE_NAMES: Final = _table(_RCODES)
TYPES: Final = {name: number for number, name in TYPE_NAMES.items()}
CLASSES: Final = {name: number for number, name in CLASS_NAMES.items()}
RCODES: Final = {name: number for number, name in RCODE_NAMES.items()}
COREFILE_TYPES: Final = {**TYPES, "None": 0, "Reserved": 0xFFFF}
"""Types as a Corefile and a log name them: CoreDNS has names for two more."""
COREFILE_RCODES: Final = {"BADSIG" if name == "BADVERS" else name: number for name, number in RCODES.items()}
"""Rcodes as a Corefile names them: CoreDNS's names, for which 16 is BADSIG, and 4 has two."""
COREFILE_RCODES["NOTIMPL"] = NOTIMP
TYPE_LABELS: Final = {number: name for name, number in COREFILE_TYPES.items()}
_RCODE_LABELS: Final = {**RCODE_NAMES, BADVERS: "BADSIG"}


def type_name(number: int) -> str:
    """The mnemonic of an RR type, TYPEn for one without."""
    return TYPE_NAMES.get(number) or f"TYPE{number}"


def class_name(number: int) -> str:
    """The mnemonic of a class; CLASSn for one without, and for ANY, which is a type's name too."""
    return CLASS_NAMES.get(number) or f"CLASS{number}"


def rcode_name(number: int) -> str:
    """The mnemonic of an rcode, its number for one without."""
    return RCODE_NAMES.get(number) or str(number)


def type_label(number: int) -> str:
    """A type in logs, templates and expressions: `type_name`, but for two that CoreDNS has names of its own for."""
    return TYPE_LABELS.get(number) or f"TYPE{number}"


def rcode_label(number: int) -> str:
    """An rcode in logs and metrics: `rcode_name`, but for 16, which CoreDNS knows as BADSIG alone."""
    return _RCODE_LABELS.get(number) or str(number)
