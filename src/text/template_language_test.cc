#include <gtest/gtest.h>

#include "text/template_for_test.h"

// What is expected here was rendered by jinja2 3.1.6, as described in template.h.

namespace tandem::text {
namespace {

TEST(TemplateLanguage, BlockTagsTakeTheirLineEndAlong) {
  ExpectRenderings({
      {"a\n{% if true %}\nb\n{% endif %}\nc\n", "a\nb\nc"},
      {"  {% if true %}\n  b\n  {% endif %}\n", "  b\n"},
      {"x {% if true %} y\n {% endif %}z", "x  y\nz"},
      {"{{ 1 }}\n{{ 2 }}\n", "1\n2"},
      {"{# c #}\na", "a"},
      {"  {# c #}\nb", "b"},
      {"a {# c #}\nb", "a b"},
      {"{% set a = 1 %}\n\n{{ a }}", "\n1"},
  });
}

TEST(TemplateLanguage, SignsControlWhiteSpaceByHand) {
  ExpectRenderings({
      {"a  {{- 1 -}}  b", "a1b"},
      {"a\n  {%- if true -%}\n b \n{%- endif -%}\n c", "abc"},
      {"  {%+ if true %}b{% endif %}", "  b"},
      {"{% if true +%}\nb{% endif %}", "\nb"},
      {"a {#- c -#} b", "ab"},
      {"a  {{- '' }} b", "a b"},
      {"a 　{{- 1 }}", "a1"},
  });
}

TEST(TemplateLanguage, RawTextIsNotRead) {
  ExpectRenderings({
      {"{% raw %}{{ x }}{% if %}{% endraw %}", "{{ x }}{% if %}"},
      {"{% raw %}\n a\n{% endraw %}\nb", "\n a\nb"},
      {"a {%- raw -%} b {%- endraw -%} c", "abc"},
      {"{% raw %}x", "TemplateSyntaxError at 1:10: Missing end of raw directive"},
  });
}

TEST(TemplateLanguage, LineEndsBecomeOne) {
  ExpectRenderings({
      {"a\r\nb\rc\n", "a\nb\nc"},
      {"{{ 'a\r\nb' }}", "a\nb"},
  });
}

TEST(TemplateLanguage, LiteralsReadAsInPython) {
  ExpectRenderings({
      {"{{ 1_000 }} {{ 0x1F }} {{ 0b101 }} {{ 0o17 }}", "1000 31 5 15"},
      {"{{ 1e3 }} {{ 1.5e-3 }} {{ 2.0 }}", "1000.0 0.0015 2.0"},
      {"{{ '\\u00e9\\x41\\101\\q\\n|' }}", "éAA\\q\n|"},
      {"{{ 'it\\'s' \"a\" 'b' }}", "it'sab"},
      {"{{ [1, 'a', none, true, 1.5, (1,), (), {'a': []}] }}",
       "[1, 'a', None, True, 1.5, (1,), (), {'a': []}]"},
      {"{{ true }}{{ True }}{{ none }}{{ None }}", "TrueTrueNoneNone"},
      {"{{ 'a\\\nb' }}", "ab"},
  });
}

TEST(TemplateLanguage, NumbersPrintAsInPython) {
  ExpectRenderings({
      {"{{ 1/3 }} {{ 2/1 }} {{ 7//2 }} {{ -7//2 }} {{ -7%3 }} {{ 7%-3 }} {{ -7.5%2 }}",
       "0.3333333333333333 2.0 3 -4 2 -2 0.5"},
      {"{{ 1e16 }} {{ 1e15 }} {{ 1e-5 }} {{ 0.0001 }} {{ 0.1+0.2 }} {{ -0.0 }}",
       "1e+16 1000000000000000.0 1e-05 0.0001 0.30000000000000004 -0.0"},
      {"{{ 2**10 }} {{ 2**-1 }} {{ 2**0.5 }} {{ -2**2 }} {{ 2**3**2 }}",
       "1024 0.5 1.4142135623730951 4 64"},
      {"{{ 1+true }} {{ 18446744073709551615 + 1 }}", "2 18446744073709551616"},
      {"{{ 1e400 }} {{ -1e400 }}", "inf -inf"},
  });
}

TEST(TemplateLanguage, OperatorsBindAsInJinja) {
  ExpectRenderings({
      {"{{ 1 + 2 ~ 3 }} {{ 2 * 3 ~ 4 }} {{ 'a' ~ 1 + 2 }}",
       "TypeError at 1:6: unsupported operand type(s) for +: 'int' and 'str'"},
      {"{{ not 1 == 2 }} {{ 1 in [1] and 2 in [2] }} {{ 1 not in [1] or 2 }}", "True True 2"},
      {"{{ 1 < 2 < 3 }} {{ 1 < 2 > 3 }}", "True False"},
      {"{{ -1|abs }} {{ 'a' 'b'|upper ~ 'c' }}", "1 ABc"},
      {"{{ 1 if false else 2 if false else 3 }}[{{ 1 if false }}]", "3[]"},
      {"{{ 0 or 'x' }} {{ '' and 1 }}[{{ '' or none }}]", "x [None]"},
      {"{{ 'b' in 'abc' }} {{ 'b' in {'b': 1} }} {{ [1] == [1.0] }}", "True True True"},
  });
}

TEST(TemplateLanguage, ForKnowsItsPlace) {
  constexpr const char* kVariables =
      R"({"l": [1, 2, 3], "d": {"b": 1, "a": 2}, "n": null, "x": "X"})";
  ExpectRenderings(
      {
          {"{% for i in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 "
           "}}{{ loop.first }}{{ loop.last }}{{ loop.length }};{% endfor %}",
           "1032TrueFalse3;2121FalseFalse3;3210FalseTrue3;"},
          {"{% for i in l %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }};{% endfor %}",
           "<1>2;1<2>3;2<3>;"},
          {"{% for i in l %}{{ loop.cycle('a','b') }}{{ loop.changed(i > 1) }};{% endfor %}",
           "aTrue;bTrue;aFalse;"},
          {"{% for i in l if i > 1 %}{{ i }}/{{ loop.index }}/{{ loop.length }};{% endfor %}",
           "2/1/2;3/2/2;"},
          {"{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k in d %}{{ k }}{% "
           "endfor %}",
           "b=1;a=2;ba"},
          {"{% for a, (b, c) in [[1, [2, 3]]] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "123"},
          {"{% for c in 'añb' %}{{ c }}.{% endfor %}", "a.ñ.b."},
      },
      kVariables);
}

TEST(TemplateLanguage, ForElseAndLoopControls) {
  constexpr const char* kVariables =
      R"({"l": [1, 2, 3], "d": {"b": 1, "a": 2}, "n": null, "x": "X"})";
  ExpectRenderings(
      {
          {"{% for i in [] %}x{% else %}none{% endfor %}", "none"},
          {"{% for i in undef %}x{% else %}none{% endfor %}", "none"},
          {"{% for i in l %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}", "1"},
          {"{% for i in l %}{% if i == 2 %}{% continue %}{% endif %}{{ i }}{% endfor %}", "13"},
          {"{% for i in l %}{% break %}{% else %}E{% endfor %}", "E"},
          {"{% for j in l %}{{ j }}{% for i in [] %}{% else %}{% break %}{% endfor %}{% endfor %}",
           "1"},
          {"{% for i in l %}{% set z %}a{% if i == 2 %}{% break %}{% endif %}{% endset %}{{ z }}{{ "
           "i }}{% endfor %}",
           "a1"},
      },
      kVariables);
}

TEST(TemplateLanguage, ForCanRecurse) {
  constexpr const char* kVariables =
      R"({"tree": [{"v": 1, "c": [{"v": 2, "c": []}, {"v": 3, "c": [{"v": 4, "c": []}]}]}, {"v": 5, "c": []}]})";
  ExpectRenderings(
      {
          {"{% for i in tree recursive %}{{ i.v }}({{ loop(i.c) }}){{ loop.depth }}{% endfor %}",
           "1(2()23(4()3)2)15()1"},
          {"{% for i in tree %}{{ loop(i.c) }}{% endfor %}",
           "TypeError at 1:23: The loop must have the 'recursive' marker to be called "
           "recursively."},
      },
      kVariables);
}

TEST(TemplateLanguage, SetStaysInItsScope) {
  constexpr const char* kVariables =
      R"({"l": [1, 2, 3], "d": {"b": 1, "a": 2}, "n": null, "x": "X"})";
  ExpectRenderings(
      {
          {"{% set x = 1 %}{% for i in l %}{% set x = x + 1 %}{{ x }}{% endfor %}{{ x }}", "2221"},
          {"{% for i in l %}{% set y = i %}{% endfor %}[{{ y }}]", "[]"},
          {"{% if true %}{% set y = 1 %}{% endif %}{{ y }}", "1"},
          {"{% set q %}{% set z = 5 %}a{% endset %}{{ q }}[{{ z }}]", "a[]"},
          {"{% with x = 1, y = 2 %}{{ x }}{{ y }}{% endwith %}{{ x }}", "12X"},
          {"{% filter upper %}a{% set z = 1 %}{% endfilter %}[{{ z }}]", "A[]"},
          {"{% generation %}{% set z = 1 %}g{% endgeneration %}[{{ z }}]", "g[]"},
          {"{% set a, b = 1, 2 %}{{ b }}{{ a }}", "21"},
          {"{% set q | upper %}hi {{ x }}{% endset %}{{ q }}", "HI X"},
      },
      kVariables);
}

TEST(TemplateLanguage, NamesThatAScopeStoresFirstHideVariables) {
  constexpr const char* kVariables =
      R"({"messages": [{"role": "user", "content": "Hi <b>"}, {"role": "assistant", "content": "Yo", "n": 2}], "tools": [{"t": 1}]})";
  ExpectRenderings(
      {
          {"{% macro m() %}[{{ tools }}]{% endmacro %}{{ m() }}{% set tools = 2 %}{{ m() }}",
           "[][2]"},
          {"{{ tools }}{% macro m() %}[{{ tools }}]{% endmacro %}{{ m() }}{% set tools = 2 %}{{ "
           "m() }}",
           "[{'t': 1}][[{'t': 1}]][2]"},
          {"{% for i in [1, 2] %}{% if i == 2 %}{% set tools = 2 %}{% endif %}{{ tools }}{% endfor "
           "%}",
           "[{'t': 1}]2"},
          {"{% block b %}{{ tools }}{% endblock %}{% set tools = 1 %}", "[{'t': 1}]"},
      },
      kVariables);
}

TEST(TemplateLanguage, NamespacesCarryValuesOut) {
  constexpr const char* kVariables =
      R"({"l": [1, 2, 3], "d": {"b": 1, "a": 2}, "n": null, "x": "X"})";
  ExpectRenderings(
      {
          {"{% set ns = namespace(c=0) %}{% for i in l %}{% set ns.c = ns.c + i %}{% endfor %}{{ "
           "ns.c }}",
           "6"},
          {"{% set ns = namespace({'q': 1}, w=2) %}{{ ns }}[{{ ns.zz }}]{{ ns['w'] }}",
           "<Namespace {'q': 1, 'w': 2}>[]2"},
          {"{% set ns = namespace() %}{% set ns.a, ns.b = 1, 2 %}{{ ns.a }}{{ ns.b }}", "12"},
          {"{% set ns = namespace(f=false) %}{% for i in l if not ns.f %}{{ i }}{% set ns.f = true "
           "%}{% endfor %}",
           "1"},
          {"{% set ns = namespace() %}{% set ns.a = ns %}{{ ns.a.a.a is defined }}", "True"},
          {"{% set d.x = 1 %}",
           "TemplateRuntimeError at 1:8: cannot assign attribute on non-namespace object"},
          {"{% set ns = namespace(a=1) %}{{ ns.b.c }}",
           "UndefinedError at 1:38: 'jinja2.utils.Namespace object' has no attribute 'b'"},
      },
      kVariables);
}

TEST(TemplateLanguage, MacrosBindTheirArguments) {
  constexpr const char* kVariables =
      R"({"l": [1, 2, 3], "d": {"b": 1, "a": 2}, "n": null, "x": "X"})";
  ExpectRenderings(
      {
          {"{% macro m(a, b=2) %}{{ a }}-{{ b }};{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(b=5, "
           "a=4) }}{{ m() }}",
           "1-2;1-3;4-5;-2;"},
          {"{% macro m(a, b=a) %}{{ b }}{% endmacro %}{{ m(3) }}", "3"},
          {"{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, c=3) }}",
           "(1, 2){'c': 3}"},
          {"{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}",
           "TypeError at 1:41: macro 'm' takes not more than 1 argument(s)"},
          {"{% macro m(a) %}{{ a }}{% endmacro %}{{ m(c=2) }}",
           "TypeError at 1:41: macro 'm' takes no keyword argument 'c'"},
          {"{% macro m(a) %}{{ a.b }}{% endmacro %}{{ m() }}",
           "UndefinedError at 1:22: parameter 'a' was not provided"},
          {"{% macro m() %}{{ x }}{% endmacro %}{% set x = 2 %}{{ m() }}", "2"},
          {"{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}",
           "3210"},
          {"{% macro m(a) %}[{{ a }}]{% endmacro %}{{ m(*[1]) }}{{ m(**{'a': 2}) }}", "[1][2]"},
      },
      kVariables);
}

TEST(TemplateLanguage, CallBlocksPassACaller) {
  constexpr const char* kVariables =
      R"({"l": [1, 2, 3], "d": {"b": 1, "a": 2}, "n": null, "x": "X"})";
  ExpectRenderings(
      {
          {"{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}body{{ x }}{% endcall %}",
           "[bodyX]"},
          {"{% macro m() %}{{ caller(1, 2) }}{% endmacro %}{% call(a, b) m() %}{{ b }}{{ a }}{% "
           "endcall %}",
           "21"},
          {"{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}{% call m() %}b{% endcall "
           "%}",
           "FalseTrue"},
          {"{% macro m() %}x{% endmacro %}{% call m() %}b{% endcall %}",
           "TypeError at 1:39: macro 'm' was invoked with two values for the special caller "
           "argument. This is most likely a bug."},
          {"{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}",
           "UndefinedError at 1:19: No caller defined"},
      },
      kVariables);
}

TEST(TemplateLanguage, UndefinedValuesFailOnlyWhenUsed) {
  constexpr const char* kVariables =
      R"({"messages": [{"role": "user", "content": "Hi <b>"}, {"role": "assistant", "content": "Yo", "n": 2}], "tools": [{"t": 1}]})";
  ExpectRenderings(
      {
          {"[{{ u }}]{{ u is defined }}{{ u|default('d') }}{{ u == v }}{{ u|length }}{{ 'a' in u "
           "}}",
           "[]FalsedTrue0False"},
          {"{{ u.x }}", "UndefinedError at 1:6: 'u' is undefined"},
          {"{{ u['x'] }}", "UndefinedError at 1:5: 'u' is undefined"},
          {"{{ u + 1 }}", "UndefinedError at 1:6: 'u' is undefined"},
          {"{{ 'a' + u }}", "UndefinedError at 1:8: 'u' is undefined"},
          {"{{ u() }}", "UndefinedError at 1:4: 'u' is undefined"},
          {"{{ u < 1 }}", "UndefinedError at 1:6: 'u' is undefined"},
          {"[{{ messages[0].zz }}]{{ messages[0].zz is defined }}", "[]False"},
          {"{{ messages[0].zz.y }}", "UndefinedError at 1:19: 'dict object' has no attribute 'zz'"},
          {"{{ messages[9].role }}", "UndefinedError at 1:16: list object has no element 9"},
          {"{{ messages.startswith('a') }}",
           "UndefinedError at 1:13: 'list object' has no attribute 'startswith'"},
          {"{{ (1 if false).x }}",
           "UndefinedError at 1:17: the inline if-expression on line 1 evaluated to false and no "
           "else section was defined."},
          {"{{ u|int }}", "UndefinedError at 1:6: 'u' is undefined"},
      },
      kVariables);
}

TEST(TemplateLanguage, TypesThatDoNotFitAreErrors) {
  constexpr const char* kVariables =
      R"({"messages": [{"role": "user", "content": "Hi <b>"}, {"role": "assistant", "content": "Yo", "n": 2}], "tools": [{"t": 1}]})";
  ExpectRenderings(
      {
          {"{{ 'a' + 1 }}", "TypeError at 1:8: can only concatenate str (not \"int\") to str"},
          {"{{ 'a' + messages }}",
           "TypeError at 1:8: can only concatenate str (not \"list\") to str"},
          {"{{ 1 + 'a' }}", "TypeError at 1:6: unsupported operand type(s) for +: 'int' and 'str'"},
          {"{{ 1 < 'a' }}",
           "TypeError at 1:6: '<' not supported between instances of 'int' and 'str'"},
          {"{{ {} < {} }}",
           "TypeError at 1:7: '<' not supported between instances of 'dict' and 'dict'"},
          {"{{ [1] + 'a' }}", "TypeError at 1:8: can only concatenate list (not \"str\") to list"},
          {"{{ 1 in 5 }}", "TypeError at 1:6: argument of type 'int' is not iterable"},
          {"{{ 1 in 'abc' }}",
           "TypeError at 1:6: 'in <string>' requires string as left operand, not int"},
          {"{% for i in 5 %}{% endfor %}", "TypeError at 1:13: 'int' object is not iterable"},
          {"{% for a, b in [1] %}{% endfor %}",
           "TypeError at 1:8: cannot unpack non-iterable int object"},
          {"{% for a, b in [[1]] %}{% endfor %}",
           "ValueError at 1:8: not enough values to unpack (expected 2, got 1)"},
          {"{{ {[]: 1} }}", "TypeError at 1:4: unhashable type: 'list'"},
          {"{{ 'a'() }}", "TypeError at 1:4: 'str' object is not callable"},
          {"{{ none|length }}", "TypeError at 1:9: object of type 'NoneType' has no len()"},
          {"{{ 1 / 0 }}", "ZeroDivisionError at 1:6: division by zero"},
          {"{{ 1 // 0 }}", "ZeroDivisionError at 1:6: integer division or modulo by zero"},
          {"{{ messages[0][1:] }}", "TypeError at 1:15: unhashable type: 'slice'"},
          {"{{ [1][::0] }}", "ValueError at 1:7: slice step cannot be zero"},
      },
      kVariables);
}

TEST(TemplateLanguage, TheSandboxRefuses) {
  constexpr const char* kVariables =
      R"({"messages": [{"role": "user", "content": "Hi <b>"}, {"role": "assistant", "content": "Yo", "n": 2}], "tools": [{"t": 1}]})";
  ExpectRenderings(
      {
          {"{{ messages.append(1) }}",
           "SecurityError at 1:13: access to attribute 'append' of 'list' object is unsafe."},
          {"[{{ messages.append }}]", "[]"},
          {"{% set _ = messages[0].update({}) %}",
           "SecurityError at 1:24: access to attribute 'update' of 'dict' object is unsafe."},
          {"[{{ ''.__class__ }}]", "[]"},
          {"{{ ''.__class__.__mro__ }}",
           "SecurityError at 1:17: access to attribute '__class__' of 'str' object is unsafe."},
          {"{{ '{0.__class__}'.format(1) }}x", "x"},
          {"{{ range(100001) }}",
           "OverflowError at 1:4: Range too big. The sandbox blocks ranges larger than MAX_RANGE "
           "(100000)."},
          {"{{ messages[0].pop('role') }}",
           "SecurityError at 1:16: access to attribute 'pop' of 'dict' object is unsafe."},
          {"{{ messages|attr('__len__') }}x", "x"},
      },
      kVariables);
}

TEST(TemplateLanguage, NothingCanBeLoaded) {
  ExpectRenderings({
      {"{% include 'x' %}", "TypeError at 1:4: no loader for this environment specified"},
      {"a{% extends 'x' %}", "TypeError at 1:5: no loader for this environment specified"},
      {"{% import 'x' as y %}", "TypeError at 1:4: no loader for this environment specified"},
      {"{% from 'x' import y %}", "TypeError at 1:4: no loader for this environment specified"},
      {"{% include 'x' ignore missing %}",
       "TypeError at 1:4: no loader for this environment specified"},
  });
}

TEST(TemplateLanguage, BlocksPrintInPlace) {
  constexpr const char* kVariables =
      R"({"l": [1, 2, 3], "d": {"b": 1, "a": 2}, "n": null, "x": "X"})";
  ExpectRenderings(
      {
          {"{% set z = 1 %}a{% block b %}{{ z }}{% endblock %}c{{ self.b() }}", "a1c1"},
          {"{% for i in l %}{% block b scoped %}{{ i }}{% endblock %}{% endfor %}", "123"},
          {"{% for i in l %}{% block b %}[{{ i }}]{% endblock %}{% endfor %}", "[][][]"},
          {"{% block b %}{{ super() }}{% endblock %}",
           "UndefinedError at 1:17: there is no parent block called 'b'."},
      },
      kVariables);
}

TEST(TemplateLanguage, SyntaxErrorsSayWhere) {
  ExpectRenderings({
      {"{% if x %}",
       "TemplateSyntaxError at 1:9: Unexpected end of template. Jinja was looking for the "
       "following tags: 'elif' or 'else' or 'endif'. The innermost block that needs to be closed "
       "is 'if'."},
      {"a\n{% for i in l %}\n{% endif %}",
       "TemplateSyntaxError at 3:4: Encountered unknown tag 'endif'. Jinja was looking for the "
       "following tags: 'endfor' or 'else'. The innermost block that needs to be closed is 'for'."},
      {"{% nope %}", "TemplateSyntaxError at 1:4: Encountered unknown tag 'nope'."},
      {"{{ }}", "TemplateSyntaxError at 1:4: Expected an expression, got 'end of print statement'"},
      {"{{ x",
       "TemplateSyntaxError at 1:4: unexpected end of template, expected 'end of print "
       "statement'."},
      {"{{ 'abc }}", "TemplateSyntaxError at 1:4: unexpected char \"'\" at 3"},
      {"{{ a b }}", "TemplateSyntaxError at 1:6: expected token 'end of print statement', got 'b'"},
      {"{{ (1 }}", "TemplateSyntaxError at 1:7: unexpected '}', expected ')'"},
      {"{{ 1) }}", "TemplateSyntaxError at 1:5: unexpected ')'"},
      {"{{ @ }}", "TemplateSyntaxError at 1:4: unexpected char '@' at 3"},
      {"\n {{ x|nope }}", "TemplateAssertionError at 2:7: No filter named 'nope'."},
      {"{{ x is nope }}", "TemplateAssertionError at 1:9: No test named 'nope'."},
      {"{% set 1 = 2 %}", "TemplateSyntaxError at 1:8: can't assign to 'const'"},
      {"{% for i in l %}{% set loop = 1 %}{% endfor %}",
       "TemplateAssertionError at 1:24: Can't assign to special loop variable in for-loop target"},
      {"{% block b %}{% endblock %}{% block b %}{% endblock %}",
       "TemplateAssertionError at 1:31: block 'b' defined twice"},
      {"{% macro m(a=1, b) %}{% endmacro %}",
       "TemplateSyntaxError at 1:18: non-default argument follows default argument"},
      {"{# c", "TemplateSyntaxError at 1:3: Missing end of comment tag"},
      {"{% raw %}x", "TemplateSyntaxError at 1:10: Missing end of raw directive"},
      {"{{ 'éé' ~ }}", "TemplateSyntaxError at 1:11: unexpected 'end of print statement'"},
      {"{% do x %}", "TemplateSyntaxError at 1:4: Encountered unknown tag 'do'."},
  });
}

TEST(TemplateLanguage, UnknownFiltersInBranchesFailOnlyWhenRun) {
  ExpectRenderings({
      {"{% if false %}{{ x|nope }}{% endif %}ok", "ok"},
      {"{% if true %}{{ x|nope }}{% endif %}ok",
       "TemplateRuntimeError at 1:19: No filter named 'nope' found."},
      {"{{ x|nope if false }}ok", "ok"},
  });
}

TEST(TemplateLanguage, ErrorsNameTheInnermostPlace) {
  constexpr const char* kVariables =
      R"({"messages": [{"role": "user", "content": "Hi <b>"}, {"role": "assistant", "content": "Yo", "n": 2}], "tools": [{"t": 1}]})";
  ExpectRenderings(
      {
          {"{{ raise_exception('Stop!') }}", "TemplateError at 1:4: Stop!"},
          {"\n\n  {% if true %}\n    {{ 'ab' ~ raise_exception('x') }}{% endif %}",
           "TemplateError at 4:15: x"},
          {"{% macro m() %}\n  {{ undef.x }}{% endmacro %}{{ m() }}",
           "UndefinedError at 2:12: 'undef' is undefined"},
          {"{% for m in messages %}\n{% if m.n %}{{ m.n + m.role }}{% endif %}{% endfor %}",
           "TypeError at 2:20: unsupported operand type(s) for +: 'int' and 'str'"},
          {"{{ 'é' ~ messages[0].content.nope() }}",
           "UndefinedError at 1:30: 'str object' has no attribute 'nope'"},
      },
      kVariables);
}

TEST(TemplateLanguage, AutoescapeEscapesWhatIsNotSafe) {
  ExpectRenderings({
      {"{% autoescape true %}{{ '<' }}{{ '<'|safe }}{% endautoescape %}{{ '<' }}", "&lt;<<"},
      {"{{ ('<'|safe) + '<' }}", "<&lt;"},
      {"{{ ('%s'|safe) % '<' }}", "&lt;"},
  });
}
}  // namespace
}  // namespace tandem::text
