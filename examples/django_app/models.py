"""What the application remembers of its users' connections. The credential stays in Dragoman."""

from django.contrib.auth.models import User
from django.db import models


class Connection(models.Model):
    connection_id: "models.CharField[str, str]" = models.CharField(max_length=255, unique=True)
    integration: "models.CharField[str, str]" = models.CharField(max_length=255)
    owner: "models.ForeignKey[User, User]" = models.ForeignKey(User, on_delete=models.CASCADE)
    problem: "models.CharField[str, str]" = models.CharField(max_length=100, blank=True)

    def __str__(self) -> str:
        return self.connection_id
