import builds.validators
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('builds', '0009_builds_by_git_ref'),
    ]

    operations = [
        migrations.AddField(
            model_name='product',
            name='published_url_template',
            field=models.CharField(blank=True, db_default='', default='', help_text='Where readers find a build, such as https://{product}.docs.example.org/builds/{build}/. Empty: /builds/{build} at the root domain, if there is one.', max_length=255, validators=[builds.validators.validate_url_template], verbose_name='address of a build'),
        ),
        migrations.AddConstraint(
            model_name='product',
            constraint=models.CheckConstraint(condition=models.Q(('published_url_template', ''), ('published_url_template__startswith', 'https://'), _connector='OR'), name='product_published_with_tls'),
        ),
    ]
