"""The history of the tables, one revision per file in `versions`. Run by `csms.storage.migration`.

A new revision is a module `versions/rNNNN_what.py` with `revision`, `down_revision`, `upgrade` and
`downgrade`; it spells out what it does and never imports `tables`, which goes on changing.
"""
