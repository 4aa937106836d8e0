"""Databases carried in and out."""
