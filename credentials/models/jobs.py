"""CI jobs: what a trusted publisher's provider signed about the job that a token was made for."""

from typing import ClassVar

from django.db import models

from credentials.models.tokens import JobToken
from credentials.rules.ci_jobs import FACT_LENGTH, run_address


class CiJob(models.Model):
    """The job that a job token was made for, for people to find; nothing is decided by it.

    Signed claims alone are in here: job tokens of API keys have no such row. Empty: not signed.
    """

    job_token = models.OneToOneField(
        JobToken, primary_key=True, on_delete=models.CASCADE, related_name="ci_job"
    )
    repository = models.CharField(max_length=FACT_LENGTH, blank=True)
    workflow = models.CharField(max_length=FACT_LENGTH, blank=True)
    run_id = models.CharField("run id", max_length=FACT_LENGTH, blank=True)
    run_number = models.CharField(max_length=FACT_LENGTH, blank=True)
    job_id = models.CharField("job id", max_length=FACT_LENGTH, blank=True)
    commit = models.CharField(max_length=FACT_LENGTH, blank=True)
    ref = models.CharField("branch or tag", max_length=FACT_LENGTH, blank=True)

    class Meta:
        verbose_name = "CI job"
        ordering: ClassVar = ["-job_token"]
        indexes: ClassVar = [
            models.Index(fields=["repository", "-job_token"], name="ci_job_repository"),
            models.Index(fields=["workflow", "-job_token"], name="ci_job_workflow"),
            models.Index(fields=["run_id", "-job_token"], name="ci_job_run_id"),
            models.Index(fields=["run_number", "-job_token"], name="ci_job_run_number"),
            models.Index(fields=["job_id", "-job_token"], name="ci_job_job_id"),
            models.Index(fields=["commit", "-job_token"], name="ci_job_commit"),
        ]

    def __str__(self) -> str:
        run = self.run_id or self.run_number or self.job_id
        return " ".join(word for word in (self.repository, self.workflow, run) if word)

    @property
    def address(self) -> str:
        """The https address of its run at the provider; empty where that is not known."""
        publisher = self.job_token.publisher
        if publisher is None:
            return ""
        return run_address(
            kind=publisher.kind,
            issuer=publisher.issuer.issuer,
            repository=self.repository,
            workflow=self.workflow,
            run_id=self.run_id,
            run_number=self.run_number,
        )
