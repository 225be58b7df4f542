"""A flow as data: what it consists of, how it is edited, compared, laid out and kept in files.

Nothing here knows components, expressions or how a flow runs; a flow may be nonsense and is data all the same.
"""
