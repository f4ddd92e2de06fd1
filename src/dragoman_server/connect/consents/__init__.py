"""Front channels: how a browser is sent to a provider and what is made of its return, one file per kind of consent.

`authorize` begins and finishes them; the state, its cookie and the storing are the same for all.
"""
