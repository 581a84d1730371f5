"""Bugs of the lines for a CI step: quoting, and other ways to credentials that stay open."""

from tests.proof.bugs.bug import bugs_in

SHELL = "tests/credentials/job_environment/test_shell.py"

HANDOUT_BUGS = (
    bugs_in(
        "credentials/job_environment/variables.py",
        "tests/credentials/job_environment/test_quoting.py",
        quote_closes_the_shell_s_word=("quoted = shlex.quote(text)", "quoted = f\"'{text}'\""),
        line_feed_in_a_line=("if not text.isprintable():", "if False:"),
        config_file_takes_anything=("if not _PLAIN.match(text):", "if False:"),
    )
    | bugs_in(
        "credentials/job_environment/variables.py",
        "tests/steps/test_curl_files.py",
        quote_closes_curl_s_value=("""replace('"', r"\\"")""", """replace('"', '"')"""),
    )
    | bugs_in(
        "credentials/job_environment/variables.py",
        f"{SHELL}::test_failure_leaves_no_other_way_in",
        static_key_stays_in_the_step=('    "AWS_ACCESS_KEY_ID",\n', ""),
        shared_credentials_stay_in_the_step=(
            '    "AWS_SHARED_CREDENTIALS_FILE": NOTHING,\n',
            "",
        ),
    )
    | bugs_in(
        "credentials/job_environment/scripts.py",
        f"{SHELL}::test_folder_is_for_its_owner_only",
        token_s_file_is_readable_by_all=("(umask 077 && cat >", "(cat >"),
    )
    | bugs_in(
        "credentials/job_environment/scripts.py",
        "tests/credentials/job_environment/test_github.py",
        token_is_not_masked=("            _mask(step),\n", ""),
    )
)
