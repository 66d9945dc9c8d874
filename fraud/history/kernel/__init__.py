"""The compiled part of the history: records in arrays and the sequential loop over them.

Read in this order: `layout` (what lies in memory), `measures` (what can be read), `update` (the hot path), then the
parts it is made of: `event_measures`, `entities`, `hash_table`, `allocator`, `ring`, `buckets`, `sharing`, `dedupe`,
`watermark`, `eviction`, `prefetch`, and a shop's `own_entities` and `values`; and `soundness` of arrays from outside.
"""
