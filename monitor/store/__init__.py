"""Append-only log, decisions, ledger, outbox and inbox in one transaction."""
