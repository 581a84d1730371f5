from typing import Any

from django.db import migrations, models


def keep_what_works(apps: Any, _schema_editor: Any) -> None:
    """Stores whose products have sync access already are set up for it."""
    store, product = apps.get_model("builds", "Store"), apps.get_model("builds", "Product")
    syncing = product.objects.filter(access="sync").values("store")
    store.objects.filter(pk__in=syncing).update(with_sync=True)


class Migration(migrations.Migration):

    dependencies = [
        ('builds', '0003_imported'),
    ]

    operations = [
        migrations.AddField(
            model_name='store',
            name='with_sync',
            field=models.BooleanField(db_default=False, default=False, help_text='Whether its products may have sync access: only then does the upload role need to read objects. `manage.py bootstrap_store --with-sync --apply` gives the role that right and ticks this.', verbose_name='sync products'),
        ),
        migrations.RunPython(keep_what_works, migrations.RunPython.noop),
    ]
