import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("credentials", "0011_names")]

    operations = [
        migrations.CreateModel(
            name="Refusal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("hour", models.DateTimeField()),
                ("network", models.CharField(help_text="IPv6: the /64 network. 'other' where there were too many in the hour.", max_length=43, verbose_name="address")),
                ("reason", models.CharField(help_text="The code of the answer.", max_length=64)),
                ("token_name", models.CharField(blank=True, max_length=64, verbose_name="token")),
                ("product_slug", models.CharField(blank=True, max_length=63, verbose_name="product")),
                ("calls", models.PositiveBigIntegerField()),
                ("last_at", models.DateTimeField()),
                ("client", models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="refusals", to="credentials.client")),
            ],
            options={
                "verbose_name_plural": "refused calls",
                "ordering": ["-hour", "-id"],
                "indexes": [
                    models.Index(fields=["network", "hour"], name="refusal_by_network"),
                    models.Index(fields=["client", "hour"], name="refusal_by_client"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("hour", "network", "reason", "token_name", "product_slug"), name="refusal_once"),
                ],
            },
        ),
    ]
