"""Who registered a build, and so owns it."""

from django.db import models

from builds.models import Build
from credentials.access.models.clients import Client
from credentials.access.models.jobs import JobToken

TOKEN_NAME_LENGTH = 64


class Registration(models.Model):
    """A build and its owner: one job, or, without a job token, all the client's keys."""

    build = models.OneToOneField(Build, on_delete=models.PROTECT, related_name="registration")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="registrations")
    job_token = models.ForeignKey(
        JobToken, null=True, on_delete=models.PROTECT, related_name="registrations"
    )
    token_name = models.CharField(max_length=TOKEN_NAME_LENGTH)

    def __str__(self) -> str:
        return f"{self.build_id} by {self.token_name}"
