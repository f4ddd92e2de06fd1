"""`{% load dragoman %}`."""
