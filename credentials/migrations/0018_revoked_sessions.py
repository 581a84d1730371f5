from django.db import migrations, models

from builds.online_migrations import AddIndex, ValidateConstraint


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("credentials", "0017_revocations")]

    operations = [
        ValidateConstraint("issuedsession", "session_named_by_id"),
        ValidateConstraint("issuedsession", "session_revoked_by_decision"),
        AddIndex(
            model_name="issuedsession",
            index=models.Index(
                condition=models.Q(("revocation__isnull", False)),
                fields=["revocation", "expires_at"],
                name="session_of_revocation",
            ),
        ),
    ]
