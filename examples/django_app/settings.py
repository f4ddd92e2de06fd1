"""Settings of the example, for development."""

import os
from pathlib import Path

from django.core.management.utils import get_random_secret_key

HERE = Path(__file__).parent
DEBUG = True
SECRET_KEY = get_random_secret_key()  # a real application keeps one
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin-allow-popups"  # or consent windows open cut off from the frame
ROOT_URLCONF = "examples.django_app.urls"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "dragoman.connect.django",
    "examples.django_app",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [HERE / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("DJANGO_EXAMPLE_DATABASE", ".django-example.sqlite3"),
    }
}
DRAGOMAN = {
    "URL": os.environ["DRAGOMAN_URL"],
    "API_KEY": os.environ["DRAGOMAN_API_KEY"],
    "WEBHOOK_SIGNING_KEY": os.environ["DRAGOMAN_WEBHOOK_SIGNING_KEY"],
    "ON_AUTH": "examples.django_app.views.remember",
    "INTEGRATIONS": ["github", "openai"],
}
