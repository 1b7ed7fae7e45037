"""Clocks of asynchronous methods: one a file, found by listing this folder."""
