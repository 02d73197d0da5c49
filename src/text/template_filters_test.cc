#include <gtest/gtest.h>

#include "text/template_for_test.h"

// What is expected here was rendered by jinja2 3.1.6, as described in template.h.

namespace tandem::text {
namespace {

TEST(TemplateFilters, ChangeText) {
  constexpr const char* kVariables =
      R"({"s": "Hello, Wörld", "t": "  a b\tc \n", "l": [3, 1, 2], "d": {"b": 1, "a": 2, "items": "x"}, "msgs": [{"role": "user", "n": 1}, {"role": "tool"}, {"role": "user", "n": 3}]})";
  ExpectRenderings(
      {
          {"{{ s|upper }} {{ s|lower }} {{ 'straße'|upper }} {{ 'ab cd-ef'|title }} {{ "
           "\"they're\".title() }} {{ 'aB'|capitalize }} {{ 'aB'.swapcase() }}",
           "HELLO, WÖRLD hello, wörld STRASSE Ab Cd-Ef They'Re Ab Ab"},
          {"[{{ t|trim }}] [{{ t.lstrip() }}] [{{ 'xxaxx'.strip('x') }}] [{{ ' 　a'|trim }}]",
           "[a b\tc] [a b\tc \n] [a] [a]"},
          {"{{ s|replace('l', 'L') }} {{ s.replace('l', 'L', 1) }} {{ 'ab'.replace('', '-') }}",
           "HeLLo, WörLd HeLlo, Wörld -a-b-"},
          {"[{{ 'a'|center(5) }}] [{{ 'ab'.center(5, '*') }}] [{{ '-4'.zfill(4) }}] [{{ "
           "'a'.ljust(3) }}] [{{ 'a'.rjust(3, '.') }}]",
           "[  a  ] [**ab*] [-004] [a  ] [..a]"},
          {"{{ 'a\\nb\\n\\nc'|indent }}|{{ 'a\\nb'|indent(2, true) }}|{{ 'a\\n'|indent }}",
           "a\n    b\n\n    c|  a\n  b|a\n"},
          {"{{ 'foo bar baz qux'|truncate(9) }} {{ 'foo bar baz'|truncate(5, true, '..', 0) }}",
           "foo... foo.."},
          {"{{ 'a b  c'|wordcount }} {{ s[::-1] }} {{ s[1:-1:2] }} {{ s[-3:] }}",
           "3 dlröW ,olleH el,Wr rld"},
      },
      kVariables);
}

TEST(TemplateFilters, SplitAndSearchText) {
  constexpr const char* kVariables =
      R"({"s": "Hello, Wörld", "t": "  a b\tc \n", "l": [3, 1, 2], "d": {"b": 1, "a": 2, "items": "x"}, "msgs": [{"role": "user", "n": 1}, {"role": "tool"}, {"role": "user", "n": 3}]})";
  ExpectRenderings(
      {
          {"{{ t.split() }} {{ 'a,b,c'.split(',', 1) }} {{ 'a,b,c'.rsplit(',', 1) }} {{ "
           "''.split(',') }} {{ ''.split() }}",
           "['a', 'b', 'c'] ['a', 'b,c'] ['a,b', 'c'] [''] []"},
          {"{{ 'a</think>b'.split('</think>')[-1] }} {{ 'a'.partition(',') }} {{ "
           "'a,b'.rpartition(',') }}",
           "b ('a', '', '') ('a', ',', 'b')"},
          {"{{ 'a\\nb\\r\\nc'.splitlines() }}", "['a', 'b', 'c']"},
          {"{{ s.find('l') }} {{ s.rfind('l') }} {{ s.index('W') }} {{ s.count('l') }} {{ "
           "s.find('z') }}",
           "2 10 7 3 -1"},
          {"{{ s.startswith('He') }} {{ s.endswith(('x', 'd')) }} {{ s.removeprefix('Hello') }}",
           "True True , Wörld"},
          {"{{ 'a'.isalpha() }} {{ '12'.isdigit() }} {{ ' '.isspace() }} {{ 'aB'.islower() }}",
           "True True True False"},
          {"{{ s.index('z') }}", "ValueError at 1:6: substring not found"},
          {"{{ s.split('') }}", "ValueError at 1:6: empty separator"},
      },
      kVariables);
}

TEST(TemplateFilters, WorkOnSequences) {
  constexpr const char* kVariables =
      R"({"s": "Hello, Wörld", "t": "  a b\tc \n", "l": [3, 1, 2], "d": {"b": 1, "a": 2, "items": "x"}, "msgs": [{"role": "user", "n": 1}, {"role": "tool"}, {"role": "user", "n": 3}]})";
  ExpectRenderings(
      {
          {"{{ l|sort }} {{ l|sort(reverse=true) }} {{ ['b', 'A']|sort }} {{ ['b', "
           "'A']|sort(case_sensitive=true) }}",
           "[1, 2, 3] [3, 2, 1] ['A', 'b'] ['A', 'b']"},
          {"{{ l|sum }} {{ l|min }} {{ l|max }} {{ l|first }} {{ l|last }} {{ l|length }} {{ "
           "l|join('-') }} {{ l|reverse|list }}",
           "6 1 3 3 2 3 3-1-2 [2, 1, 3]"},
          {"{{ range(5)|list }} {{ range(5, 0, -2)|list }} {{ range(3) }}",
           "[0, 1, 2, 3, 4] [5, 3, 1] range(0, 3)"},
          {"{{ range(7)|batch(3, 'x')|list }} {{ range(7)|slice(3)|list }}",
           "[[0, 1, 2], [3, 4, 5], [6, 'x', 'x']] [[0, 1, 2], [3, 4], [5, 6]]"},
          {"{{ ['b', 'A', 'a']|unique|list }}", "['b', 'A']"},
          {"{{ d|dictsort }} {{ d|items|list }} {{ d.keys()|list }} {{ d['items'] }}",
           "[('a', 2), ('b', 1), ('items', 'x')] [('b', 1), ('a', 2), ('items', 'x')] ['b', 'a', "
           "'items'] x"},
          {"{{ d.get('zz') }} {{ d.get('zz', 5) }}", "None 5"},
          {"[{{ []|first }}]", "[]"},
          {"{{ [1, 'a']|sort }}",
           "TypeError at 1:13: '<' not supported between instances of 'str' and 'int'"},
      },
      kVariables);
}

TEST(TemplateFilters, MapAndSelect) {
  constexpr const char* kVariables =
      R"({"s": "Hello, Wörld", "t": "  a b\tc \n", "l": [3, 1, 2], "d": {"b": 1, "a": 2, "items": "x"}, "msgs": [{"role": "user", "n": 1}, {"role": "tool"}, {"role": "user", "n": 3}]})";
  ExpectRenderings(
      {
          {"{{ msgs|map(attribute='role')|join(',') }} {{ msgs|map(attribute='n', default=0)|list "
           "}}",
           "user,tool,user [1, 0, 3]"},
          {"{{ ['a', 'b']|map('upper')|list }} {{ ['ab']|map('replace', 'a', 'z')|first }}",
           "['A', 'B'] zb"},
          {"{{ msgs|selectattr('role', 'equalto', 'user')|list|length }} {{ "
           "msgs|rejectattr('n')|list }} {{ msgs|selectattr('n', "
           "'defined')|map(attribute='n')|list }}",
           "2 [{'role': 'tool'}] [1, 3]"},
          {"{{ [0, 1, 2, 3]|select('odd')|list }} {{ [0, 1, '']|select|list }} {{ [0, "
           "1]|reject|list }}",
           "[1, 3] [1] [0]"},
          {"{% for g in msgs|groupby('role') %}{{ g.grouper }}:{{ g.list|length }};{% endfor %}",
           "tool:1;user:2;"},
          {"{{ ['a']|map('nope')|list }}", "TemplateRuntimeError at 1:22: No filter named 'nope'."},
          {"{{ ['a']|map()|list }}", "FilterArgumentError at 1:16: map requires a filter argument"},
          {"{{ [1]|map('upper')|tojson }}",
           "TypeError at 1:21: Object of type generator is not JSON serializable"},
      },
      kVariables);
}

TEST(TemplateFilters, ConvertNumbers) {
  ExpectRenderings({
      {"{{ '5'|int }} {{ '5.7'|int }} {{ 'x'|int(3) }} {{ '1f'|int(base=16) }} {{ 5.9|int }} {{ "
       "none|int }}",
       "5 5 3 31 5 0"},
      {"{{ '5'|float }} {{ 'x'|float(1.5) }} {{ ' 1e3 '|float }}", "5.0 1.5 1000.0"},
      {"{{ 2.5|round }} {{ 3.5|round }} {{ 2.675|round(2) }} {{ 5|round }} {{ 5.1|round(0, 'ceil') "
       "}} {{ 1250|round(-2) }}",
       "2.0 4.0 2.67 5 6.0 1200"},
      {"{{ -5|abs }} {{ 1234567|filesizeformat }} {{ 1234567|filesizeformat(true) }}",
       "5 1.2 MB 1.2 MiB"},
      {"{{ 'a'|round }}", "TypeError at 1:8: type str doesn't define __round__ method"},
  });
}

TEST(TemplateFilters, WriteJson) {
  constexpr const char* kVariables =
      R"({"v": {"b": [1, 2.0, null, true, "q\"\\\né<>\u0001"], "a": {}, "e": []}, "big": 18446744073709551615})";
  ExpectRenderings(
      {
          {"{{ v|tojson }}",
           "{\"b\": [1, 2.0, null, true, \"q\\\"\\\\\\né<>\\u0001\"], \"a\": {}, \"e\": []}"},
          {"{{ v|tojson(indent=2) }}",
           "{\n  \"b\": [\n    1,\n    2.0,\n    null,\n    true,\n    "
           "\"q\\\"\\\\\\né<>\\u0001\"\n  ],\n  \"a\": {},\n  \"e\": []\n}"},
          {"{{ v|tojson(separators=(',', ':'), sort_keys=true) }}",
           "{\"a\":{},\"b\":[1,2.0,null,true,\"q\\\"\\\\\\né<>\\u0001\"],\"e\":[]}"},
          {"{{ 'é😀'|tojson(ensure_ascii=true) }}", "\"\\u00e9\\ud83d\\ude00\""},
          {"{{ big|tojson }} {{ {1: 2, none: 3, true: 4}|tojson }} {{ (1, 2)|tojson }}",
           "18446744073709551615 {\"1\": 4, \"null\": 3} [1, 2]"},
          {"{{ undef|tojson }}",
           "TypeError at 1:10: Object of type Undefined is not JSON serializable"},
          {"{{ {(1, 2): 3}|tojson }}",
           "TypeError at 1:16: keys must be str, int, float, bool or None, not tuple"},
      },
      kVariables);
}

TEST(TemplateFilters, FormatText) {
  ExpectRenderings({
      {"{{ '%s and %5.2f|%-5d|%05d|%x' % ('a', 3.14159, 42, 42, 255) }}",
       "a and  3.14|42   |00042|ff"},
      {"{{ '%(a)s' % {'a': 1} }} {{ '%s %s'|format(1, 'b') }} {{ '100%%'|format }}", "1 1 b 100%"},
      {"{{ '{} {1}'.format(1) }}",
       "ValueError at 1:13: cannot switch from manual field specification to automatic field "
       "numbering"},
      {"{{ '{0} {a} {b[x]} {{}}'.format(1, a=2, b={'x': 3}) }}", "1 2 3 {}"},
      {"{{ '{:>5}|{:^5}|{:05d}|{:.2f}|{:,}|{:x}'.format('a', 'b', 42, 3.14159, 1234567, 255) }}",
       "    a|  b  |00042|3.14|1,234,567|ff"},
      {"{{ '%d' % 'a' }}", "TypeError at 1:9: %d format: a real number is required, not str"},
      {"{{ '%s' % (1, 2) }}",
       "TypeError at 1:9: not all arguments converted during string formatting"},
      {"{{ '{}'.format() }}", "IndexError at 1:9: tuple index out of range"},
  });
}

TEST(TemplateFilters, EscapeText) {
  ExpectRenderings({
      {"{{ '<a href=\"x\">T & C</a>'|e }} {{ '<b>T &amp; C</b>'|striptags }} {{ 'a "
       "b/c?d=ü'|urlencode }} {{ {'a': 1, 'b': '<'}|xmlattr }}",
       "&lt;a href=&#34;x&#34;&gt;T &amp; C&lt;/a&gt; T & C a%20b/c%3Fd%3D%C3%BC  a=\"1\" "
       "b=\"&lt;\""},
  });
}

TEST(TemplateFilters, TestValues) {
  constexpr const char* kVariables =
      R"({"s": "Hello, Wörld", "t": "  a b\tc \n", "l": [3, 1, 2], "d": {"b": 1, "a": 2, "items": "x"}, "msgs": [{"role": "user", "n": 1}, {"role": "tool"}, {"role": "user", "n": 3}]})";
  ExpectRenderings(
      {
          {"{{ l is iterable }}{{ s is iterable }}{{ 5 is iterable }}{{ d is mapping }}{{ l is "
           "sequence }}{{ d is sequence }}{{ s is string }}",
           "TrueTrueFalseTrueTrueTrueTrue"},
          {"{{ 1 is number }}{{ true is number }}{{ true is integer }}{{ 1.0 is float }}{{ true is "
           "boolean }}{{ 1 is true }}{{ none is none }}",
           "TrueTrueFalseTrueTrueFalseTrue"},
          {"{{ 1 is odd }}{{ 2 is even }}{{ 6 is divisibleby 3 }}{{ 1 is eq 1 }}{{ 'x' is in 'xyz' "
           "}}{{ 1 is not in [1] }}",
           "TrueTrueTrueTrueTrueFalse"},
          {"{{ dict is callable }}{{ s is lower }}{{ 'upper' is filter }}{{ 'odd' is test }}{{ "
           "none is sameas none }}",
           "TrueFalseTrueTrueTrue"},
          {"{{ 'a' is odd }}",
           "TypeError at 1:11: not all arguments converted during string formatting"},
      },
      kVariables);
}

TEST(TemplateFilters, Globals) {
  ExpectRenderings({
      {"{{ dict(a=1, b=2) }} {% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() "
       "}}{% set j = joiner('|') %}{{ j() }}1{{ j() }}2",
       "{'a': 1, 'b': 2} aba1|2"},
      {"{{ strftime_now('%d %b %Y %H:%M:%S') }}", "23 Nov 2026 09:18:00"},
      {"{{ raise_exception('No!') }}", "TemplateError at 1:4: No!"},
  });
}
}  // namespace
}  // namespace tandem::text
