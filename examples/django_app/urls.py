"""Addresses."""

from django.urls import include, path

from examples.django_app import views

urlpatterns = [
    path("", views.page),
    path("static/page.js", views.page_script),
    path("sign-in", views.sign_in),
    path("connections", views.connections),
    path("connections/<str:connection_id>/call", views.call),
    path("dragoman/", include("dragoman.connect.django.urls")),
]
