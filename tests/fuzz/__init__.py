"""Inputs that nobody meant: files changed at random. Whatever reads them ends in a result or in a message."""
