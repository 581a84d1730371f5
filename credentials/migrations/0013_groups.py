from django.db import migrations

# What each group may, beyond the group before it: permission -> its name, for where Django has not
# made it yet (it makes those of a model after all migrations, and takes what is there).
READ = (
    *(("builds", model) for model in ("store", "product", "build")),
    *(
        ("credentials", model)
        for model in (
            *("client", "apikey", "jobtoken", "isolationrun", "issuedsession"),
            *("oidcissuer", "trustedpublisher", "refusal"),
        )
    ),
)
VIEWER = [(app, model, f"view_{model}") for app, model in READ]
OPERATOR = [
    *VIEWER,
    ("credentials", "issuedsession", "revoke_issuedsession"),
    ("credentials", "isolationrun", "add_isolationrun"),
]
WRITTEN = {
    ("builds", "store"): ("add", "change", "delete"),
    ("builds", "product"): ("add", "change", "delete"),
    ("builds", "build"): ("change",),
    ("credentials", "client"): ("add", "change"),
    ("credentials", "grant"): ("view", "add", "change", "delete"),
    ("credentials", "apikey"): ("add", "change"),
    ("credentials", "jobtoken"): ("change",),
    ("credentials", "oidcissuer"): ("add", "change", "delete"),
    ("credentials", "trustedpublisher"): ("add", "change"),
    ("auth", "user"): ("view", "add", "change"),
    ("auth", "group"): ("view",),
}
ADMINISTRATOR = [
    *OPERATOR,
    *(
        (app, model, f"{act}_{model}")
        for (app, model), acts in WRITTEN.items()
        for act in acts
    ),
]
GROUPS = {"viewer": VIEWER, "operator": OPERATOR, "administrator": ADMINISTRATOR}
NAMES = {"revoke_issuedsession": "Can revoke sessions"}


def add_groups(apps, schema_editor):
    """A group of that name that is there already is somebody's own, and stays as it is."""
    Group = apps.get_model("auth", "Group")
    groups = Group.objects.using(schema_editor.connection.alias)
    for name, rights in GROUPS.items():
        group, made = groups.get_or_create(name=name)
        if made:
            group.permissions.set(_permission(apps, schema_editor, *right) for right in rights)


def _permission(apps, schema_editor, app, model, codename):
    alias = schema_editor.connection.alias
    ContentType = apps.get_model("contenttypes", "ContentType")
    kind, _ = ContentType.objects.using(alias).get_or_create(app_label=app, model=model)
    act = codename.partition("_")[0]
    name = NAMES.get(codename) or f"Can {act} {_verbose_name(apps, app, model)}"
    found, _ = apps.get_model("auth", "Permission").objects.using(alias).get_or_create(
        content_type=kind, codename=codename, defaults={"name": name}
    )
    return found


def _verbose_name(apps, app, model):
    return apps.get_model(app, model)._meta.verbose_name_raw


class Migration(migrations.Migration):
    """Groups of people. Taking it back leaves them: somebody may be in one."""

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("credentials", "0012_refusals"),
    ]

    operations = [migrations.RunPython(add_groups, migrations.RunPython.noop)]
