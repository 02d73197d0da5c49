"""Renders conversations with a family's chat template and turns them into training examples."""

import json
from functools import cached_property
from pathlib import Path

from jinja2.sandbox import ImmutableSandboxedEnvironment

HERE = Path(__file__).parent


def compile_template(source: str):
    """A Jinja template in the environment that transformers uses for chat templates."""

    def raise_exception(message):
        raise ValueError(message)

    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    env.filters["tojson"] = lambda value, **kw: json.dumps(value, ensure_ascii=False, **kw)
    env.globals["raise_exception"] = raise_exception
    return env.from_string(source)


class Chat:
    """One family's template and tokenizer."""

    def __init__(self, family: str, tokenizer):
        self.family = family
        self.tokenizer = tokenizer
        self.source = (HERE / "templates" / f"{family}-demo.jinja").read_text()
        self.template = compile_template(self.source)
        self.thinks = family == "qwen3.5"
        self.eos = "<|im_end|>" if self.thinks else "<|end|>"

    @cached_property
    def stop_ids(self) -> list[int]:
        return [self.tokenizer.token_to_id(self.eos), self.tokenizer.token_to_id("<|endoftext|>")]

    def prompt(self, messages: list[dict], think: bool) -> str:
        """The text the model continues."""
        return self.template.render(messages=messages, add_generation_prompt=True, enable_thinking=think,
                                    eos_token="<|endoftext|>")

    def encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def example(self, messages: list[dict], thought: str, answer: str, think: bool) -> tuple[list[int], int]:
        """Ids of a whole conversation, and where the part to be learnt begins."""
        prompt = self.encode(self.prompt(messages, think))
        lead = f"{thought}\n</think>\n\n" if think else ""
        return prompt + self.encode(f"{lead}{answer}{self.eos}"), len(prompt)

    def split(self, text: str) -> str:
        """The answer part of what the model wrote, without its thoughts."""
        return text.split("</think>")[-1].strip()
