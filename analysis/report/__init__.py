"""The page of a report, made of records, series and kept boards alone. Nothing here runs a protocol or a method.

`material` is what a page is made of, `points` and `problems` put records together, `verdict`, `provable`,
`exponents` and `network` work out what is said, `answers` and `judging` say it, `drawing` says what plotly draws,
`page` and `markdown` write it down.
"""
