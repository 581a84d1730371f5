"""Where readers find a build: a template of a product, filled with its names."""

from builds.names import fill_url_template, is_url_template

TEMPLATE = "https://{product}.docs.example.org/builds/{build}/"
TEMPLATES = {
    TEMPLATE: True,
    "https://docs.example.org/{product}/{build}": True,
    "https://{product}.docs.example.org/": False,
    "http://docs.example.org/{build}": False,
    "https://docs.example.org/{build}/{client}": False,
    "https://{build}": False,
}


def test_names_are_filled_in() -> None:
    filled = fill_url_template(TEMPLATE, product_slug="guide", build_slug="v1")
    assert filled == "https://guide.docs.example.org/builds/v1/"


def test_only_https_with_the_build_and_no_other_name_is_a_template() -> None:
    for template, expected in TEMPLATES.items():
        assert is_url_template(template) is expected, template
