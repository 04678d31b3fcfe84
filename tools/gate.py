"""Hold a change to the change plan: `python -m tools.gate BASE [HEAD]`; exit 1 where a rule is violated.

Prints each rule with its evidence, and appends the decision to change_log.jsonl, to be committed with the change.
`--override NAME --reason TEXT` accepts what the plan refuses, by one whom the plan names. `--check`, for CI, records
nothing: the decision on exactly these figures must stand in the log already. The plan is BASE's, where it has one.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stages.lib.launcher import error_lines
from stages.lib.stage import StageError
from tools.review.comparison import Comparison, compare
from tools.review.log import LOG, append, digest, evidence_of, grown_from
from tools.review.plan import PLAN, ChangePlan, Rule, judge, parse_plan
from tools.review.revisions import WORKING_TREE, Revision, git, open_revision

DIGITS = 4


def main() -> int:
    """Judge as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.gate", description=str(__doc__).partition("\n\n")[0])
    parser.add_argument("base", help="a git revision")
    parser.add_argument("head", nargs="?", help="a git revision; the working tree without it")
    parser.add_argument("--override", metavar="NAME", help="accept what the plan refuses, as one whom the plan names")
    parser.add_argument("--reason", default="", metavar="TEXT", help="why; goes into the log")
    parser.add_argument("--check", action="store_true", help="record nothing; the log must hold the decision")
    given = parser.parse_args()
    base, head = open_revision(given.base), open_revision(given.head)
    log = grown_from(base, Path(LOG).read_text(encoding="utf-8") if Path(LOG).exists() else "")
    plan_text, plan = plan_of(base, head)
    subject = {"evidence": evidence_of(base, head), "plan": digest(plan_text)}
    kept_plan = Rule(
        "plan", base.text(PLAN) in (None, head.text(PLAN)), "the plan itself must not change with what it judges"
    )
    if kept_plan.kept and evidence_of(base, base) == subject["evidence"]:
        print("nothing differs that the plan judges")
        return 0
    found = compare(base, head)
    rules = [kept_plan, *judge(plan, found)]
    print("\n".join(f"{'ok      ' if rule.kept else 'VIOLATED'} {rule.name}: {rule.evidence}" for rule in rules))
    violated = not all(rule.kept for rule in rules)
    if given.check:
        return recorded(plan, [entry for entry in log if subject.items() <= entry.items()], violated=violated)
    decision = decide(plan, violated=violated, name=given.override, reason=given.reason)
    entry = subject | decision | _told(found, rules)
    same = entry.keys() - {"date", "base", "head"}
    if not log or any(log[-1].get(key) != entry[key] for key in same):
        append(entry)
    print(f"{decision['decision']} by {decision['who']}; commit {LOG}")
    return 1 if decision["decision"] == "refused" else 0


def plan_of(base: Revision, head: Revision) -> tuple[str, ChangePlan]:
    """Return the plan that was there before the change; where there was none, the one that comes with it."""
    for side in (base, head, Revision(WORKING_TREE, head.commit, committed=False)):
        if (text := side.text(PLAN)) is not None:
            return text, parse_plan(text, name=side.name)
    raise StageError(f"{PLAN}: neither {base.name} nor {head.name} has it; docs/review.md says what belongs into it")


def decide(plan: ChangePlan, *, violated: bool, name: str | None, reason: str) -> dict[str, str]:
    """Return the decision, who made it and why; raise StageError where an override is not one of the plan's."""
    if name is None:
        return {"decision": "refused" if violated else "accepted", "who": _author(), "reason": reason}
    if not violated:
        raise StageError("--override: no rule is violated, so there is nothing to override")
    if not may_override(plan, name, reason):
        who, words = ", ".join(plan.overrides.who), plan.overrides.reason_words
        raise StageError(f"--override {name}: needs one of {who}, and --reason of {words} words at least")
    return {"decision": "overridden", "who": name, "reason": reason}


def may_override(plan: ChangePlan, name: str, reason: str) -> bool:
    """Say whether the plan lets a person override it for a reason."""
    return name in plan.overrides.who and len(reason.split()) >= plan.overrides.reason_words


def recorded(plan: ChangePlan, entries: list[dict[str, Any]], *, violated: bool) -> int:
    """Return the exit code of a check, given the entries on these very figures, and say what is missing."""
    for entry in entries:
        if entry["decision"] == "overridden" and may_override(plan, entry["who"], entry["reason"]):
            print(f"overridden by {entry['who']}: {entry['reason']}")
            return 0
    if violated:
        print("refused: no override of these figures is recorded")
        return 1
    if any(entry["decision"] == "accepted" for entry in entries):
        print("accepted, and recorded")
        return 0
    print(f"accepted, but not recorded: run `python -m tools.gate BASE` and commit {LOG}")
    return 1


def _told(found: Comparison, rules: list[Rule]) -> dict[str, Any]:
    """Return what the log keeps of a comparison."""
    figures = {
        name: [None if value is None else round(value, DIGITS) for value in (change.delta, change.low, change.high)]
        for name, change in found.metrics.items()
    }
    head = {"commit": found.head.commit, "committed": found.head.committed}
    told = {"base": found.base.commit, "head": head, "rules": [vars(rule) for rule in rules], "figures": figures}
    return told | {"date": datetime.now(UTC).date().isoformat()}


def _author() -> str:
    try:
        return git("config", "user.name").strip()
    except subprocess.CalledProcessError:
        raise StageError("git knows no user.name, which the log needs: `git config user.name NAME`") from None


if __name__ == "__main__":
    try:
        sys.exit(main())
    except StageError as error:
        sys.exit(error_lines(error))
