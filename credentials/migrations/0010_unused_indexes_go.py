from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('credentials', '0009_issuers_are_disabled'),
    ]

    operations = [
        migrations.RemoveIndex(model_name='issuedsession', name='session_name'),
        migrations.RemoveIndex(model_name='issuedsession', name='session_of_client'),
    ]
