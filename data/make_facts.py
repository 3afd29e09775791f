#!/usr/bin/env python3
"""Checks `relations.json` and `pairs.tsv`, and writes `facts.json` from them.

    python3 data/make_facts.py            writes data/facts.json
    python3 data/make_facts.py --check    only says whether it is up to date
"""

import json
import random
import re
import sys
from collections import defaultdict
from pathlib import Path

DATA = Path(__file__).parent
SEED = 1

problems = []


def complain(line, text):
    problems.append(f"data/pairs.tsv:{line}: {text}" if line else f"data/relations.json: {text}")


def read_relations():
    relations = {it["id"]: it for it in json.loads((DATA / "relations.json").read_text())}
    owner = {}
    for relation in relations.values():
        for direction in ("forward", "inverse"):
            templates = relation[direction]
            if len(templates) < 4:
                complain(0, f"{relation['id']}: fewer than four {direction} templates")
            for template in templates:
                if template.count("{}") != 1 or template != template.strip():
                    complain(0, f"{relation['id']}: not one slot, or a space at an end: {template}")
                if template in owner:
                    complain(0, f"{relation['id']} and {owner[template]} share: {template}")
                owner[template] = relation["id"]
    return relations


def stands_in(answer, prompt):
    """As a word; codes and symbols must have their own case, for `IS` is not `is`."""
    flags = re.IGNORECASE if len(answer) > 2 else 0
    return re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", prompt, flags) is not None


def read_pairs(relations):
    pairs = []
    lines = (DATA / "pairs.tsv").read_text().splitlines()
    for number, line in enumerate(lines[1:], start=2):
        cells = line.split("\t")
        if len(cells) != 3 or any(cell != cell.strip() or not cell for cell in cells):
            complain(number, "expected relation, subject and object, separated by tabs")
        elif cells[0] not in relations:
            complain(number, f"there is no relation {cells[0]} in relations.json")
        elif tuple(cells) in pairs:
            complain(number, "occurs twice")
        else:
            pairs.append(tuple(cells))
            relation, subject, object_ = cells
            for template in relations[relation]["forward"]:
                if stands_in(object_, template.replace("{}", subject)):
                    complain(number, f"the answer stands in the prompt: {template}")
            for template in relations[relation]["inverse"]:
                if stands_in(subject, template.replace("{}", object_)):
                    complain(number, f"the inverse's answer stands in its prompt: {template}")
    return pairs


def main():
    relations = read_relations()
    pairs = read_pairs(relations)
    objects, subjects = defaultdict(list), defaultdict(list)
    for relation, subject, object_ in pairs:
        objects[relation, subject].append(object_)
        subjects[relation, object_].append(subject)
    for number, (relation, subject, object_) in enumerate(pairs, start=2):
        cardinality = relations[relation]["cardinality"]
        if cardinality in ("1-1", "N-1") and len(objects[relation, subject]) > 1:
            complain(number, f"{subject} has several objects, and {relation} is {cardinality}")
        if cardinality in ("1-1", "1-N") and len(subjects[relation, object_]) > 1:
            complain(number, f"{object_} has several subjects, and {relation} is {cardinality}")
    by_cardinality = defaultdict(int)
    for relation, _, _ in pairs:
        by_cardinality[relations[relation]["cardinality"]] += 1
    n_relations = len({relation for relation, _, _ in pairs})
    if len(pairs) < 1000 or n_relations < 20 or by_cardinality["1-1"] < 400:
        complain(1, "fewer than 1,000 pairs, 20 relations, or 400 pairs of 1-1 relations")
    if problems:
        sys.exit("\n".join(problems))

    rng = random.Random(SEED)
    lines = []
    for case, (relation, subject, object_) in enumerate(pairs):
        of_relation = relations[relation]
        wrong_objects = sorted({o for r, _, o in pairs if r == relation} - set(objects[relation, subject]))
        wrong_subjects = sorted({s for r, s, _ in pairs if r == relation} - set(subjects[relation, object_]))

        def rewrite(template, asked, true, wrong, answers):
            record = {
                "prompt": template,
                "relation_id": relation,
                "target_new": {"str": rng.choice(wrong)},
                "target_true": {"str": true},
                "subject": asked,
            }
            if len(answers) > 1:
                record["answers"] = [true] + [it for it in answers if it != true]
            return record

        record = {
            "case_id": case,
            "requested_rewrite": rewrite(
                of_relation["forward"][0], subject, object_, wrong_objects, objects[relation, subject]
            ),
            "inverse": rewrite(
                of_relation["inverse"][0], object_, subject, wrong_subjects, subjects[relation, object_]
            ),
        }
        lines.append(json.dumps(record, ensure_ascii=False))
    text = "[\n" + ",\n".join(lines) + "\n]\n"
    path = DATA / "facts.json"
    if "--check" in sys.argv[1:]:
        if not path.is_file() or path.read_text() != text:
            sys.exit("data/facts.json is not up to date; run data/make_facts.py")
    else:
        path.write_text(text)
    counts = ", ".join(f"{count} {name}" for name, count in sorted(by_cardinality.items()))
    print(f"{len(pairs)} pairs of {n_relations} relations ({counts})")


main()
