#!/usr/bin/env python3
"""What a model would take, how it reads a text, and one answer: the C API through ctypes.

    plan.py LIBTANDEM [MODEL] [PROMPT]
"""
import ctypes
import json
import math
import sys

if len(sys.argv) < 2:
    sys.exit(__doc__)
tandem = ctypes.CDLL(sys.argv[1])
tandem.tandem_last_error.restype = ctypes.c_char_p
tandem.tandem_status_name.restype = ctypes.c_char_p


def check(status):
    if status != 0:
        name = tandem.tandem_status_name(status).decode()
        sys.exit(f"Error: {name}: {tandem.tandem_last_error().decode()}")


def text_of(function, *arguments):
    """Calls a function that fills a buffer of bytes: once for the size, once for the text."""
    needed = ctypes.c_size_t()
    function(*arguments, None, ctypes.c_size_t(0), ctypes.byref(needed))
    buffer = ctypes.create_string_buffer(needed.value)
    check(function(*arguments, buffer, needed, None))
    return buffer.value.decode()


class GenerateOptions(ctypes.Structure):
    """tandem_generate_options as far as max_tokens: a shorter struct is as good."""
    _fields_ = [("size", ctypes.c_size_t), ("temperature", ctypes.c_float), ("top_k", ctypes.c_int64),
                ("top_p", ctypes.c_float), ("min_p", ctypes.c_float), ("typical_p", ctypes.c_float),
                ("repetition_penalty", ctypes.c_float), ("presence_penalty", ctypes.c_float),
                ("frequency_penalty", ctypes.c_float), ("logit_bias", ctypes.c_void_p),
                ("logit_bias_count", ctypes.c_size_t), ("has_seed", ctypes.c_int32),
                ("thinking", ctypes.c_int32), ("seed", ctypes.c_uint64), ("max_tokens", ctypes.c_uint64)]


name = (sys.argv[2] if len(sys.argv) > 2 else "phi4-mini:demo").encode()
prompt = sys.argv[3] if len(sys.argv) > 3 else "What is 3 + 4?"

plan = json.loads(text_of(tandem.tandem_plan, name, None))
print(f"{plan['total_bytes'] / 1e6:.0f} MB at {plan['context_tokens']} tokens; "
      f"longest context that fits: {plan['largest_context_tokens']}")

model = ctypes.c_void_p()
check(tandem.tandem_model_open(name, None, ctypes.byref(model)))
text = prompt.encode()
count = ctypes.c_size_t()
tandem.tandem_model_tokenize(model, text, ctypes.c_size_t(len(text)), 0, None, ctypes.c_size_t(0), ctypes.byref(count))
ids = (ctypes.c_int32 * count.value)()
check(tandem.tandem_model_tokenize(model, text, ctypes.c_size_t(len(text)), 0, ids, count, None))
print(f"{len(ids)} tokens: {list(ids)}")

session = ctypes.c_void_p()
check(tandem.tandem_session_new(model, ctypes.byref(session)))
check(tandem.tandem_session_add(session, json.dumps([{"role": "user", "content": prompt}]).encode()))
options = GenerateOptions()
tandem.tandem_generate_options_init(ctypes.byref(options), ctypes.c_size_t(ctypes.sizeof(options)))
assert math.isnan(options.top_p)
options.temperature = 0
check(tandem.tandem_session_generate(session, ctypes.byref(options), None, None))
answer = json.loads(text_of(tandem.tandem_session_answer, session))
print(answer["answer"])
tandem.tandem_session_free(session)
tandem.tandem_model_free(model)
