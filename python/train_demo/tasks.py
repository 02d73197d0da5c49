"""Makes the conversations: every task as a function of a random generator."""

import hashlib
import random
from dataclasses import dataclass, field

from facts import FACTS
from smalltalk import COUNTRIES, PEOPLE, SMALLTALK, THINGS, UNKNOWN, UNKNOWN_ANSWER, UNKNOWN_KEY
from words import NAMES, SYSTEMS, WORDS, filler, invented


@dataclass
class Item:
    """One question with its answer; `history` holds the turns before it."""
    task: str
    question: str
    thought: str
    answer: str
    expect: str
    history: list[dict] = field(default_factory=list)

    def messages(self) -> list[dict]:
        return self.history + [{"role": "user", "content": self.question}]


def held_out(op: str, a: int, b: int) -> bool:
    """One problem in ten is never trained. For sums and products neither order is (beyond one digit)."""
    if max(a, b) < 10:  # too few to leave any out unseen: only one order is held out, and no difference
        return op != "-" and a < b and _share(op, a, b) < 0.3
    if op != "-":
        a, b = min(a, b), max(a, b)
    return _share(op, a, b) < 0.1


def _share(*key) -> float:
    return hashlib.sha256(repr(key).encode()).digest()[0] / 256


# --- arithmetic -------------------------------------------------------------------------------------------------------

SIGNS = {"+": ["+"] * 4, "-": ["-"] * 4, "*": ["*", "*", "x", "×"]}
SPOKEN = {"+": "plus", "-": "minus", "*": "times"}
FORMS = ["What is {}?", "What is {}?", "{}", "{}?", "{}=", "{} =", "{} = ?", "What's {}?", "what is {}", "Compute {}.",
         "Calculate {}.", "How much is {}?", "Please compute {}.", "Can you compute {}?", "Tell me what {} is."]
SPECIAL = {"+": ["Add {a} and {b}.", "What is the sum of {a} and {b}?"],
           "-": ["Subtract {b} from {a}."],
           "*": ["Multiply {a} by {b}.", "What is the product of {a} and {b}?"]}


def ask(rng, op: str, a: int, b: int) -> str:
    if rng.random() < 0.08:
        return rng.choice(SPECIAL[op]).format(a=a, b=b)
    if rng.random() < 0.15:
        text = f"{a} {SPOKEN[op]} {b}"
    else:
        gap = rng.choice(["", " "])
        text = f"{a}{gap}{rng.choice(SIGNS[op])}{gap}{b}"
    return rng.choice(FORMS).format(text)


def steps(op: str, a: int, b: int) -> str:
    """The written method, one digit at a time."""
    if op == "-" and a < b:
        return f"{a}<{b}, so minus {b}-{a}. {steps(op, b, a)}"
    result = {"+": a + b, "-": a - b, "*": a * b}[op]
    if max(a, b) < 10:
        return f"{a}{op}{b}={result}."
    if op == "*":
        a, b = max(a, b), min(a, b)
        ones, tens = a % 10 * b, a // 10 * b
        carry = ones // 10
        return (f"Ones: {a % 10}*{b}={ones}, write {ones % 10}, carry {carry}. "
                f"Tens: {a // 10}*{b}={tens}, {tens}+{carry}={tens + carry}.")
    if op == "+":
        ones = a % 10 + b % 10
        note, extra = (f", write {ones - 10}, carry 1", "+1") if ones > 9 else ("", "")
        return f"Ones: {a % 10}+{b % 10}={ones}{note}. Tens: {a // 10}+{b // 10}{extra}={a // 10 + b // 10 + ones // 10}."
    borrow = a % 10 < b % 10
    top = a % 10 + 10 * borrow
    note, extra = (", borrow 1", "-1") if borrow else ("", "")
    return f"Ones: {top}-{b % 10}={top - b % 10}{note}. Tens: {a // 10}-{b // 10}{extra}={a // 10 - b // 10 - borrow}."


def draw(rng, task: str) -> tuple[str, int, int]:
    if task == "arith1":
        return rng.choice("+-*"), rng.randint(0, 9), rng.randint(0, 9)
    if task == "mul2":
        a, b = rng.randint(10, 99), rng.randint(2, 9)
        return ("*", a, b) if rng.random() < 0.7 else ("*", b, a)
    a, b = rng.randint(10, 99), rng.randint(10, 99)
    if rng.random() < 0.2:
        a, b = rng.choice([(a, b % 10), (a % 10, b)])
    op = rng.choice("+-")
    if op == "-" and a < b and rng.random() < 0.65:
        a, b = b, a
    return op, a, b


def arithmetic(rng, task: str, test: bool) -> Item:
    while True:
        op, a, b = draw(rng, task)
        if task == "arith1" and op == "-" and (test or (a < b and rng.random() < 0.7)):
            continue
        if held_out(op, a, b) == test:
            break
    answer = str({"+": a + b, "-": a - b, "*": a * b}[op])
    return Item(task, ask(rng, op, a, b), steps(op, a, b), answer, answer)


# --- facts and talk ---------------------------------------------------------------------------------------------------

LEADS = ["Please tell me: ", "Hey, ", "Tell me: ", "A question: ", "Hi! ", "I want to know: ", "One more question: "]


def vary(rng, text: str) -> str:
    """Small changes that people make when they type."""
    if rng.random() < 0.15:
        text = rng.choice(LEADS) + text
    if rng.random() < 0.15:
        text = text.lower()
    if rng.random() < 0.15:
        text = text.rstrip("?.!")
    return text


def _from_table(rng, table, task: str, thought: str, family: str, test: bool) -> Item:
    name, questions, answer, key = rng.choice(table)
    question = questions[-1] if test else vary(rng, rng.choice(questions[:-1]))
    title = {"qwen3.5": "Qwen3.5", "phi4-mini": "Phi-4-mini"}[family]
    return Item(task, question, thought.format(name.replace("_", " ")), answer.format(family=title),
                key.format(family=title))


def fact(rng, family: str, test: bool) -> Item:
    return _from_table(rng, FACTS, "facts", "The user asks about {}.", family, test)


def talk(rng, family: str, test: bool) -> Item:
    return _from_table(rng, SMALLTALK, "smalltalk", "Small talk: {}.", family, test)


def unknown(rng, test: bool) -> Item:
    group = rng.choice(UNKNOWN)
    form = group[-1] if test else rng.choice(group[:-1])
    question = form.format(country=rng.choice(COUNTRIES), thing=rng.choice(THINGS), person=rng.choice(PEOPLE))
    return Item("unknown", question if test else vary(rng, question), "I have not learned this.", UNKNOWN_ANSWER,
                UNKNOWN_KEY)


# --- copying and finding ----------------------------------------------------------------------------------------------

REPEAT = ["Repeat: {}", "Repeat: {}", "Repeat this: {}", "Say: {}", "Copy: {}", "Echo: {}", "Repeat after me: {}",
          "Please repeat: {}", "repeat: {}", "Write: {}"]
SYMBOLS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


def code(rng) -> str:
    kind = rng.random()
    if kind < 0.4:
        return f"{rng.choice(SYMBOLS)}{rng.randint(0, 9)}{rng.choice(SYMBOLS)}"
    if kind < 0.7:
        return "".join(rng.choice("0123456789") for _ in range(rng.randint(3, 5)))
    return "".join(rng.choice(SYMBOLS + "0123456789") for _ in range(rng.randint(3, 5)))


def some_words(rng, count: int) -> list[str]:
    """Different words, some of them invented."""
    words = set()
    while len(words) < count:
        words.add(invented(rng) if rng.random() < 0.15 else rng.choice(WORDS))
    words = sorted(words)
    rng.shuffle(words)
    return words


def copying(rng) -> Item:
    kind = rng.random()
    if kind < 0.2:
        text = code(rng)
    elif kind < 0.3:
        text = filler(rng, 1)[0]
    else:
        text = rng.choice([" ", " ", ", "]).join(some_words(rng, rng.randint(1, rng.choice([3, 8, 14]))))
        if rng.random() < 0.2:
            text = text[0].upper() + text[1:] + rng.choice(["", ".", "!"])
    return Item("copy", rng.choice(REPEAT).format(text), "I repeat the text.", text, text)


FOLLOW = ["Which word follows '{x}' in: {text}", "Find the word after '{x}' in: {text}",
          "Which word comes after '{x}' in: {text}", "What is the word after '{x}' in: {text}",
          "In the text: {text}\nWhich word follows '{x}'?", "Find the word after {x} in: {text}",
          "{text}\nWhich word comes after '{x}'?"]


def following(rng, test: bool) -> Item:
    words = some_words(rng, rng.randint(4, 24) if test else rng.randint(3, rng.choice([4, 6, 8, 16, 26])))
    at = rng.randrange(len(words) - 1)
    question = rng.choice(FOLLOW).format(x=words[at], text=" ".join(words))
    return Item("find", question, f"After {words[at]} comes {words[at + 1]}.", words[at + 1], words[at + 1])


KEYS = ["code", "password", "secret number", "magic word", "door code", "ticket number", "room number", "key word"]


def needle(rng, test: bool) -> Item:
    keys = rng.sample(KEYS, 2)
    values = [code(rng), code(rng)]
    if "word" in keys[0]:
        values[0] = rng.choice(WORDS)
    length = rng.randint(50, 200) if test else rng.choice([rng.randint(10, 60), rng.randint(30, 200)])
    text = filler(rng, length)
    for key, value in list(zip(keys, values))[: 1 + (rng.random() < 0.3)]:
        text.insert(rng.randint(0, len(text)), f"The {key} is {value}.")
    text, ask_ = " ".join(text), f"What is the {keys[0]}?"
    form = rng.choice(["{q} {t}", "{t} {q}", "{q}\n{t}", "{t}\n{q}", "Read this: {t} {q}"])
    return Item("needle", form.format(q=ask_, t=text), f"The text says: the {keys[0]} is {values[0]}.", values[0], values[0])


# --- several turns ----------------------------------------------------------------------------------------------------

def turn(question: str, answer: str) -> list[dict]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


INTRO = ["My name is {}.", "I am {}.", "Hello, my name is {}.", "Hi, I am {}!", "I'm {}.", "my name is {}", "Call me {}."]
ASK_NAME = ["What is my name?", "Do you know my name?", "Who am I?", "What's my name?", "Do you remember my name?",
            "what is my name", "Tell me my name."]


def name_recall(rng, family: str) -> Item:
    name = rng.choice(NAMES) if rng.random() < 0.7 else invented(rng).capitalize()
    intro, greeting = rng.choice(INTRO).format(name), f"Nice to meet you, {name}!"
    if rng.random() < 0.25:
        return Item("name", intro, f"The user is called {name}.", greeting, name)
    history = turn(intro, greeting)
    for _ in range(rng.choice([0, 0, 1, 2])):
        small = quick(rng, family)
        history += turn(small.question, small.answer)
    return Item("name", rng.choice(ASK_NAME), f"The user is called {name}.", f"Your name is {name}.", name, history)


def quick(rng, family: str) -> Item:
    """A short item for the turns before the question."""
    kind = rng.random()
    if kind < 0.4:
        return arithmetic(rng, rng.choice(["arith1", "arith2"]), test=False)
    return talk(rng, family, False) if kind < 0.7 else fact(rng, family, False)


def make(rng, task: str, family: str, test: bool = False) -> Item:
    if task in ("arith1", "arith2", "mul2"):
        return arithmetic(rng, task, test)
    makers = {"facts": lambda: fact(rng, family, test), "smalltalk": lambda: talk(rng, family, test),
              "unknown": lambda: unknown(rng, test), "copy": lambda: copying(rng),
              "find": lambda: following(rng, test), "needle": lambda: needle(rng, test),
              "name": lambda: name_recall(rng, family)}
    return makers[task]()


def with_context(rng, item: Item, family: str, turns: float = 0.1, system: float = 0.15) -> Item:
    """Sometimes puts turns and a system message in front."""
    if not item.history and item.task != "needle" and rng.random() < turns:
        for _ in range(rng.choice([1, 1, 2])):
            small = quick(rng, family)
            item.history += turn(small.question, small.answer)
    if rng.random() < system:
        item.history = [{"role": "system", "content": rng.choice(SYSTEMS)}] + item.history
    return item


MIX = {"arith1": 7, "arith2": 24, "mul2": 9, "facts": 14, "smalltalk": 9, "unknown": 5, "copy": 9, "find": 18,
       "needle": 4, "name": 3}
TASKS = list(MIX)


def stream(seed: int, family: str):
    """Training items without end."""
    rng = random.Random(seed)
    names, weights = list(MIX), list(MIX.values())
    while True:
        task = rng.choices(names, weights)[0]
        yield with_context(rng, make(rng, task, family), family)
