"""Draw rows worth labelling from logs, or import labelled ones.

A log is a dataset, such as chats with a model's replies; its personal data is redacted. Drawn are
rows whose label is in doubt, rows unlike training, and rows like what RUN got wrong, none that the
splits have. With --import the rows that people labelled extend train and, by its share, test.

$ tunegate data next logs.jsonl -o reviews/next.csv
$ tunegate data next --import reviews/next.csv -o data-2
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from tunegate.config.data_files import find_data_files, read_file
from tunegate.config.project import current_project
from tunegate.config.schema import Config, load
from tunegate.data.canonical import given_fields
from tunegate.data.clusters import cluster_texts, fit_words
from tunegate.data.comparison import label_counts, rows_in_training
from tunegate.data.dataset import Dataset, Example
from tunegate.data.splitting import similar_groups, stratified_group_split
from tunegate.errors import ConfigError
from tunegate.models.evaluation import find_judged, judged_answers
from tunegate.storage.state_dir import StateDir
from tunegate.utils.files import atomic_write_all
from tunegate.utils.masking import add_json_option, print_result
from tunegate.utils.strict_json import json_lines

from ..data import leakage
from ..fix.pipeline import read_reference
from ..fix.redact import Redactor
from ..review.sheet import CUT_MARK, VERDICTS, SheetEntry, read_sheet, row_id, write_sheet

LINEAGE = "next"  # the field of a row that says where it comes from
Splits = Mapping[str, Dataset]
Made = tuple[dict[Path, bytes], Mapping[str, int]]  # files, and how many rows came into them
Ranking = Iterator[tuple[int, str]]  # rows, and why: the most worth first


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "tunegate data next FILE ... -o OUT [options]"
    add = parser.add_argument
    add("files", nargs="+", type=Path, metavar="FILE", help="logs, or sheets to import")
    add("-o", "--out", type=Path, required=True, help="the sheet, or a folder for new splits")
    add("--import", dest="labelled", action="store_true", help="FILEs are labelled sheets")
    add("--rows", type=int, default=50, metavar="N", help="of the sheet (50)")
    add("--run", default="latest", metavar="RUN", help="or a model, whose failures count")
    add("--seed", type=int, default=0, help="of what goes to train and what to test (0)")
    add_json_option(parser)


def run(args: argparse.Namespace) -> None:
    """Draw a sheet, or import some; raises ConfigError, ValueError for bad input."""
    root, left_out = current_project(), Counter[str]()
    config, out = load(root), args.out
    files = find_data_files(config, root, {}, root)
    named, about = files.paths.items(), (files.columns, config.reading)
    splits = {split: read_reference(path, split, *about) for split, path in named}
    if not {"train", "test"} <= splits.keys():
        raise ConfigError("what is new is told by data.train and data.test: set both")
    if args.labelled:
        new = labelled_rows(args.files, config, left_out)
        contents, rows = extend(splits, new, out, config, args.seed, left_out)
        after = "pytest suites/data " + " ".join(f"--{p.stem}-data {p}" for p in contents)
    else:
        if out.suffix != ".csv" or args.rows < 1:
            raise ConfigError(f"-o {out} --rows {args.rows}: a .csv and 1 row or more are valid")
        logged = logged_rows(args.files, splits, config, left_out)
        if not len(logged):
            raise ConfigError(f"the logs hold no row that is new; left out: {dict(+left_out)}")
        wrong = failures(StateDir(root), args.run, splits["test"], config)
        contents, rows = draw(logged, splits["train"], wrong, out, args.rows)
        after = f"tunegate review serve {out}; tunegate data next --import {out} -o FOLDER"
    atomic_write_all(contents)
    paths = [*contents] if args.labelled else [out, *contents]
    lines = [("wrote", ", ".join(map(str, paths)))]
    lines += [("rows", f"{n:,} {why}") for why, n in rows.items()]
    lines += [("left out", f"{n:,} {why}") for why, n in (+left_out).items()]
    shown = (f"{heading:<10}{text}" for heading, text in [*lines, ("next", after)])
    print_result(args.json, {"paths": paths, "rows": rows, "left_out": +left_out}, shown)


def logged_rows(
    logs: Sequence[Path], splits: Splits, config: Config, left_out: Counter[str]
) -> Dataset:
    """Return the redacted rows of logs that no split has, one of those that are alike."""
    limits, rows = config.limits, list[dict[str, Any]]()
    kept = {name.partition(".")[0] for name in (*config.data.group_by, config.data.time_by)}
    texts = (e.text for known in splits.values() for e in known)  # whose placeholders are taken
    redactor = Redactor(texts, limits.pii_ignore, limits.pii_allow, names=limits.pii_names)
    for path in logs:
        dataset = read_file(path, config.data.columns, reading=config.reading)
        left_out["cannot be read"] += sum(not problem.hint for problem in dataset.problems)
        for e in dataset:
            own = {k: e.fields[k] for k in sorted(kept & e.fields.keys())}
            fields = {**own, "messages": [*e.messages], **given_fields(e.fields)}
            done = redactor.redact_row({**fields, LINEAGE: {"log": path.name, "line": e.line}})
            lacks = not e.prompt.strip() or len(e.given) == len(e.messages)
            if done.refusal or lacks or not own.items() <= done.fields.items():
                left_out["have no prompt, no reply, or cannot be redacted"] += 1
            else:
                rows.append(done.fields)
    logged = Dataset.of(rows, reading=config.reading)
    found = (leakage.find(d, logged, similarity=limits.similarity) for d in splits.values())
    known = {f.row for findings in found for f in findings if f.kind in ("exact", "near")}
    left_out["stand in the splits"] = len(known)
    fresh = [e for e in logged if e.row not in known]
    first = sorted(min(group) for group in similar_groups(fresh, limits.similarity))
    left_out["are like another"] = len(fresh) - len(first)
    return Dataset.of([fresh[i].fields for i in first], reading=config.reading)


def failures(state: StateDir, name: str, test: Dataset, config: Config) -> list[str]:
    """Return the prompts that a model got wrong; none where `latest` was not asked this test."""
    try:
        answers = judged_answers(find_judged(state, name), test)
    except ConfigError:
        if name != "latest":
            raise
        return []
    return [p.prompt for p in answers if not config.label_rule.right(p)]


def rankings(fresh: Dataset, train: Dataset, failed: Sequence[str]) -> Iterator[Ranking]:
    """Yield rows by doubt in labels (logistic regression), by distance to training, by failures."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import NearestNeighbors

    def ranked(why: str, *keys: Any) -> Ranking:
        orders = (np.argsort(key, kind="stable") for key in keys)
        return ((int(i), why) for turn in zip(*orders, strict=True) for i in turn)

    texts = [e.prompt for e in fresh], [e.prompt for e in train]
    words = fit_words([*texts[0], *texts[1], *failed])
    new, old = map(words.transform, texts)
    if len(label_counts(train)) > 1:
        model = LogisticRegression(max_iter=1000).fit(old, [e.label for e in train])
        own = dict(zip(model.classes_, model.predict_proba(new).T, strict=True))
        sure = [own[e.label][e.row] if e.label in own else 0.0 for e in fresh]
        yield ranked("label in doubt", sure)
    near = NearestNeighbors(n_neighbors=1, metric="cosine").fit(old).kneighbors(new)[0][:, 0]
    yield ranked("unlike training", -near)
    clusters = cluster_texts(failed, range(len(failed)))
    typical = (words.transform([failed[cluster.rows[0]]]) for cluster in clusters)
    yield ranked("like a failure", *(-(new @ row.T).toarray()[:, 0] for row in typical))


def draw(fresh: Dataset, train: Dataset, failed: Sequence[str], out: Path, size: int) -> Made:
    """Write the sheet; return the file of the rows that it is about, by the rankings in turn."""
    chosen = dict[int, str]()
    for turn in zip_longest(*rankings(fresh, train, failed)):
        for i, why in filter(None, turn):
            if len(chosen) < size:
                chosen.setdefault(i, why)
    came_from = {i: {**fresh[i].fields[LINEAGE], "why": why} for i, why in chosen.items()}
    data = json_lines({**fresh[i].fields, LINEAGE: origin} for i, origin in came_from.items())
    path = out.with_suffix(".jsonl")
    of_draw = b',"%s":{"log":' % LINEAGE.encode()
    if path.exists() and not all(of_draw in line for line in path.read_bytes().splitlines()):
        raise ConfigError(f"-o {out}: its rows come into {path}, which is other data: name another")
    drawn = Dataset.parse(data, path=path, reading=fresh.reading)
    write_sheet(out, drawn, drawn, 0)
    return {path: data}, Counter(chosen.values())


def labelled_rows(sheets: Sequence[Path], config: Config, left_out: Counter[str]) -> Dataset:
    """Return the rows found right or corrected, with sheet and reviewers; or ConfigError."""
    rows, said = dict[str, Example](), defaultdict[str, list[SheetEntry]](list)
    for sheet in map(read_sheet, sheets):
        path = sheet.path.with_name(sheet.file)
        drawn = read_file(path, {}, reading=config.reading) if path.is_file() else Dataset([])
        if drawn.digest != sheet.digest:
            raise ConfigError(f"{sheet.path}: its rows, {path}, are gone or changed: draw again")
        rows |= {row_id(e): e for e in drawn}
        for entry in sheet.entries:
            place, who = f"{sheet.path}, row {entry.sheet_row}", bool(entry.reviewer)
            if entry.id not in rows or entry.verdict not in ("", *VERDICTS):
                raise ConfigError(f"{place}: an id of {path}, and {', '.join(VERDICTS)} are valid")
            if CUT_MARK in entry.correction or (entry.verdict and not who):
                raise ConfigError(f"{place}: a reviewer, and a whole reply, are needed")
            if entry.verdict not in ("", "unsure"):
                said[entry.id].append(entry)
    labelled = list[dict[str, Any]]()
    for id_, example in rows.items():
        replies = {e.correction or (e.reply if e.verdict == "ok" else "") for e in said[id_]}
        if len(replies) != 1 or replies == {""}:
            left_out["undecided, not decided alike, or wrong without a correction"] += 1
            continue
        reply, fields = replies.pop(), {**example.fields}
        if reply != said[id_][0].reply:
            fields["messages"] = [*example.given, {"role": "assistant", "content": reply}]
        reviewers = ", ".join(dict.fromkeys(e.reviewer for e in said[id_]))
        fields[LINEAGE] = {**fields.get(LINEAGE, {}), "row": id_, "reviewer": reviewers}
        labelled.append(fields)
    return Dataset.of(labelled, reading=config.reading)


def extend(
    splits: Splits, labelled: Dataset, out: Path, config: Config, seed: int, left_out: Counter[str]
) -> Made:
    """Return the splits with new rows, as files of a folder.

    Of the new rows test gets the share that it has of train and test now, label by label. A row
    that is like rows of one split, or of one source with them, goes there.
    """
    known = {i for split in splits.values() for i in rows_in_training(labelled, split)}
    left_out["stand in the splits"] = len(known)  # such as those of a sheet that was imported
    if not (new := [e for e in labelled if e.row not in known]):
        raise ConfigError(f"no labelled row is new; left out: {dict(+left_out)}")
    if out.exists():
        raise ConfigError(f"{out} is there already: name a new folder")
    owners, old = [s for s, d in splits.items() for _ in d], [e for d in splits.values() for e in d]
    placed, free = defaultdict[str, list[int]](list), list[list[int]]()
    for group in similar_groups([*old, *new], config.limits.similarity):
        own = [i - len(old) for i in group if i >= len(old)]
        sides = {owners[i] for i in group if i < len(old)} if own else ()
        if len(sides) > 1:
            left_out["like rows of several splits"] += len(own)
        elif own:
            placed[sides.pop()].extend(own) if sides else free.append(own)
    share = len(splits["test"]) / (len(splits["train"]) + len(splits["test"]))
    shares = {"train": 1 - share, "test": share}
    for split, rows in stratified_group_split([e.label for e in new], free, shares, seed).items():
        placed[split] += rows
    added = {split: [new[i] for i in sorted(placed[split])] for split in splits}
    rows_of = {split: [e.fields for e in (*splits[split], *rows)] for split, rows in added.items()}
    contents = {out / f"{split}.jsonl": json_lines(rows) for split, rows in rows_of.items()}
    return contents, {f"to {split}": len(rows) for split, rows in added.items()}
