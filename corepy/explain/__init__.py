"""Why a query gets the reply that it gets: one question, asked of a Corefile that nobody serves.

    explanation = await explain(corefile.load(text, "Corefile"), Asked(wire, Address.of("192.0.2.1", 4242)))
    print(as_text(explanation))

The question goes the whole way that it would go in a server: the door of the listener, the router, the chain, the
plugins' own code. What is not there is the network: endpoints are not opened, and in place of upstreams stand stubs
that say what they would have been asked, unless it is to be asked in truth.
"""

from corepy.explain.question import Asked, Explanation, explain, explain_each, places
from corepy.explain.report import as_json, as_text, message_values, table
from corepy.explain.stubs import Stubs
from corepy.explain.trace import Step, Trace

__all__ = [
    "Asked", "Explanation", "Step", "Stubs", "Trace", "as_json", "as_text", "explain", "explain_each", "message_values",
    "places", "table",
]  # fmt: skip
