"""Settings, read once from the environment and from `.env` beside `manage.py`.

Every variable is described in docs/reference/settings.rst. A wrong value, or none where one is
needed, is a SettingsError: no command runs and no server starts on it. Insecure defaults exist
only under `LTD_DEBUG`, and that only on this machine.
"""

from functools import partial
from pathlib import Path
from urllib.parse import quote, urlsplit

from builds.validators import (
    validate_bucket,
    validate_endpoint,
    validate_kms_key_arn,
    validate_region,
    validate_role_arn,
)
from credentials.rules.bucket_layout import allowed_prefixes
from credentials.rules.schedule import parse_schedule
from ltdkeeper import __version__, caches, databases
from ltdkeeper.environment import (
    DEBUG_SECRET_KEY,
    LOOPBACK,
    Environment,
    audience,
    existing,
    host_names,
    host_of,
    https_url,
    is_loopback,
    mail_address,
    mail_addresses,
    mail_server,
    networks,
    one_word,
    pinned,
    public_url,
    secret_key,
    store_name,
)
from ltdkeeper.logs import LEVELS, logging_settings

# The clone. Where a wheel is installed, the directory in which the program is started.
BASE_DIR = Path(__file__).resolve().parent.parent
if not (BASE_DIR / "manage.py").is_file():
    BASE_DIR = Path.cwd()
HOUR, DAY = 3600, 24 * 3600
# Of one object in one request (AWS S3 user guide, PutObject).
POST_MAXIMUM_BYTES = 5 * 1024**3
KEY_COMMAND = "$(python3 -c 'import secrets; print(secrets.token_urlsafe(50))')"

env = Environment(BASE_DIR / ".env")

# --- the service itself ---------------------------------------------------------------------
DEBUG = env.flag("LTD_DEBUG")
SECRET_KEY = env.text(
    "LTD_SECRET_KEY",
    default=DEBUG_SECRET_KEY if DEBUG else "",
    rule=secret_key,
    example=KEY_COMMAND,
    is_required=not DEBUG,
    is_secret=True,
)
LTD_ALLOW_HTTP = env.flag("LTD_ALLOW_HTTP")
LTD_PUBLIC_URL = env.text(
    "LTD_PUBLIC_URL",
    default="http://127.0.0.1:8000" if DEBUG else "",
    rule=public_url(is_http_allowed=DEBUG or LTD_ALLOW_HTTP),
    example="https://keeper.example.org",
    is_required=not DEBUG,
).rstrip("/")
LTD_ALLOW_SQLITE = env.flag("LTD_ALLOW_SQLITE")
LTD_TRUSTED_PROXIES = env.number("LTD_TRUSTED_PROXIES", 0, least=0, most=20)
LTD_PUBLIC_READS = env.flag("LTD_PUBLIC_READS")
LTD_METRICS_TOKEN = env.text(
    "LTD_METRICS_TOKEN", rule=one_word(1000), example=KEY_COMMAND, is_secret=True
)
env.number("LTD_WEB_WORKERS", 2, least=1, most=1000)  # read by the Procfile's shell
LTD_WEB_THREADS = env.number("LTD_WEB_THREADS", 8, least=1, most=1000)
LTD_MAX_BODY_BYTES = 1024 * 1024

# --- the first store, made by `manage.py ensure_store` ----------------------------------------
LTD_STORE_NAME = env.text("LTD_STORE_NAME", "default", rule=store_name, example="default")
LTD_STORE_BUCKET = env.text("LTD_STORE_BUCKET", rule=validate_bucket, example="example-docs")
LTD_STORE_REGION = env.text(
    "LTD_STORE_REGION", "us-east-1", rule=validate_region, example="eu-central-1"
)
LTD_STORE_ENDPOINT_URL = env.text(
    "LTD_STORE_ENDPOINT_URL", rule=validate_endpoint, example="https://s3.example.org"
)
LTD_STORE_PUBLIC_ENDPOINT_URL = env.text(
    "LTD_STORE_PUBLIC_ENDPOINT_URL", rule=validate_endpoint, example="https://s3.example.org"
)
LTD_STORE_ROLE_ARN = env.text(
    "LTD_STORE_ROLE_ARN",
    rule=validate_role_arn,
    example="arn:aws:iam::123456789012:role/ltdkeeper-upload",
    is_required=bool(LTD_STORE_BUCKET),
)
# AWS gives roles 3600 to 43200; sessions that SDKs refresh need 1800.
LTD_STORE_ROLE_MAX_SECONDS = env.number(
    "LTD_STORE_ROLE_MAX_SECONDS", HOUR, least=1800, most=12 * HOUR
)
LTD_STORE_EXTERNAL_ID = env.text(
    "LTD_STORE_EXTERNAL_ID", rule=one_word(255), example="ltdkeeper-7f3a"
)
LTD_STORE_KMS_KEY_ARN = env.text(
    "LTD_STORE_KMS_KEY_ARN",
    rule=validate_kms_key_arn,
    example="arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
)
LTD_STORE_ADDRESSING = env.choice("LTD_STORE_ADDRESSING", "auto", ("auto", "path", "virtual"))
LTD_STORE_WITH_SYNC = env.flag("LTD_STORE_WITH_SYNC")

# --- sessions and builds --------------------------------------------------------------------
LTD_SESSION_SECONDS = env.number(
    "LTD_SESSION_SECONDS", 1800, least=900, most=LTD_STORE_ROLE_MAX_SECONDS
)
LTD_UPLOAD_WINDOW_SECONDS = env.number(
    "LTD_UPLOAD_WINDOW_SECONDS", 12 * HOUR, least=300, most=7 * DAY
)
LTD_REQUIRE_ISOLATION_CHECK = env.flag("LTD_REQUIRE_ISOLATION_CHECK")
LTD_REVOKE_ON_FINISH = env.flag("LTD_REVOKE_ON_FINISH")
LTD_KEY_SESSION_SECONDS = env.number("LTD_KEY_SESSION_SECONDS", 12 * HOUR, least=300, most=7 * DAY)
LTD_JOB_TOKEN_SECONDS = env.number("LTD_JOB_TOKEN_SECONDS", 6 * HOUR, least=300, most=12 * HOUR)
LTD_OPEN_BUILDS = env.number("LTD_OPEN_BUILDS", 1000, least=1, most=10**9)
LTD_SESSIONS_AN_HOUR = env.number("LTD_SESSIONS_AN_HOUR", 600, least=1, most=10**9)
LTD_FAILURES_A_MINUTE = env.number("LTD_FAILURES_A_MINUTE", 10, least=1, most=10**9)

# --- trusted publishers -----------------------------------------------------------------------
LTD_OIDC_AUDIENCE = (
    env.text("LTD_OIDC_AUDIENCE", rule=audience, example="https://keeper.example.org")
    or LTD_PUBLIC_URL
)
LTD_UPLOAD_ACTION = env.text(
    "LTD_UPLOAD_ACTION",
    default="OWNER/ltdkeeper@HASH",
    rule=pinned,
    example="octo-org/ltdkeeper@d23441a48e516b6c34aea4fa41551a30e30af803",
)

# --- people in the admin ----------------------------------------------------------------------
LTD_REQUIRE_SECOND_FACTOR = env.flag("LTD_REQUIRE_SECOND_FACTOR")
# All of these or none; of the groups at least one.
OIDC_PREFIX = "LTD_ADMIN_OIDC_"
IS_OIDC_ON = env.is_any_set(OIDC_PREFIX)
LTD_ADMIN_OIDC_ISSUER = env.text(
    "LTD_ADMIN_OIDC_ISSUER",
    rule=https_url,
    example="https://login.example.org/realms/staff",
    is_required=IS_OIDC_ON,
)
OIDC_OP_AUTHORIZATION_ENDPOINT = env.text(
    "LTD_ADMIN_OIDC_AUTHORIZATION_URL",
    rule=https_url,
    example="https://login.example.org/realms/staff/authorize",
    is_required=IS_OIDC_ON,
)
OIDC_OP_TOKEN_ENDPOINT = env.text(
    "LTD_ADMIN_OIDC_TOKEN_URL",
    rule=https_url,
    example="https://login.example.org/realms/staff/token",
    is_required=IS_OIDC_ON,
)
OIDC_OP_JWKS_ENDPOINT = env.text(
    "LTD_ADMIN_OIDC_KEYS_URL",
    rule=https_url,
    example="https://login.example.org/realms/staff/keys",
    is_required=IS_OIDC_ON,
)
OIDC_RP_CLIENT_ID = env.text(
    "LTD_ADMIN_OIDC_CLIENT_ID", rule=one_word(1000), example="ltdkeeper", is_required=IS_OIDC_ON
)
OIDC_RP_CLIENT_SECRET = env.text(
    "LTD_ADMIN_OIDC_CLIENT_SECRET",
    rule=one_word(1000),
    example="...",
    is_required=IS_OIDC_ON,
    is_secret=True,
)
LTD_ADMIN_OIDC_GROUPS_CLAIM = env.text(
    "LTD_ADMIN_OIDC_GROUPS_CLAIM", "groups", rule=one_word(255), example="groups"
)
GROUP_VALUES = {
    "viewer": env.text("LTD_ADMIN_OIDC_VIEWERS", rule=one_word(255), example="docs-readers"),
    "operator": env.text("LTD_ADMIN_OIDC_OPERATORS", rule=one_word(255), example="docs-on-call"),
    "administrator": env.text(
        "LTD_ADMIN_OIDC_ADMINISTRATORS", rule=one_word(255), example="docs-owners"
    ),
}
LTD_ADMIN_OIDC_GROUPS = {group: value for group, value in GROUP_VALUES.items() if value}
if IS_OIDC_ON and not LTD_ADMIN_OIDC_GROUPS:
    why = "not set, nor is OPERATORS or ADMINISTRATORS, so nobody could sign in"
    env.refuse("LTD_ADMIN_OIDC_VIEWERS", why, "docs-readers")

# --- presigned POSTs and PUTs, which live as long as a session can ------------------------------
LTD_POST_LIFETIME = env.number("LTD_POST_LIFETIME", 6 * HOUR, least=900, most=12 * HOUR)
LTD_URL_LIFETIME = env.number("LTD_URL_LIFETIME", HOUR, least=900, most=12 * HOUR)
LTD_POST_MAX_BYTES = env.number(
    "LTD_POST_MAX_BYTES", POST_MAXIMUM_BYTES, least=1, most=POST_MAXIMUM_BYTES
)

# --- uploads through this service; the last thread is for everything else -----------------------
LTD_PROXY_UPLOADS = env.number("LTD_PROXY_UPLOADS", 0, least=0, most=LTD_WEB_THREADS - 1)
LTD_PROXY_MAX_BYTES = env.number("LTD_PROXY_MAX_BYTES", 1024**3, least=1, most=POST_MAXIMUM_BYTES)

# --- the auditor, the revoker, and files that libraries read ------------------------------------
LTD_AUDITOR_PROFILE = env.text("LTD_AUDITOR_PROFILE", rule=one_word(255), example="auditor")
LTD_TRAIL_BUCKET = env.text("LTD_TRAIL_BUCKET", rule=validate_bucket, example="example-logs")
LTD_REVOKER_PROFILE = env.text("LTD_REVOKER_PROFILE", rule=one_word(255), example="revoker")
LTD_ALLOWED_PREFIXES = env.read(
    "LTD_ALLOWED_PREFIXES",
    allowed_prefixes,
    default=allowed_prefixes(""),
    example="*/v/,*/builds/index.html",
)
LTD_PURGED_WITHIN_DAYS = env.number("LTD_PURGED_WITHIN_DAYS", 45, least=1, most=3660)
LTD_UNUSUAL_FACTOR = env.number("LTD_UNUSUAL_FACTOR", 4, least=2, most=1000)
schedule = partial(parse_schedule, without=() if LTD_AUDITOR_PROFILE else ("audit_bucket",))
LTD_SCHEDULE = env.read("LTD_SCHEDULE", schedule, default=schedule(""), example="roll_up=2h")
env.pair("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
env.text(
    "AWS_CA_BUNDLE",
    rule=existing(Path.is_file, "file"),
    example="/etc/ssl/certs/ca-certificates.crt",
)
env.text(
    "PROMETHEUS_MULTIPROC_DIR", rule=existing(Path.is_dir, "directory"), example="/run/ltdkeeper"
)

# --- who is told of new findings ----------------------------------------------------------------
LTD_MAIL_FINDINGS: list[str] = env.read(
    "LTD_MAIL_FINDINGS", mail_addresses, default=[], example="on-call@example.org"
)
LTD_ALERT_SEVERITY = env.choice("LTD_ALERT_SEVERITY", "error", ("error", "warning"))
DEFAULT_FROM_EMAIL = env.text(
    "LTD_MAIL_FROM",
    f"ltdkeeper@{urlsplit(LTD_PUBLIC_URL).hostname or 'localhost'}",
    rule=mail_address,
    example="ltdkeeper@example.org",
)
MAIL_SERVER: dict[str, object] = env.read(
    "LTD_MAIL_URL",
    mail_server,
    default={},
    example="smtp+tls://keeper:...@mail.example.org:587",
    is_secret=True,
)
globals().update(MAIL_SERVER)

# --- webhooks -----------------------------------------------------------------------------------
LTD_WEBHOOK_ALLOWED_NETWORKS = env.read(
    "LTD_WEBHOOK_ALLOWED_NETWORKS",
    networks,
    default=["127.0.0.0/8", "::1/128"] if DEBUG else [],
    example="10.20.0.0/16,2001:db8:20::/48",
)

# --- Django -----------------------------------------------------------------------------------
ROOT_URLCONF = "ltdkeeper.urls"
WSGI_APPLICATION = "ltdkeeper.wsgi.application"
ALLOWED_HOSTS: list[str] = env.read(
    "LTD_ALLOWED_HOSTS",
    host_names,
    default=[],
    example="keeper.example.org,10.0.0.5",
)
ALLOWED_HOSTS += host_of(LTD_PUBLIC_URL)
if DEBUG and not (
    LTD_PUBLIC_URL.startswith("http:")
    and is_loopback(LTD_PUBLIC_URL)
    and LOOPBACK.issuperset(host.strip("[]") for host in ALLOWED_HOSTS)
):
    why = "insecure, so LTD_PUBLIC_URL and LTD_ALLOWED_HOSTS may only name loopback, and over http"
    env.refuse("LTD_DEBUG", why, example="false")
if DEBUG or LTD_ALLOW_HTTP:
    ALLOWED_HOSTS += ["127.0.0.1", "localhost", "[::1]"]
APPEND_SLASH = False
# A client's page sends two for each grant: some 1,500 grants, within the 64 KB of a form there.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 4000
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
FORMAT_MODULE_PATH = ["ltdkeeper.formats"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": env.read(
        "DATABASE_URL",
        databases.database_settings,
        default=databases.database_settings(f"sqlite:///{quote(str(BASE_DIR / 'db.sqlite3'))}"),
        example=databases.EXAMPLE,
        is_secret=True,
    )
}
if "sqlite" in DATABASES["default"]["ENGINE"] and not (DEBUG or LTD_ALLOW_SQLITE):
    why = "SQLite, the default, is for a single machine; LTD_ALLOW_SQLITE=true allows it"
    env.refuse("DATABASE_URL", why, databases.EXAMPLE, is_secret=True)
CACHES = {
    "default": env.read(
        "LTD_CACHE_URL",
        lambda url: caches.cache_settings(url, debug=DEBUG),
        default=caches.cache_settings(caches.IN_PROCESS if DEBUG else caches.TABLE, debug=DEBUG),
        example=caches.EXAMPLE,
        is_secret=True,
    )
}
LOG_LEVELS = (*LEVELS, *(level.lower() for level in LEVELS))
LTD_LOG_LEVEL = env.choice("LTD_LOG_LEVEL", "INFO", LOG_LEVELS).upper()
LTD_LOG_FORMAT = env.choice("LTD_LOG_FORMAT", "console" if DEBUG else "json", ("json", "console"))
LOGGING_CONFIG = "ltdkeeper.logs.configure"
LOGGING = logging_settings(level=LTD_LOG_LEVEL, renderer=LTD_LOG_FORMAT)
env.require_right()

INSTALLED_APPS = [
    "ltdkeeper.apps.KeeperConfig",
    "ltdkeeper.apps.KeeperAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "builds",
    "credentials",
]
MIDDLEWARE = [
    "ltdkeeper.middleware.request_log",
    "ltdkeeper.middleware.health_by_any_name",
    "ltdkeeper.middleware.https_only",
    "django.middleware.security.SecurityMiddleware",
    "ltdkeeper.middleware.content_security_policy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "ltdkeeper.middleware.body_limit",
    "ltdkeeper.middleware.PageSessions",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "ltdkeeper.middleware.PageUsers",
    "ltdkeeper.middleware.PageMessages",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
AUTHENTICATION_BACKENDS = [
    "ltdkeeper.admin.login.AccountBackend",
    *(["ltdkeeper.admin.oidc_sign_in.OidcBackend"] if IS_OIDC_ON else []),
]
OTP_TOTP_ISSUER = urlsplit(LTD_PUBLIC_URL).hostname or "ltdkeeper"
# mozilla-django-oidc; claims come from the ID token alone.
OIDC_OP_USER_ENDPOINT = ""
OIDC_RP_SIGN_ALGO = "RS256"
OIDC_RP_SCOPES = "openid profile email"
OIDC_USE_PKCE = True
OIDC_AUTHENTICATION_CALLBACK_URL = "admin:oidc_callback"
LOGIN_REDIRECT_URL_FAILURE = "/admin/login/"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# Static files are served straight from the installed packages: no collectstatic step to forget.
STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

# --- transport security -----------------------------------------------------------------------
IS_HTTPS = LTD_PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = IS_HTTPS and LTD_TRUSTED_PROXIES > 0
SECURE_SSL_HOST = urlsplit(LTD_PUBLIC_URL).netloc
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if IS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = False
SECURE_REFERRER_POLICY = "same-origin"
if LTD_TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CSRF_TRUSTED_ORIGINS = [LTD_PUBLIC_URL] if LTD_PUBLIC_URL else []
LOGIN_REDIRECT_URL = "/admin/"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
# HSTS for subdomains and preloading are the domain owner's choice, not this service's.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

# --- API --------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["ltdkeeper.api.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["ltdkeeper.api.authentication.IsCaller"],
    "DEFAULT_PARSER_CLASSES": ["ltdkeeper.api.wire.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["ltdkeeper.api.wire.OrjsonRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "ltdkeeper.api.wire.AlwaysJSON",
    "DEFAULT_SCHEMA_CLASS": "ltdkeeper.api.schema.ProblemAwareSchema",
    "EXCEPTION_HANDLER": "ltdkeeper.api.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "ltdkeeper",
    "DESCRIPTION": "Short-lived S3 credentials, each for exactly one documentation build.",
    "VERSION": __version__,
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    # Its deep links stand within buttons, which screen readers cannot tell apart.
    "SWAGGER_UI_SETTINGS": {"deepLinking": False},
    "SERVERS": [{"url": LTD_PUBLIC_URL or "/"}],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "COMPONENT_SPLIT_PATCH": False,
}
