"""Settings, read once from the environment and from `.env` beside `manage.py`.

Every variable is described in docs/reference/settings.rst; wrong values are system checks
(`ltdkeeper/checks.py`), so a mistake is a sentence at release time. Insecure defaults exist
only under `LTD_DEBUG`.
"""

import os
from pathlib import Path
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from ltdkeeper.caches import cache_settings
from ltdkeeper.databases import database_settings
from ltdkeeper.logs import logging_settings

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()


def whole_number(name: str, default: int) -> int:
    """A setting that is a whole number. Raises ImproperlyConfigured with its name."""
    try:
        return int(env.int(name, default=default))
    except ValueError as err:
        raise ImproperlyConfigured(f"{name} must be a whole number.") from err


environ.Env.read_env(os.environ.get("LTD_ENV_FILE", BASE_DIR / ".env"))

# --- the service itself ---------------------------------------------------------------------
DEBUG = env.bool("LTD_DEBUG", default=False)
SECRET_KEY = env.str("LTD_SECRET_KEY", default="debug-only-" * 6 if DEBUG else "")
LTD_PUBLIC_URL = env.str("LTD_PUBLIC_URL", default="http://127.0.0.1:8000" if DEBUG else "")
LTD_PUBLIC_URL = LTD_PUBLIC_URL.rstrip("/")
LTD_ALLOW_HTTP = env.bool("LTD_ALLOW_HTTP", default=False)
LTD_ALLOW_SQLITE = env.bool("LTD_ALLOW_SQLITE", default=False)
LTD_TRUSTED_PROXIES = whole_number("LTD_TRUSTED_PROXIES", 0)
LTD_PUBLIC_READS = env.bool("LTD_PUBLIC_READS", default=False)
LTD_METRICS_TOKEN = env.str("LTD_METRICS_TOKEN", default="")
LTD_WEB_THREADS = whole_number("LTD_WEB_THREADS", 8)
LTD_MAX_BODY_BYTES = 1024 * 1024

# --- sessions and builds --------------------------------------------------------------------
LTD_SESSION_SECONDS = whole_number("LTD_SESSION_SECONDS", 1800)
LTD_UPLOAD_WINDOW_SECONDS = whole_number("LTD_UPLOAD_WINDOW_SECONDS", 12 * 3600)
LTD_REQUIRE_ISOLATION_CHECK = env.bool("LTD_REQUIRE_ISOLATION_CHECK", default=False)
LTD_KEY_SESSION_SECONDS = whole_number("LTD_KEY_SESSION_SECONDS", 12 * 3600)
LTD_JOB_TOKEN_SECONDS = whole_number("LTD_JOB_TOKEN_SECONDS", 6 * 3600)
LTD_OPEN_BUILDS = whole_number("LTD_OPEN_BUILDS", 1000)
LTD_SESSIONS_AN_HOUR = whole_number("LTD_SESSIONS_AN_HOUR", 600)
LTD_FAILURES_A_MINUTE = whole_number("LTD_FAILURES_A_MINUTE", 10)

# --- trusted publishers -----------------------------------------------------------------------
LTD_OIDC_AUDIENCE = env.str("LTD_OIDC_AUDIENCE", default="") or LTD_PUBLIC_URL

# --- presigned POSTs and PUTs -----------------------------------------------------------------
LTD_POST_LIFETIME = whole_number("LTD_POST_LIFETIME", 6 * 3600)
LTD_URL_LIFETIME = whole_number("LTD_URL_LIFETIME", 3600)
LTD_POST_MAX_BYTES = whole_number("LTD_POST_MAX_BYTES", 5 * 1024**3)

# --- the first store, made by `manage.py ensure_store` ----------------------------------------
LTD_STORE_NAME = env.str("LTD_STORE_NAME", default="default")
LTD_STORE_BUCKET = env.str("LTD_STORE_BUCKET", default="")
LTD_STORE_REGION = env.str("LTD_STORE_REGION", default="us-east-1")
LTD_STORE_ENDPOINT_URL = env.str("LTD_STORE_ENDPOINT_URL", default="")
LTD_STORE_PUBLIC_ENDPOINT_URL = env.str("LTD_STORE_PUBLIC_ENDPOINT_URL", default="")
LTD_STORE_ROLE_ARN = env.str("LTD_STORE_ROLE_ARN", default="")
LTD_STORE_ROLE_MAX_SECONDS = whole_number("LTD_STORE_ROLE_MAX_SECONDS", 3600)
LTD_STORE_EXTERNAL_ID = env.str("LTD_STORE_EXTERNAL_ID", default="")
LTD_STORE_KMS_KEY_ARN = env.str("LTD_STORE_KMS_KEY_ARN", default="")
LTD_STORE_ADDRESSING = env.str("LTD_STORE_ADDRESSING", default="auto")
LTD_STORE_WITH_SYNC = env.bool("LTD_STORE_WITH_SYNC", default=False)

# --- the auditor --------------------------------------------------------------------------------
LTD_AUDITOR_PROFILE = env.str("LTD_AUDITOR_PROFILE", default="")

# --- Django -----------------------------------------------------------------------------------
ROOT_URLCONF = "ltdkeeper.urls"
WSGI_APPLICATION = "ltdkeeper.wsgi.application"
ALLOWED_HOSTS = env.list("LTD_ALLOWED_HOSTS", default=[urlsplit(LTD_PUBLIC_URL).hostname or ""])
if DEBUG or LTD_ALLOW_HTTP:
    ALLOWED_HOSTS += ["127.0.0.1", "localhost", "[::1]"]
APPEND_SLASH = False
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
FORMAT_MODULE_PATH = ["ltdkeeper.formats"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": database_settings(env, threads=LTD_WEB_THREADS, base_dir=BASE_DIR)}
CACHES = {"default": cache_settings(env, debug=DEBUG)}
LTD_LOG_LEVEL = env.str("LTD_LOG_LEVEL", default="INFO").upper()
LOGGING_CONFIG = "ltdkeeper.logs.configure"
LOGGING = logging_settings(
    level=LTD_LOG_LEVEL,
    renderer=env.str("LTD_LOG_FORMAT", default="console" if DEBUG else "json"),
)

INSTALLED_APPS = [
    "ltdkeeper.apps.KeeperConfig",
    "ltdkeeper.apps.KeeperAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "builds",
    "credentials",
]
MIDDLEWARE = [
    "ltdkeeper.middleware.request_log",
    "ltdkeeper.middleware.health_by_any_name",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "ltdkeeper.middleware.body_limit",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
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
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if IS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = False
SECURE_REFERRER_POLICY = "same-origin"
if LTD_TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CSRF_TRUSTED_ORIGINS = [LTD_PUBLIC_URL] if LTD_PUBLIC_URL else []
LOGIN_REDIRECT_URL = "/admin/"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
# HSTS for subdomains and preloading are the domain owner's choice, not this service's.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

# --- API --------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["credentials.access.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["credentials.access.permissions.IsCaller"],
    "DEFAULT_PARSER_CLASSES": ["ltdkeeper.wire.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["ltdkeeper.wire.OrjsonRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "ltdkeeper.wire.AlwaysJSON",
    "DEFAULT_PAGINATION_CLASS": "ltdkeeper.wire.PublicCursorPagination",
    "DEFAULT_SCHEMA_CLASS": "ltdkeeper.schema.ProblemAwareSchema",
    "EXCEPTION_HANDLER": "ltdkeeper.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "ltdkeeper",
    "DESCRIPTION": "Short-lived S3 credentials, each for exactly one documentation build.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVERS": [{"url": LTD_PUBLIC_URL or "/"}],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
}
