"""DeFi hedge monitor: says when to add a layer of protection, how large, at what cost, and if not now, why not.

The flow: in, think, out.

    collectors -> observations -> event log -> engine (rules, gates) -> effects -> ledger and outbox -> sinks

Imports run down this list, never up, and never between siblings (pyproject.toml holds it).

    cli/            commands, one file each
    replay/         time-shifting: the same pipeline fed from the log
    collectors/     in: one file, one source; thin poll, pure parse
    sinks/          out: metrics, webhooks, the HTTP port and its page
    store/          the append-only event log, ledger and outbox, one transaction
    rules/          think: one file, one trigger
    gates/          think: one file, one gate
    early.py        answers on the port until the face does
    resources.py    the folders that ship beside the code
    core/           think: observations, market, maths, ledger, engine
    errors.py       errors, named by who can mend them

Invariants:

- One event is one engine step is one transaction.
- Time is data: `now` is the event's `known_at`; core, rules and gates read no clock, file, socket or dice.
- Live and replay differ only in the feed.
- A decision once made is a fact: a restart loads it and never recomputes it.
- What is not known is UNKNOWN, never zero.
"""

__version__ = "0.1.0"
