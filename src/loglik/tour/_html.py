"""``loglik tour --html``: the steps as one page of HTML with everything in it."""

import html
import re
import sys
from collections.abc import Iterable, Sequence

import loglik
from loglik.tour._figures import svg
from loglik.tour._step import PREAMBLE, Done, Session, Step

_STYLE = """\
:root { color-scheme: light dark; --ground: #ffffff; --panel: #f4f6f8; --line: #dde2e8; --ink: #1d2530;
  --muted: #66717f; --blue: #2166ac; --red: #c0392b; --green: #1b7f4b; --gold: #b7791f; --link: #1f5f9f; }
@media (prefers-color-scheme: dark) { :root { --ground: #14181d; --panel: #1d232a; --line: #323b45; --ink: #e3e8ee;
  --muted: #93a0ae; --blue: #6bb1ff; --red: #ff8a7a; --green: #5fd09a; --gold: #f0c25e; --link: #8cc2ff; }
  figure svg image { filter: invert(0.88); } }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 1rem; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0; background: var(--ground); color: var(--ink); line-height: 1.6;
  font: 17px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
a { color: var(--link); text-decoration-thickness: 1px; text-underline-offset: 2px; }
.page { display: grid; grid-template: "nav header" "nav main" 1fr / 17.5rem minmax(0, 46rem); column-gap: 3.5rem;
  max-width: 72rem; margin: 0 auto; padding: 0 1.5rem 4rem; }
header { grid-area: header; }
main { grid-area: main; }
nav { grid-area: nav; position: sticky; top: 0; align-self: start; max-height: 100vh; overflow-y: auto; padding: 2.2rem 0;
  font-size: 0.83rem; line-height: 1.4; }
nav h2 { margin: 1.1rem 0 0.3rem; font-size: 0.72rem; letter-spacing: 0.07em; text-transform: uppercase;
  color: var(--muted); }
nav ol { margin: 0; padding: 0 0 0 1.7rem; }
nav li { padding: 0.1rem 0; }
nav li::marker { color: var(--muted); font-variant-numeric: tabular-nums; }
nav a { color: inherit; text-decoration: none; }
nav a:hover { color: var(--link); text-decoration: underline; }
header { padding: 3rem 0 0.5rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 0.6rem; letter-spacing: -0.015em; }
h2.chapter { margin: 4rem 0 0; padding-bottom: 0.35rem; border-bottom: 2px solid var(--ink); font-size: 1.5rem; }
section { margin: 2.4rem 0 0; padding-bottom: 2.2rem; border-bottom: 1px solid var(--line); }
section h3 { margin: 0 0 0.5rem; font-size: 1.22rem; line-height: 1.3; }
section h3 .number { display: inline-block; min-width: 1.7em; margin-right: 0.5em; padding: 0.05em 0.3em; border-radius: 0.3em;
  background: var(--blue); color: var(--ground); font-size: 0.85em; text-align: center; font-variant-numeric: tabular-nums; }
section p { margin: 0.5rem 0; }
.formula { margin: 0.8rem 0; padding: 0 0 0 1rem; border-left: 3px solid var(--gold); overflow-x: auto; white-space: pre;
  font: italic 1.08rem/1.7 "STIX Two Text", "Cambria Math", Cambria, Georgia, "Liberation Serif", "DejaVu Serif", serif; }
pre { margin: 0; padding: 0.75rem 1rem; overflow-x: auto; font: 0.8rem/1.55 ui-monospace, "SF Mono", Menlo, Consolas,
  "DejaVu Sans Mono", monospace; }
pre.code { background: var(--panel); border: 1px solid var(--line); border-radius: 0.5rem 0.5rem 0 0; }
pre.code .comment { color: var(--muted); }
pre.code .string { color: var(--green); }
pre.code .name { color: var(--blue); }
pre.printed { border: 1px solid var(--line); border-top: 0; border-radius: 0 0 0.5rem 0.5rem; }
figure { margin: 1.1rem 0 0; }
figure div { overflow-x: auto; }
figure svg { display: block; width: 100%; min-width: 30rem; height: auto; }
figure svg text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif !important; }
figcaption { margin-top: 0.3rem; color: var(--muted); font-size: 0.85rem; line-height: 1.45; }
.topics { margin: 0.7rem 0 0; color: var(--muted); font-size: 0.78rem; }
table { border-collapse: collapse; margin: 1rem 0; font-size: 0.88rem; line-height: 1.4; }
th, td { padding: 0.25rem 0.9rem 0.25rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
footer { color: var(--muted); font-size: 0.85rem; padding-top: 1.5rem; }
@media (max-width: 60rem) { .page { display: block; padding: 0 1.1rem 3rem; }
  nav { position: static; max-height: none; padding: 1rem 0; columns: 2; }
  nav h2 { break-after: avoid; } header { padding-top: 1.6rem; } }
@media (max-width: 36rem) { body { font-size: 16px; } nav { columns: 1; } h1 { font-size: 1.7rem; } }
@media print { .page { display: block; } nav { display: none; } section { break-inside: avoid; } }
"""

_TOKEN = re.compile(
    r"(?P<comment>#[^\n]*)|(?P<string>f?\"[^\"\n]*\"|'[^'\n]*')"
    r"|\b(?P<name>ll\.[A-Za-z_]+(?:\.[a-z_]+)?|load_body|load_digits)\b"
)

Chapters = Sequence[tuple[str, Sequence[tuple[int, Step]]]]


def page(chapters: Chapters, session: Session, topics: dict[int, str]) -> str:
    """The whole page; `session` executes the steps. Progress on stderr where that is a terminal."""
    contents, body = [], []
    for title, steps in chapters:
        contents += [f"<h2>{_text(title)}</h2>", f'<ol start="{steps[0][0]}">']
        contents += [f'<li value="{i}"><a href="#{step.name}">{_text(step.title)}</a></li>' for i, step in steps]
        contents.append("</ol>")
        body.append(f'<h2 class="chapter">{_text(title)}</h2>')
        for number, step in steps:
            if sys.stderr.isatty():
                print(f"\r{number}. {step.title:60}", end="", file=sys.stderr, flush=True)
            body.append(_section(number, step, session(step.name), topics))
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>loglik: probabilities for deep learning</title>
<style>
{_STYLE}</style>
</head>
<body>
<div class="page">
<header>
<h1>Probabilities for deep learning, on real data</h1>
<p>A lecture in steps: each is a question, the few lines of code that answer it, their values, and a picture. The
code ran as in a notebook: a line that is an expression shows its value. Logarithms are natural, so log-likelihoods
and divergences are in nats. Random numbers have fixed seeds: the same lines give the same numbers. Every step starts
with</p>
<pre class="code" style="border-radius: 0.5rem">{_code(PREAMBLE)}</pre>
</header>
<nav aria-label="Contents">
{_lines(contents)}
</nav>
<main>
{_lines(body)}
{_index(chapters, topics)}
<footer>Made by <code>loglik tour --html</code>, loglik {_text(loglik.__version__)} with {loglik.isa()} kernels.
Data: G. Heinz et al., body measurements of 507 people (2003); E. Alpaydin and C. Kaynak, handwritten digits
(UCI, 1998, CC BY 4.0).</footer>
</main>
</div>
</body>
</html>
"""


def _section(number: int, step: Step, done: Done, topics: dict[int, str]) -> str:
    formula = f'<div class="formula">{_text(step.formula)}</div>\n' if step.formula else ""
    names = " · ".join(f"{i} {_text(topics[i])}" for i in step.topics)
    needs = f'Continues <a href="#{step.needs}">{step.needs}</a>. ' if step.needs else ""
    return f"""\
<section id="{step.name}" aria-labelledby="{step.name}-title">
<h3 id="{step.name}-title"><span class="number">{number}</span>{_text(step.title)}</h3>
<p>{_text(step.question)}</p>
{formula}<pre class="code">{_code(step.code)}</pre>
<pre class="printed">{_text(_lines(done.printed()))}</pre>
<figure role="group" aria-label="{html.escape(step.caption)}">
<div>{svg(step, done)}</div>
<figcaption>{_text(step.caption)}</figcaption>
</figure>
<p class="topics">{needs}{"Lecture: " + names if names else ""}</p>
</section>"""


def _index(chapters: Chapters, topics: dict[int, str]) -> str:
    """Which steps show each topic of the lecture."""
    rows = []
    for i, topic in topics.items():
        steps = [(n, step) for _, inside in chapters for n, step in inside if i in step.topics]
        links = ", ".join(f'<a href="#{step.name}">{n} {_text(step.title)}</a>' for n, step in steps)
        if links:
            rows.append(f"<tr><td>{i}</td><td>{_text(topic)}</td><td>{links}</td></tr>")
    head = "<tr><th>Lecture</th><th>Topic</th><th>Steps</th></tr>"
    return f'<h2 class="chapter">Topics of the lecture</h2>\n<table>\n{head}\n{_lines(rows)}\n</table>' if rows else ""


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def _text(text: str) -> str:
    return html.escape(text, quote=False)


def _code(code: str) -> str:
    """Python with its comments, strings and the package's names marked."""
    parts, end = [], 0
    for match in _TOKEN.finditer(code):
        parts += [_text(code[end : match.start()]), f'<span class="{match.lastgroup}">{_text(match[0])}</span>']
        end = match.end()
    return "".join(parts) + _text(code[end:])
