"""A program for `.venv-proof`: what parliament finds in policies, community rules included.

A JSON object of policy documents on standard input, a JSON object of findings on output.
"""

import json
import sys

import parliament


def findings(document: str) -> list[str]:
    policy = parliament.analyze_policy_string(document, include_community_auditors=True)
    return [f"{found.issue}: {found.detail}".rstrip(": ") for found in policy.findings]


json.dump({name: findings(text) for name, text in json.load(sys.stdin).items()}, sys.stdout)
