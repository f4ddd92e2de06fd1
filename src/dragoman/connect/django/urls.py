"""`path("dragoman/", include("dragoman.connect.django.urls"))`."""

from django.urls import path

from dragoman.connect.django import views

app_name = "dragoman"
urlpatterns = [
    path("session", views.session, name="session"),
    path("webhook", views.webhook, name="webhook"),
    path("connect.js", views.script, name="script"),
]
