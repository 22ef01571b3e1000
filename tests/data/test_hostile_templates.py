"""Chat templates that loop, swell or reach for Python end in one sentence, within seconds."""

import time

import pytest

from workbench.core.data.templates.render import ChatTemplate
from workbench.core.data.templates.sandbox import SECONDS
from workbench.core.data.tokens.tokenizer import open_tokenizer
from workbench.core.errors import UserError
from workbench.core.places import tiny_folder

MESSAGES = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]
GROW = "{% set ns = namespace(s='x'*100) %}{% for a in range(100) %}{% set ns.s = ns.s GROWS ns.s %}{% endfor %}"
REFUSED = [
    "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
    "{% for a in range(1000000000) %}{% endfor %}",
    GROW.replace("GROWS", "+"),
    GROW.replace("GROWS", "~"),
    "{{ 'x' * 9999999999 }}",
    "{{ 'x'.rjust(9999999999) }}",
    "{{ '%9999999999d' % 1 }}",
    "{{ '%*d' % (999999999, 1) }}",
    "{{ '{:>9999999999}'.format(1) }}",
    "{{ '{:{w}}'.format(1, w=99999999) }}",
    "{{ 'x'|center(9999999999) }}",
    "{{ ('x'*1000000).replace('x', 'y'*1000000) }}",
    "{{ ('x'*1000000)|replace('x', 'y'*1000000) }}",
    "{{ ('a\n'*100000)|indent(99999) }}",
    "{{ [1]*999999999 }}",
    "{{ messages|tojson(indent=99999999) }}",
    "{{ messages|batch(999999999, 'x')|list }}",
    "{{ range(100000)|map('string')|map('center', 99999)|join }}",
    "{{ ((range(99999)|list)*200)|join('y'*100) }}",
    "{% set x %}{% for a in range(100000) %}{{ 'y'*100000 }}{% endfor %}{% endset %}",
    "{% for a in range(100000) %}{{ 'y'*100000 }}{% endfor %}",
    "{% set a = namespace(n=10) %}{% for i in range(60) %}{% set a.n = a.n*a.n %}{% endfor %}{{ a.n }}",
    "{% macro f(s) %}{{ f(s) }}{% endmacro %}{{ f('x') }}",
    "{% macro f(s, n) %}{% if n %}{{ f(s~s, n-1) }}{% endif %}{% endmacro %}{{ f('x', 300) }}",
    "{% for a in range(100000) recursive %}{{ loop(range(100000)) }}{% endfor %}",
    "{{ ''.__class__.__mro__ }}",
    "{{ messages.__init__.__globals__ }}",
    "{{ cycler.__init__.__globals__.os }}",
    "{% include '/etc/passwd' %}",
    "{{ lipsum(1000000) }}",
    "{{ " + "(" * 50_000 + "1" + ")" * 50_000 + " }}",
    "{% if x %}" * 3000 + "{% endif %}" * 3000,
    "{{" * 100_000,
    "x" * 2_000_000,
]


@pytest.mark.parametrize("source", REFUSED, ids=lambda source: source[:50])
def test_a_hostile_template_is_refused_in_a_sentence_within_seconds(source):
    template = ChatTemplate("test", source, open_tokenizer(tiny_folder()))
    started = time.monotonic()
    with pytest.raises(UserError) as refused:
        template.render(MESSAGES)
    assert time.monotonic() - started < SECONDS + 15
    assert "template (test)" in refused.value.sentence
    assert "\n" not in refused.value.sentence


@pytest.mark.parametrize(
    "source", ["{{ ''['__class__'] }}", "{{ 'x'|attr('__class__') }}", "{{ raise_exception.__globals__ }}"]
)
def test_what_leads_to_python_is_not_there(source):
    assert ChatTemplate("test", source, open_tokenizer(tiny_folder())).render(MESSAGES) == ""


@pytest.mark.parametrize(
    ("source", "written"),
    [
        ("{% set a = 1 %}{% generation %}{% set a = 2 %}{{ a }}{% endgeneration %}{{ a }}", "21"),
        ("{% for m in messages %}{% generation %}{{ loop.index }}{{ m.role }}{% endgeneration %}{% endfor %}",
         "1user2assistant"),
        ("{% set x %}{% generation %}a{% endgeneration %}{% endset %}{{ x }}{{ 'b' + 'c' ~ 1 ~ 2 }}", "abc12"),
        ("{{ messages[0].keys()|list|length }}{{ messages[0].missing is defined }}", "2False"),
        ("{% for a in [[1, [2]]] recursive %}{{ a if a is number else loop(a) }}{% endfor %}", "12"),
        ("{{ [1] + [2] }}{{ 1 + 2 }}{{ 'a' 'b' + 'c' }}", "[1, 2]3abc"),
    ],
)  # fmt: skip
def test_what_templates_do_stays_what_jinja_does(source, written):
    assert ChatTemplate("test", source, open_tokenizer(tiny_folder())).render(MESSAGES) == written
