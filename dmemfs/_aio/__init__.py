"""Waiting without a thread: what runs coroutines, locks, file objects."""
