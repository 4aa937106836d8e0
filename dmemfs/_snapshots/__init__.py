"""Snapshot, restore, rollback; reading and comparing the past."""
