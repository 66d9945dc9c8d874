"""The compiled part of the history: records in arrays and the sequential loop over them.

Read in this order: `layout` (what lies in memory), `measures` (what can be read), `loop` (the hot path), then the parts
it is made of: `entities`, `table`, `arena`, `ring`, `buckets`, `days`, `recent`, `columns`, `tidy`, `prefetch`.
"""
