from django.db import migrations, models


class Migration(migrations.Migration):
    """New names in Python only: tables, columns and constraints keep theirs."""

    dependencies = [("credentials", "0010_sessions_by_token_and_request")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameModel("KeySession", "AccessToken"),
                migrations.AlterModelTable("AccessToken", "credentials_keysession"),
                migrations.RenameModel("JobGrant", "JobProduct"),
                migrations.AlterModelTable("JobProduct", "credentials_jobgrant"),
                migrations.RenameModel("Registration", "BuildOwner"),
                migrations.AlterModelTable("BuildOwner", "credentials_registration"),
                migrations.RenameField("ApiKey", "withdrawn_at", "revoked_at"),
                migrations.AlterField(
                    "ApiKey",
                    "revoked_at",
                    models.DateTimeField(
                        blank=True, db_column="withdrawn_at", editable=False, null=True
                    ),
                ),
            ]
        )
    ]
