"""Tests of the show."""
