"""corepy: a Corefile-compatible DNS server.

One idea: a query is bytes with questions asked of it; a reply is a value that returns up the chain. The way of a
query over UDP, each step with the module where it can be read:

    a batch of datagrams           datagram    recvmmsg: (octets, peer, our address)
      |
      v
    the door, if there is one      door        a header or a session tells the client; a header alone stops here
      |
      v
    Query(octets, client)          query       header and question in place; Malformed: FORMERR, or silence
      |
      v
    listener.answer(query)         listener    class, EDNS version
      |
      v
    the site with the longest zone router      none: REFUSED
      |
      v
    plugin -> plugin -> plugin     chain       each answers, calls self.next(query), or awaits it
      |                                        a Reply goes on at once; a Deferred or a coroutine when it is there
      v
    finish(query, reply)           finish      EDNS as the client spoke it, its size; a signature if one is due
      |
      v
    the outbox, sent as a batch    datagram    sendmmsg: to the peer, from the address that was asked

Replies go to the peer; plugins see the client. `reply` is what they return. `ports` holds the loop that takes these
steps, `stream` the same for TCP. A Corefile becomes sites, chains and listeners in `corefile`, `directive`, `registry`
and `site`; `server` opens ports for them and swaps configurations; `process` is the command's life, with its signals.
With `multisocket` a `server` runs in each of several processes, and `workers` supervises them.
"""

__version__ = "0.1.0"
