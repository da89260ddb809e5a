"""Go's template language: what each construct writes, what is refused, and where."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy.gotemplate import (
    ExecutionError,
    Function,
    Struct,
    TemplateError,
    TemplateSyntaxError,
    Uint,
    compile_template,
)


class Data(Struct):
    type_name = "*data"
    fields: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        "Name": lambda _: "www.example.org.",
        "Match": lambda _: ("whole", "a", "bb"),
        "Group": lambda _: {"x": "7", "a": "first"},
        "Count": lambda _: 42,
        "Type": lambda _: Uint(16),
        "Ratio": lambda _: 2.5,
        "Yes": lambda _: True,
        "Empty": lambda _: [],
        "Double": lambda _: Function(lambda number: 2 * number, ("int",)),
    }
    methods: ClassVar[Mapping[str, Callable[[Any], Function]]] = {
        "Meta": lambda _: Function(lambda name: f"<{name}>", ("string",)),
        "Two": lambda _: Function(lambda: "two"),
        "Nothing": lambda _: Function(lambda: None),
    }

    def __str__(self) -> str:
        return "{data}"


def double(text: str) -> str:
    if text == "no":
        raise ValueError("not this one")
    return text + text


FUNCTIONS = {
    "double": Function(double, ("string",)),
    "takes": Function(lambda *values: repr(values), ("int", "uint", "float"), "bool"),
}


def render(text: str) -> str:
    return compile_template(text, "t", FUNCTIONS).render(Data())


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("", ""),
        ("text } {", "text } {"),
        ("{{ .Name }}", "www.example.org."),
        ("{{.Name}}{{.Count}}{{.Ratio}}{{.Yes}}", "www.example.org.422.5true"),
        ("{{ . }}{{ $ }}{{ $.Name }}", "{data}{data}www.example.org."),
        ("{{ .Match }}{{ .Group }}{{ .Empty }}", "[whole a bb]map[a:first x:7][]"),
        ("{{ .Group.x }}{{ .Group.y }}{{ .Group.y.z }}", "7<no value><no value>"),
        ("{{ .Two }}{{ .Nothing }}{{ .Nothing.More }}", "two<no value><no value>"),
        ('{{ .Meta "a/b" }}{{ "c" | .Meta }}{{ (.Meta "d") }}', "<a/b><c><d>"),
        # literals
        (r'{{ "a\tb\"\x41\u00e9\U0001F600\101" }}', 'a\tb"Aé😀A'),
        ("{{ `raw\\n` }}", "raw\\n"),
        (r'{{ "\xc3\xa9" }}', "é"),
        ("{{ 'a' }} {{ '\\n' }} {{ '\\x41' }} {{ '\\'' }} {{ 'é' }}", "97 10 65 39 233"),
        ("{{ 12 }} {{ -3 }} {{ +4 }} {{ 0x1F }} {{ 0b101 }}", "12 -3 4 31 5"),
        ("{{ 0o17 }} {{ 017 }} {{ 1_000 }}", "15 15 1000"),
        ("{{ 1.5 }} {{ .5 }} {{ 1e3 }} {{ 1e6 }} {{ 2.0 }} {{ 0x1p4 }} {{ 1e-5 }}", "1.5 0.5 1000 1e+06 2 16 1e-05"),
        ("{{ 2i }} {{ 1+2i }} {{ 1e1-2i }}", "(0+2i) (1+2i) (10-2i)"),
        ("{{ true }}{{ false }}", "truefalse"),
        # white space
        ("a {{- 1 -}} b", "a1b"),
        ("a {{- 1 }} b", "a1 b"),
        ("a \n\t{{- /* remark */ -}} \n b", "ab"),
        ("a {{/* remark {{ }} */}} b", "a  b"),
        ("{{ 3 -}} {{- 4 }}", "34"),
        ("{{-3}}", "-3"),
        ("{{ 1\n}}", "1"),
        # choices
        ("{{ if .Yes }}a{{ else }}b{{ end }}", "a"),
        ("{{ if .Empty }}a{{ else }}b{{ end }}", "b"),
        ("{{ if 0 }}a{{ else if .Group.y }}b{{ else if .Count }}c{{ else }}d{{ end }}", "c"),
        ('{{ if "" }}a{{ end }}{{ if . }}b{{ end }}{{ if 0.0 }}c{{ end }}{{ if .Group }}d{{ end }}', "bd"),
        ("{{ with .Group }}{{ .x }}{{ $.Count }}{{ else }}none{{ end }}", "742"),
        ("{{ with .Empty }}a{{ else with .Count }}{{ . }}{{ else }}b{{ end }}", "42"),
        ("{{ with $x := .Count }}{{ $x }}{{ end }}", "42"),
        # range
        ("{{ range .Match }}{{ . }},{{ end }}", "whole,a,bb,"),
        ("{{ range $i, $m := .Match }}{{ $i }}={{ $m }} {{ end }}", "0=whole 1=a 2=bb "),
        ("{{ range $m := .Match }}{{ $m }}{{ end }}", "wholeabb"),
        ("{{ range $k, $v := .Group }}{{ $k }}{{ $v }};{{ end }}", "afirst;x7;"),
        ("{{ range .Empty }}a{{ else }}none{{ end }}", "none"),
        ("{{ range 3 }}{{ . }}{{ end }}{{ range $i := 2 }}{{ $i }}{{ end }}{{ range 0 }}x{{ end }}", "01201"),
        ("{{ range .Match }}{{ if eq . `bb` }}{{ break }}{{ end }}{{ . }}{{ end }}", "wholea"),
        ("{{ range .Match }}{{ if eq . `a` }}{{ continue }}{{ end }}{{ . }}{{ end }}", "wholebb"),
        ("{{ range .Nothing }}x{{ else }}none{{ end }}", "none"),
        ("{{ range 2 }}{{ range 2 }}{{ break }}{{ end }}{{ . }}{{ end }}", "01"),
        # variables
        ("{{ $x := 1 }}{{ $x }}{{ $x = 2 }}{{ $x }}", "12"),
        ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $x := 3 }}{{ end }}{{ $x }}", "2"),
        ("{{ $x := 0 }}{{ range .Match }}{{ $x = . }}{{ end }}{{ $x }}", "bb"),
        ("{{ $m := .Group }}{{ $m.x }}", "7"),
        ("{{ $last := 0 }}{{ range $last = .Match }}{{ end }}{{ $last }}", "bb"),
        # templates
        ('{{ define "T" }}[{{ . }}]{{ end }}{{ template "T" .Count }}{{ template "T" }}', "[42][<no value>]"),
        ('{{ block "B" .Name }}{{ len . }}{{ end }}', "16"),
        ('{{ template "later" 1 }}{{ define "later" }}{{ . }}{{ $ }}{{ end }}', "11"),
        ('{{ define "e" }} {{ end }}{{ define "e" }}full{{ end }}{{ template "e" }}', "full"),
        # pipelines and functions
        ('{{ "a" | double | double }}', "aaaa"),
        ('{{ double (double "a") }}', "aaaa"),
        ('{{ (double "a") | len }}', "2"),
        ("{{ takes 1 2 3.0 true }}", "(1, 2, 3.0, True)"),
        ("{{ takes 1.0 'a' 4 }}", "(1, 97, 4.0)"),
        ("{{ and 1 0 2 }}{{ and 1 2 }}{{ or 0 `` 3 }}{{ or 0 .Empty }}", "023[]"),
        ("{{ or 1 (index .Match 9) }}{{ and 0 (index .Match 9) }}", "10"),
        ("{{ 3 | and 1 }}{{ 3 | or 0 }}", "33"),
        ("{{ not 0 }}{{ not .Yes }}", "truefalse"),
        ('{{ len .Name }}{{ len "é" }}{{ len .Match }}{{ len .Group }}', "16232"),
        ('{{ index .Match 1 }}{{ index .Group "x" }}{{ index .Group "y" }}{{ index "abc" 1 }}{{ index .Match }}',
         "a798[whole a bb]"),
        ('{{ slice .Name 4 }}{{ slice .Name 0 3 }}{{ slice .Match 1 2 }}{{ slice "éa" 2 }}{{ slice .Match 0 1 2 }}',
         "example.org.www[a]a[whole]"),
        ("{{ eq 1 1 }}{{ eq 1 2 1 }}{{ eq .Type 16 }}{{ ne `a` `b` }}{{ eq .Nothing nil }}{{ eq `a` .Nothing }}",
         "truetruetruetruetruefalse"),
        ("{{ eq 1 1 `a` }}", "true"),
        ("{{ lt 1 2 }}{{ le 2 2 }}{{ gt 1 2 }}{{ ge 2 2 }}{{ lt `a` `b` }}", "truetruefalsetruetrue"),
        ("{{ call .Double 21 }}", "42"),
        ('{{ print 1 2 "a" 3 4 }}|{{ println 1 "a" }}|{{ print nil }}', "1 2a3 4|1 a\n|<nil>"),
        ("{{ html `<a href='x'>&` }}", "&lt;a href=&#39;x&#39;&gt;&amp;"),
        ("{{ js `it's \"<é\n` }}", "it\\'s \\\"\\u003Cé\\u000A"),
        ("{{ urlquery `a b/é` 1 .Nothing }}", "a+b%2F%C3%A91%3Cno+value%3E"),
    ],
)  # fmt: skip
def test_render(text: str, result: str) -> None:
    assert render(text) == result


@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        ('"%d %5d|%-5d|%05d|%+d|% d" 1 2 3 4 5 6', "1     2|3    |00004|+5| 6"),
        ('"%x %X %#x %o %#o %O %b %c %q %U %#U" 255 255 255 8 8 8 5 97 97 233 233',
         "ff FF 0xff 10 010 0o10 101 a 'a' U+00E9 U+00E9 'é'"),
        ('"%6.3d|%.0d|%+.2d" 42 0 7', "   042||+07"),
        ('"%s|%5s|%-5s|%.2s|%q|%x|% x|%#q|%05s" "abc" "abc" "abc" "abc" "a\\"b" "abc" "abc" "abc" "abc"',
         'abc|  abc|abc  |ab|"a\\"b"|616263|61 62 63|`abc`|00abc'),
        ('"%+q %q" "é" "\\x00\\xff\\n"', '"\\u00e9" "\\x00\\xff\\n"'),
        ('"%t %v %5t" true false true', "true false  true"),
        ('"%f %.2f %8.3f|%08.3f|%e %g %G %.3g" 1.5 1.5 1.5 -1.5 1500.0 1e21 1e-7 123456.0',
         "1.500000 1.50    1.500|-001.500|1.500000e+03 1e+21 1E-07 1.23e+05"),
        ('"%v %v %v" 123456789.0 0.0001 1234567.0', "1.23456789e+08 0.0001 1.234567e+06"),
        ('"%b %x" 1.0 1.5', "4503599627370496p-52 0x1.8p+00"),
        ('"%v %v %d %s" .Match .Group .Empty .Match', "[whole a bb] map[a:first x:7] [] [whole a bb]"),
        ('"%T %T %T %T %T" 1 .Type "a" .Match nil', "int uint64 string []string <nil>"),
        ('"%*d|%-*d|%.*f" 4 1 4 2 1 2.55', "   1|2   |2.5"),
        ('"%[2]d %[1]d" 1 2', "2 1"),
        ('"%d%%" 5', "5%"),
        ('"%d" "a"', "%!d(string=a)"),
        ('"%z %s" 1 2', "%!z(int=1) %!s(int=2)"),
        ('"%d %d" 1', "1 %!d(MISSING)"),
        ('"%d" 1 2 "x"', "1%!(EXTRA int=2, string=x)"),
        ('"%[3]d %[x]d" 1', "%!d(BADINDEX) %![(int=1)x]d"),
        ('"%" ', "%!(NOVERB)"),
        ('"%*d" "a" 1', "%!(BADWIDTH)1"),
        ('"%.*d" "a" 1', "%!(BADPREC)1"),
        ('"%v %d" nil nil', "<nil> %!d(<nil>)"),
        ('"%v" .', "{data}"),
        ('"%#v %#v %#v" 16 .Type "a"', '16 0x10 "a"'),
        ('"%v %.1f" 1+2i 1+2i', "(1+2i) (1.0+2.0i)"),
    ],
)  # fmt: skip
def test_printf(arguments: str, result: str) -> None:
    assert render(f"{{{{ printf {arguments} }}}}") == result


@pytest.mark.parametrize(
    ("text", "line", "column", "why"),
    [
        ("{{", 1, 3, "unclosed action"),
        ("a\nb {{ .Name", 2, 5, "unclosed action"),
        ("{{ if }}", 1, 7, "missing value for if"),
        ("{{ if 1 }}", 1, 11, "'end' is missing"),
        ("{{ end }}", 1, 4, "unexpected 'end'"),
        ("{{ else }}", 1, 4, "unexpected 'else'"),
        ("{{ if 1 }}{{ else }}{{ else }}{{ end }}", 1, 24, "unexpected 'else'"),
        ("{{ with 1 }}{{ else if 2 }}{{ end }}", 1, 21, "unexpected 'if'"),
        ("{{ break }}", 1, 4, "break outside of range"),
        ("{{ nope }}", 1, 4, "function 'nope' is not defined"),
        ("{{ $x }}", 1, 4, "undefined variable $x"),
        ("{{ if true }}{{ $x := 1 }}{{ end }}{{ $x }}", 1, 39, "undefined variable"),
        ("{{ $x, $y := .Match }}", 1, 6, "too many variables"),
        ("{{ range $x, $y, $z := .Match }}{{ end }}", 1, 16, "too many variables"),
        ("{{ 1 | 2 }}", 1, 8, "constant cannot be given a value"),
        ("{{ 1.Name }}", 1, 5, "constant has no fields"),
        ("{{ .Name + 1 }}", 1, 10, "bad number +"),
        ("{{ $x+2 }}", 1, 4, "cannot have"),
        ("{{ (1 }}", 1, 7, "unclosed left parenthesis"),
        ("{{ 1) }}", 1, 5, "unexpected right parenthesis"),
        ('{{ "a }}', 1, 4, "unterminated string"),
        ("{{ `a }}", 1, 4, "unterminated raw string"),
        ("{{ 'a }}", 1, 4, "unterminated character"),
        ("{{ 'ab' }}", 1, 4, "not one character"),
        (r'{{ "\q" }}', 1, 4, "unknown escape"),
        (r'{{ "\ud800" }}', 1, 4, "no character"),
        (r'{{ "\400" }}', 1, 4, "no octet"),
        ("{{ 1__0 }}", 1, 4, "bad number"),
        ("{{ 99999999999999999999 }}", 1, 4, "more than 64 bits"),
        ("{{ 1e999 }}", 1, 4, "bad number"),
        ("{{/* a }}", 1, 3, "unclosed comment"),
        ("{{/* a */ 1 }}", 1, 3, "alone between its braces"),
        ("{{ # }}", 1, 4, "unexpected '#'"),
        ("{{ é# }}", 1, 4, "cannot have"),
        ("{{ template x }}", 1, 13, "unexpected 'x' in template"),
        ('{{ if 1 }}{{ define "x" }}{{ end }}{{ end }}', 1, 14, "unexpected 'define'"),
        ('{{ define "x" }}a{{ end }}{{ define "x" }}b{{ end }}', 1, 47, "defined twice"),
        ("{{ " + "(" * 51 + "1" + ")" * 51 + " }}", 1, 54, "50 levels"),
        ("{{ if 1 }}" * 51, 1, 504, "50 levels"),
        ("{{ nil.x }}", 1, 7, "constant has no fields"),
        ("{{ | 1 }}", 1, 4, "unexpected '|'"),
        ("{{ 1 , 2 }}", 1, 6, "unexpected ','"),
    ],
)
def test_no_template(text: str, line: int, column: int, why: str) -> None:
    with pytest.raises(TemplateSyntaxError) as caught:
        compile_template(text, "t", FUNCTIONS)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{{ .Nope }}", "t:1:4: no field Nope in *data"),
        ("{{ .Name.X }}", "no field X in string"),
        ("{{ index .Match 5 }}", "index: index out of range: 5"),
        ("{{ index .Match 3 }}", "out of range: 3 of 3"),
        ("{{ index .Match -1 }}", "out of range: -1"),
        ("{{ index .Match `a` }}", "string is no index"),
        ("{{ index .Group 1 }}", "int is no key"),
        ("{{ index nil 1 }}", "index of nil"),
        ("{{ index 1 1 }}", "int has no index"),
        ("{{ slice .Name 5 2 }}", "slice from 5 to 2"),
        ("{{ slice .Name 1 2 3 }}", "too many indexes"),
        ("{{ slice 1 }}", "slice of int"),
        ("{{ len 1 }}", "len of int"),
        ("{{ eq 1 `a` }}", "int and string cannot be compared"),
        ("{{ eq 1 }}", "nothing to compare with"),
        ("{{ eq .Match .Match }}", "[]string cannot be compared"),
        ("{{ lt true false }}", "no order"),
        ("{{ lt 1 `a` }}", "no order"),
        ("{{ double 1 }}", "1 for string"),
        ("{{ double .Count }}", "int for string"),
        ("{{ double }}", "double: wrong number of arguments: 0 for 1"),
        ('{{ double "a" "b" }}', "2 for 1"),
        ('{{ double "no" }}', "double: not this one"),
        ("{{ takes 1.5 1 1.0 }}", "1.5 for int"),
        ("{{ takes 1 -1 1.0 }}", "-1 for uint"),
        ("{{ double nil }}", "nil for string"),
        ("{{ nil }}", "nil is not a command"),
        ("{{ 1 2 }}", "no function"),
        ("{{ `a` | .Name }}", "Name, which is no method"),
        ("{{ .Meta }}", "Meta: wrong number of arguments: 0 for 1"),
        ("{{ .Meta 1 }}", "1 for string"),
        ("{{ 18446744073709551615 }}", "overflows int"),
        ("{{ range .Name }}{{ end }}", "range over string"),
        ("{{ range $i, $x := 3 }}{{ end }}", "one variable only"),
        ('{{ template "nope" }}', "'nope' is not defined"),
        ('{{ define "T" }}{{ template "T" }}{{ end }}{{ template "T" }}', "more than 30 templates"),
        ("{{ $x = 1 }}", "undefined variable"),
        ("{{ and 0 ($x := 1) }}{{ $x }}", "variable $x has no value"),
        ("{{ call .Name }}", "call of string"),
        ("{{ call .Double `a` }}", "string for int"),
        ("{{ call .Double }}", "0 for 1"),
        ("{{ and }}", "without arguments"),
        ("\n\n {{ .Nope }}", "t:3:5: "),
        ("{{ 1" + " | print" * 2000 + " }}", "too deep"),
    ],
)
def test_what_does_not_fit(text: str, why: str) -> None:
    template = compile_template(text, "t", FUNCTIONS)
    with pytest.raises(ExecutionError) as caught:
        template.render(Data())
    assert why in str(caught.value)


def test_functions_take_the_place_of_builtin_ones() -> None:
    mine = {"len": Function(lambda _: "mine", ("any",)), "and": Function(lambda *values: str(values), (), "any")}
    assert compile_template("{{ len 1 }}{{ and 0 2 }}", functions=mine).render(None) == "mine(0, 2)"


def test_a_function_that_is_data_is_not_called_before_call() -> None:
    data = {"f": Function(lambda: "called")}
    assert compile_template("{{ if .f }}{{ call .f }}{{ end }}").render(data) == "called"


def test_values_of_other_types_are_their_text() -> None:
    class Word(str):
        __slots__ = ()

    data = {"word": Word("a"), "function": Function(lambda: "")}
    assert compile_template("{{ .word }}{{ printf `%s %q %T` .word .word .word }}").render(data) == 'aa "a" func'
    assert "%!d(" in compile_template("{{ printf `%d` .function }}").render(data)


def test_equal_by_name_and_text() -> None:
    assert compile_template("{{ 1 }}") == compile_template("{{ 1 }}")
    assert len({compile_template("a"), compile_template("a"), compile_template("a", "b")}) == 2
    assert compile_template("a") != compile_template("b")
    assert repr(compile_template("a")) == "Template('template', 'a')"


_PIECES = st.sampled_from(
    ["{{", "}}", "{{- ", " -}}", " ", "if ", "else", "end", "range ", "with ", ".Name", ".Match", "$x", ":=", "|", "(",
     ")", "1", '"a"', "`", "'a'", "printf ", '"%d"', "index ", "/*", "*/", "define ", "template ", "break", "$", ".",
     ","]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(_PIECES, max_size=20).map("".join), st.lists(_PIECES).map("{{{{{}}}}}".format)))
def test_any_text_is_a_template_or_the_declared_error(text: str) -> None:
    try:
        result = render(text)
    except TemplateError as error:
        assert str(error) == f"t:{error.line}:{error.column}: {error.why}"  # noqa: PT017 - some texts are templates
    else:
        assert "{{" in text or result == text


@given(st.text(alphabet="%dsxvq[]*.0123+-# z", max_size=12), st.lists(st.one_of(st.none(), st.integers(), st.text())))
def test_any_format_gives_text(form: str, values: list[object]) -> None:
    data = {"form": form, "values": values}
    assert isinstance(compile_template("{{ printf .form .values }}").render(data), str)
