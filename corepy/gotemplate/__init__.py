"""Go's template language (`text/template`), for Corefiles that were written for it. Knows nothing of corepy.

    greeting = compile_template("hello {{ .Name }}{{ if gt (len .Tags) 1 }}, {{ index .Tags 0 }}{{ end }}")
    greeting.render({"Name": "world", "Tags": ["a", "b"]})

`compile_template` reads a text once and turns it into closures; it raises `TemplateSyntaxError`, a ValueError, with
line and column. `Template.render` raises `ExecutionError`, a ValueError too, where the data does not fit. All of the
language is there: text and trimming, comments, pipelines, variables, if, else, range, break, continue, with, define,
template, block, and the builtin functions with `printf`'s verbs.

Go's values are Python's here: bool, int (`Uint` for unsigned ones), float, complex, str for strings (invalid UTF-8 as
lone surrogates, "surrogateescape"), list and tuple for slices, dict for `map[string]string`, and None for nil and for
what is missing. Objects with fields and methods are `Struct`s. Strings have lengths and indexes in octets.

Other than in Go: structs print as `str()` says, whatever the verb; `%#` changes nothing for floating point numbers and
`%#v` nothing for maps and slices; all unsigned integers are uint64; templates call each other 30 deep, and
nest 50 levels.
"""

from corepy.gotemplate.errors import ExecutionError, TemplateError, TemplateSyntaxError
from corepy.gotemplate.template import Template, compile_template
from corepy.gotemplate.values import Function, Struct, Uint

__all__ = [
    "ExecutionError",
    "Function",
    "Struct",
    "Template",
    "TemplateError",
    "TemplateSyntaxError",
    "Uint",
    "compile_template",
]
