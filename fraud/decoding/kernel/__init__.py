"""The compiled reader: a batch's bytes to columns, without a Python object for a record.

Functions over arrays only. What is unusual in a record makes its row odd, and `fraud.decoding.decoder` reads it again.
"""
