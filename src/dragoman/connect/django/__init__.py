"""Django: an application with `session`, `webhook` and `connect.js`, and template tags for the button.

INSTALLED_APPS = [..., "dragoman.connect.django"]
DRAGOMAN = {"API_KEY": ..., "WEBHOOK_SIGNING_KEY": ..., "ON_AUTH": "shop.accounts.remember_connection"}
urlpatterns = [path("dragoman/", include("dragoman.connect.django.urls"))]

{% load dragoman %} {% dragoman_script %} {% dragoman_button "Connect GitHub" integration="github" %}
"""
