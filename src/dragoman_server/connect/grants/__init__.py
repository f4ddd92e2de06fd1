"""Ways to obtain a credential, one file per RFC or mode. Pure: they build requests and read answers, nobody is called.

Catalogue entries are read through their raw keys; a template that stays unresolved is an error naming the template.
"""
