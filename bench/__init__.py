"""corepy beside other name servers, on this machine: `python -m bench`.

scenarios    what is asked, and of what
servers      the programs there are, and how each is told to serve a scenario
processes    starting them, and what they use
agreement    whether they give the same answers
dnsperf      the load
measure      all of it, in turns
report, plot what came of it, as a table, JSON and a drawing
"""
