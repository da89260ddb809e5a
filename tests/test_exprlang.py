"""The expression language: what texts mean, and where they are wrong."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy.exprlang import ANY, BOOL, INT, STRING, EvaluationError, ExpressionError, Function, array
from corepy.exprlang.program import compile_expression

FUNCTIONS = {
    "name": Function((), STRING, lambda context: context["name"]),
    "size": Function((), INT, lambda context: context["size"]),
    "twice": Function((INT,), INT, lambda _context, number: 2 * number),
    "word": Function((STRING,), STRING, lambda _context, text: text),
    "thing": Function((), ANY, lambda context: context["thing"]),
    "words": Function((array(STRING),), INT, lambda _context, words: len(words)),
}
CONTEXT: dict[str, Any] = {"name": "www.example.org.", "size": 40, "thing": None}


def run(text: str, **context: Any) -> Any:
    return compile_expression(text, FUNCTIONS).run(CONTEXT | context)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("nil", None),
        ("1_000", 1000),
        ("0x1F + 0b11 + 0o17", 49),
        (".5 + 1e2 + 1.", 101.5),
        ("'it\\'s' + \"\\x41\\u0042\\u{43}\\U00000044\\101\\n\"", "it'sABCDA\n"),
        ("`a\\n``b`", "a\\n`b"),
        ("1 + 2 * 3 - 4", 3),
        ("2 ** 3 ** 2", 512.0),
        ("-2 ^ 2", -4.0),
        ("7 / 2", 3.5),
        ("-7 % 3", -1),
        ("1 / 0", math.inf),
        ("-1 / 0", -math.inf),
        ("not true or true", True),
        ("!false && true", True),
        ("1 < 2 <= 2", True),
        ("3 > 2 > 2", False),
        ("1 == 1.0", True),
        ("nil == 'x'", False),
        ("name() == 'www.example.org.'", True),
        ("name() matches '^www\\\\.'", True),
        ("name() matches ('^' + 'w')", True),
        ("name() not matches 'net'", True),
        ("name() contains 'example' and name() startsWith 'www' and name() endsWith 'org.'", True),
        ("size() in [1, 40]", True),
        ("name() in ['a', 'b']", False),
        ("name() not in ['a', 'b']", True),
        ("not (40 in 1..39)", True),
        ("'a' in {a: 1}", True),
        ("1 in thing()", False),
        ("[1, 'a', true][2]", True),
        ("{a: {b: 7}}.a.b", 7),
        ("{'a b': 1}['a b']", 1),
        ("{(name()): 1}[name()]", 1),
        ("{a: 1}.b ?? 5", 5),
        ("{a: 1}.b?.c", None),
        ("thing()?.x", None),
        ("thing()?.[1]", None),
        ("[1, 2, 3][-1]", 3),
        ("[1, 2, 3][1:]", [2, 3]),
        ("name()[:3]", "www"),
        ("[1, 2, 3,][:]", [1, 2, 3]),
        ("true ? 1 : 2", 1),
        ("false ? 1 : true ? 2 : 3", 2),
        ("if size() > 9 { 'big' } else if true { 'small' } else { '' }", "big"),
        ("let x = size(); let y = x + 1; x * y", 1640),
        ("1; 2;", 2),
        ("let x = (1; 2); 3; x", 2),
        ("if true { 1; 2 } else { 3 }", 2),
        ("[1] in [[1.0]]", True),
        ("[1] == ['a']", False),
        ("{a: 1} == {a: 1.0}", False),
        ("{a: [1, {b: 2}]} == {a: [1, {b: 2}]}", True),
        ("{a: 1, a: 2}.a", 1),
        ("9223372036854775807 + 1", -(2**63)),
        ("-9223372036854775807 - 2", 2**63 - 1),
        ("4611686018427387904 * 2", -(2**63)),
        ("sum([9223372036854775807, 1])", -(2**63)),
        ("2.0 ** 99999", math.inf),
        ("(-2.0) ** 99999", -math.inf),
        ("0 ** -1", math.inf),
        ("thing() matches 'a'", False),
        ("name() matches thing()", False),
        ("thing() contains 'a'", False),
        ("'a' startsWith thing()", False),
        ("nil ?? nil ?? 3", 3),
        ("['a', 'b'] | join() ?? 'c'", "ab"),
        ("'äöü'[:2] + 'äöü'[2:]", "äöü"),
        ("len('äöü')", 3),
        ("indexOf('äb', 'b') + lastIndexOf('äb', 'b')", 4),
        ("upper('aß') + lower('AÄ')", "Aßaä"),
        ("split('abc', '', 2)", ["a", "bc"]),
        ("split('a', '', 2)", ["a"]),
        ("split('a,b', ',', 0)", []),
        ("splitAfter('a,b,c', ',', 2)", ["a,", "b,c"]),
        ("int('+5') + int('-5')", 0),
        ("[float('0x1p-2'), float('1e3')]", [0.25, 1000.0]),
        ("string([1, 'a', 1.0, nil]) + string({b: 1, a: 2})", "[1 a 1 <nil>]map[a:2 b:1]"),
        ("[max([]), min([])]", [None, None]),
        ("[mean([]), median([])]", [0.0, 0.0]),
        ("[floor(1 / 0), round(-0.5) * 2]", [math.inf, -2.0]),
        ("groupBy(['a', 'bb', 'c'], len(#))[1]", ["a", "c"]),
        ("sortBy(['bb', 'a', 'ccc'], len(#))", ["a", "bb", "ccc"]),
        ("sortBy(['bb', 'a'], len(#), 'desc')", ["bb", "a"]),
        ("sortBy([{a: 2}, {a: 1}], .a) | map(.a)", [1, 2]),
        ("toPairs({a: 1})", [["a", 1]]),
        ("fromPairs([['a', 1], ['b', 2]])", {"a": 1, "b": 2}),
        ("toJSON({b: [1, 1.0, 1e20, 1e21, 1e-7, nil, true], a: {}, c: []})", """{
  "a": {},
  "b": [
    1,
    1,
    100000000000000000000,
    1e+21,
    1e-7,
    null,
    true
  ],
  "c": []
}"""),
        ("toJSON('<a>&')", '"\\u003ca\\u003e\\u0026"'),
        ("fromJSON('{\"a\": [1, null]}').a", [1.0, None]),
        ("toBase64('hällo') + fromBase64('aGk=')", "aMOkbGxvhi"),
        ("// a comment\n1 /* and\nanother */ + 1", 2),
        ("name() | lower() | split('.') | len()", 4),
        ("::twice(2)", 4),
        ("twice(2)", 4),
        ("words(split(name(), '.'))", 4),
        ("any([1, 2], # > 1)", True),
        ("all([1, 2], {# > 1})", False),
        ("none([1, 2], # > 2)", True),
        ("one([1, 2], # > 1)", True),
        ("count([1, 2, 3], # > 1)", 2),
        ("count([true, false])", 1),
        ("filter([1, 2, 3], #index > 0)", [2, 3]),
        ("map(['a', 'b'], upper(#))", ["A", "B"]),
        ("map([{a: 1}], .a)", [1]),
        ("sum([1, 2])", 3),
        ("sum(['a', 'bb'], len(#))", 3),
        ("find([1, 2, 3], # > 1)", 2),
        ("find([1], # > 1)", None),
        ("findIndex([1, 2], # > 1)", 1),
        ("findLast([1, 2, 3], # < 3)", 2),
        ("findLastIndex([1, 2, 3], # > 5)", None),
        ("reduce([1, 2, 3], #acc + #)", 6),
        ("reduce([1, 2, 3], #acc + #, 10)", 16),
        ("map([[1], [2, 3]], count(#, # > 1))", [0, 2]),
        ("trim('  a ') + trim('xax', 'x') + trimPrefix('ab', 'a') + trimSuffix('ab', 'b')", "aaba"),
        ("split('a,b,c', ',', 2)", ["a", "b,c"]),
        ("replace('aaa', 'a', 'b', 2) + repeat('x', 2)", "bbaxx"),
        ("join(['a', 'b'], '-')", "a-b"),
        ("indexOf('abc', 'c') + lastIndexOf('aba', 'a')", 4),
        ("hasPrefix('ab', 'a') && hasSuffix('ab', 'b')", True),
        ("abs(-1) + int('2') + int(3.9)", 6),
        ("[ceil(1.2), floor(1.8), round(-1.5), float('2')]", [2.0, 1.0, -2.0, 2.0]),
        ("string(1) + string(true) + string(nil) + string(1.5)", "1true<nil>1.5"),
        ("max(1, [3, 2]) + min([2, 1])", 4),
        ("[mean([1, 2]), median(1, 2, 3)]", [1.5, 2.0]),
        ("[first([1, 2]), last([1, 2]), first([]), last([])]", [1, 2, None, None]),
        ("[get([1], 5), get({a: 1}, 'a'), get([1], 0)]", [None, 1, 1]),
        ("take([1, 2, 3], 2)", [1, 2]),
        ("[keys({a: 1}), values({a: 1})]", [["a"], [1]]),
        ("reverse(uniq([1, 2, 1, true]))", [True, 2, 1]),
        ("concat([1], [2])", [1, 2]),
        ("flatten([1, [2, [3]]])", [1, 2, 3]),
        ("sort([2, 1], 'desc')", [2, 1]),
        ("[bitand(6, 3), bitor(6, 3), bitxor(6, 3), bitnand(6, 3), bitnot(0)]", [2, 7, 5, 4, -1]),
        ("[bitshl(1, 63), bitshr(-4, 1), bitushr(-1, 63)]", [-(2**63), -2, 1]),
        (" or ".join([f"name() == '{number}'" for number in range(1000)]), False),
    ],
)
def test_values(text: str, value: object) -> None:
    result = run(text)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        ("", 0, "unexpected the end"),
        ("type() ==", 9, "unexpected the end"),
        ("1 2", 2, "unexpected '2'"),
        ("1 +", 3, "unexpected the end"),
        ("(1", 2, "unexpected the end"),
        ("[1 2]", 3, "unexpected '2'"),
        ("{1", 2, "unexpected the end"),
        ("{+: 1}", 1, "unexpected '+'"),
        ("a @ b", 2, "unexpected character '@'"),
        ("'abc", 0, "a string without end"),
        ("`abc", 0, "a string without end"),
        ("'\\q'", 1, "a backslash in front of 'q' (write two for one)"),
        ("'\\", 1, "a backslash that escapes nothing"),
        ("'\\U99999999'", 1, "no character \\U99999999"),
        ("12x", 0, "bad number '12x'"),
        ("0x_", 0, "bad number '0x_'"),
        ("99999999999999999999", 0, "the number '99999999999999999999' is too large"),
        ("nothing", 0, "unknown name 'nothing'"),
        ("name == 'x'", 5, "'==' does not take a function without parentheses and a string"),
        ("nothing()", 0, "unknown function 'nothing'"),
        ("nam()", 0, "unknown function 'nam' (did you mean \"name\"?)"),
        ("1 + 'a'; true", 2, "'+' does not take a int and a string"),
        ("nothing(); true", 0, "unknown function 'nothing'"),
        ("1 in nil", 2, "'in' does not take a int and a nil"),
        ("'abc'[0]", 5, "a string has no parts"),
        ("len(1)", 4, "'len' takes a string, array or map here and no int"),
        ("int(true)", 4, "'int' takes a number, string or duration here and no bool"),
        ("max('a')", 4, "'max' takes a number, duration or array here and no string"),
        ("get('abc', 1)", 4, "'get' takes a array or map here and no string"),
        ("1e309", 0, "the number '1e309' is too large"),
        ("'\\\"'", 1, "a backslash in front of '\"' (write two for one)"),
        ("sortBy([1], #, 1)", 15, "'sortBy' takes a string here and no int"),
        ("{a: 1}.a ?? 1 + 1", 14, "'+' and '??' need parentheses between them"),
        ("# > 1", 0, "unexpected '#'"),
        ("any([1], #x)", 9, "unknown pointer '#x'"),
        ("name() == 1", 7, "'==' does not take a string and a int"),
        ("name() < 1", 7, "'<' does not take a string and a int"),
        ("1 + 'a'", 2, "'+' does not take a int and a string"),
        ("1.5 % 2", 4, "'%' does not take a float64 and a int"),
        ("true - 1", 5, "'-' does not take a bool and a int"),
        ("1 in ['a']", 2, "'in' does not take a int and a []string"),
        ("1 in 2", 2, "'in' does not take a int and a int"),
        ("1 .. 'a'", 2, "'..' does not take a int and a string"),
        ("1 matches 'a'", 2, "'matches' does not take a int and a string"),
        ("name() matches 'a('", 15, "no regular expression"),
        ("true and 1", 5, "'and' does not take a int"),
        ("not 1", 0, "'not' does not take a int"),
        ("-'a'", 0, "'-' does not take a string"),
        ("1 ? 2 : 3", 2, "a condition of type int and not bool"),
        ("size().a", 7, "a int has no parts"),
        ("[1]['a']", 3, "a []int has no part that is named by a string"),
        ("[1].len()", 4, "a []int has no method 'len'"),
        ("[1].+", 4, "expected a name and not '+'"),
        ("1[1:2]", 1, "a int cannot be sliced"),
        ("[1]['a':]", 3, "a bound that is no int"),
        ("{(1): 2}", 2, "a key of type int and not string"),
        ("twice()", 0, "'twice' takes 1 arguments and not 0"),
        ("twice('a')", 6, "'twice' takes a int here and no string"),
        ("trim('a', 'b', 'c')", 0, "'trim' takes 1 or more arguments and not 3"),
        ("any(1, true)", 0, "'any' takes an array and no int"),
        ("any([1])", 0, "'any' lacks an argument"),
        ("any([1], #)", 0, "'any' takes a predicate of type bool and not int"),
        ("let name = 1; 2", 4, "the name 'name' is taken"),
        ("let x = 1", 9, "unexpected the end"),
        ("nil ?? 1 + 2", 9, "'+' and '??' need parentheses between them"),
        ("(" * 60 + "1" + ")" * 60, 50, "nested more than 50 times"),
        ("{}" + ".a" * 200, 201, "too complex"),
    ],
)
def test_mistakes(text: str, at: int, words: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, FUNCTIONS)
    assert str(caught.value).startswith(words)
    assert caught.value.at == at


@pytest.mark.parametrize(
    "text",
    [
        "[1][5]", "thing().x", "thing() + 1", "thing() < 1", "not thing()", "thing() and true", "thing() ? 1 : 2",
        "1 % 0", "1..1000000", "(1 % 0; true)", "int(' 5')", "float(' 1')", "float('x')", "take([1], -1)",
        "repeat('x', 9999999)", "int('x')", "int('1_0')", "int('9223372036854775808')", "twice(thing())",
        "word(thing())", "words([thing()])", "1 matches thing()", "name() matches ('a' + '(')",
        "trim(first(filter([name()], false)))", "sort([true, false])", "sort([1, 'a'])", "sortBy([1, 'a'], #)",
        "sortBy([1], #, 'up')", "groupBy([1], [#])", "fromPairs([1])", "fromPairs([[1]])", "toJSON(1 / 0)",
        "toJSON(groupBy([1], #))", "fromJSON('x')", "fromJSON('NaN')", "fromBase64('!')", "name()[0]",
        "{a: name()}.a[0]", "repeat('x', 1000000)", "sum([1, thing()])", "any([thing()], #)", "map(thing(), #)",
        "reduce([], #)", "sort([1], 'up')", "bitshl(1, -1)", "thing() in 'a'", "join([thing()])", "median()[0]",
    ],
)  # fmt: skip
def test_what_has_no_value(text: str) -> None:
    with contextlib.suppress(ExpressionError):
        program = compile_expression(text, FUNCTIONS)
        with pytest.raises(EvaluationError):
            program.run(CONTEXT | {"thing": {"x": 1}} if text == "thing() < 1" else CONTEXT)


TEXT = """
    name() size() thing() 1 'a' true nil + - * / ( ) [ ] { } , : ? ?. ?? | ; let x = in not and or matches # . .. any(
    all( map( len( == < if else
"""
WORDS = st.sampled_from(TEXT.split())


@given(st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=20).map(" ".join)))
def test_any_text_is_a_program_or_the_declared_error(text: str) -> None:
    wrong: ExpressionError | None = None
    try:
        program = compile_expression(text, FUNCTIONS)
    except ExpressionError as error:
        wrong = error
    if wrong is not None:
        assert 0 <= wrong.at <= len(text)
        return
    with contextlib.suppress(EvaluationError):
        program.run(CONTEXT)


def test_a_program_can_run_again_and_within_itself() -> None:
    program = compile_expression("let x = size(); map([1, 2], # + x)", FUNCTIONS)
    assert [program.run(CONTEXT | {"size": size}) for size in (1, 2)] == [[2, 3], [3, 4]]
    assert str(program.type) == "[]int"
    assert str(compile_expression("name() == 'a'", FUNCTIONS).type) == str(BOOL)
