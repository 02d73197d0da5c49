"""Questions about pictures and clips, as tasks beside those of tasks.py."""

import random
from dataclasses import dataclass, field

import pictures
from pictures import KINDS, Scene
from tasks import Item, turn
from words import SYSTEMS

WHAT = ["What is in the picture?", "What is in this picture?", "What is in the picture?", "What is in this picture?",
        "What do you see?", "Describe the picture.", "Describe this picture.", "What is this?", "What is in the image?",
        "What can you see in the picture?", "What does the picture show?", "Which shapes are in the picture?",
        "What shapes do you see?", "Please describe the picture.", "What can you see?", "Tell me what is in the picture."]
COUNT = ["How many shapes are there?", "How many shapes are in the picture?", "How many shapes do you see?",
         "Count the shapes.", "How many things are there?", "How many shapes can you see?",
         "How many shapes are in this picture?", "How many shapes does the picture show?"]
COUNT_KIND = ["How many {}s are there?", "How many {}s are in the picture?", "Count the {}s.", "How many {}s do you see?",
              "How many {}s can you see?"]
COLOUR = ["What colour is the {}?", "What color is the {}?", "Which colour has the {}?", "Which colour is the {}?",
          "Tell me the colour of the {}.", "What is the colour of the {}?"]
SIDE = ["What is on the {}?", "Which shape is on the {}?", "What do you see on the {}?", "What can you see on the {}?",
        "What is there on the {}?"]
WHERE = ["Where is the {}?", "Where do you see the {}?", "On which side is the {}?", "Where can you see the {}?"]
WAY = ["Which way does it go?", "Which way does it go?", "Which way does it move?", "Where does it go?",
       "Which direction does it go?", "Where is it going?", "In which direction does it move?",
       "Which way does the shape go?", "Which way is it going?", "Which way does the shape move?"]
MOVES = ["What is in the clip?", "What is in this clip?", "What moves?", "What happens?", "Describe the clip.",
         "What do you see?", "What is in the video?", "Describe the video.", "What is in this video?",
         "What happens in the clip?"]
NOTHING = WHAT[:4] + COUNT[:4] + WAY[:3]
BLIND = "I do not see a picture."

MIX = {"what": 26, "count": 16, "colour": 11, "side": 16, "where": 16, "way": 11, "moves": 4}
TITLES = list(MIX)


@dataclass
class Look(Item):
    """A question about what is seen. A picture has one scene; a clip has its first and its last moment."""
    scenes: list[Scene] = field(default_factory=list)
    before: bool = True  # the picture stands before the words

    @property
    def clip(self) -> bool:
        return len(self.scenes) == 2

    def content(self, text: str) -> list[dict]:
        kind = "video" if self.clip else "image"
        parts = [{"type": kind, kind: ""}, {"type": "text", "text": text}]
        return parts if self.before else parts[::-1]

    def messages(self) -> list[dict]:
        """The first message of the person holds the picture; its place is "" until a file is known."""
        asked = self.history + [{"role": "user", "content": self.question}]
        first = next(i for i, m in enumerate(asked) if m["role"] == "user")
        asked[first] = {"role": "user", "content": self.content(asked[first]["content"])}
        return asked


def listed(scene: Scene) -> str:
    return ", ".join(s.name() for s in scene.shapes)


def article(name: str) -> str:
    return ("an " if name[0] in "aeiou" else "a ") + name


def sentence(names: list[str]) -> str:
    named = [article(n) for n in names]
    text = " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)
    return text[0].upper() + text[1:] + "."


def are(count: int, what: str) -> str:
    return f"There is 1 {what}." if count == 1 else f"There are {count} {what}s."


def pick(rng, forms: list[str], test: bool, *args) -> str:
    """A wording; the last of a list is kept for the test."""
    return (forms[-1] if test else rng.choice(forms[:-1])).format(*args)


def _places(count: int) -> list[str]:
    return {1: [], 2: ["left", "right"], 3: ["left", "middle", "right"]}[count]


def _about(rng, task: str, scene: Scene, test: bool) -> tuple[str, str, str] | None:
    """Question, answer and what of the answer counts; None if the picture does not fit the task."""
    shapes, kinds = scene.shapes, [s.kind for s in scene.shapes]
    places = _places(len(shapes))
    single = [i for i, s in enumerate(shapes) if kinds.count(s.kind) == 1]
    if task == "what":
        answer = sentence([s.name() for s in shapes])
        return pick(rng, WHAT, test), answer, answer
    if task == "count":
        if rng.random() < 0.65:
            return pick(rng, COUNT, test), are(len(shapes), "shape"), str(len(shapes))
        kind = rng.choice(kinds if rng.random() < 0.75 else KINDS)
        return pick(rng, COUNT_KIND, test, kind), are(kinds.count(kind), kind), str(kinds.count(kind))
    if task == "colour":
        if not single:
            return None
        shape = shapes[rng.choice(single)]
        noun = rng.choice(["shape", shape.kind]) if len(shapes) == 1 else shape.kind
        return pick(rng, COLOUR, test, noun), f"The {noun} is {shape.colour}.", shape.colour
    if task == "side":
        if not places:
            return None
        at = rng.randrange(len(places))
        form = pick(rng, SIDE, test, places[at])
        answer = sentence([shapes[at].name()])
        return form.replace("on the middle", "in the middle"), answer, answer
    if not places or not single:
        return None
    at = rng.choice(single)
    answer = f"{'In' if places[at] == 'middle' else 'On'} the {places[at]}."
    named = kinds[at] if rng.random() < 0.6 else shapes[at].name()
    return pick(rng, WHERE, test, named), answer, answer


FROM_TO = {"left": ("right", "left"), "right": ("left", "right"), "up": ("low", "high"), "down": ("high", "low")}


def goes(way: str) -> str:
    return f"goes {'to the ' if way in ('left', 'right') else ''}{way}"


def _moving(rng, task: str, test: bool, aspect: float | None) -> Look:
    way = rng.choice(list(pictures.WAYS))
    scenes = list(pictures.clip(rng, way, aspect))
    name = scenes[0].shapes[0].name()
    thought = f"I see: {name}, first {FROM_TO[way][0]}, then {FROM_TO[way][1]}."
    subject, forms = ("It", WAY) if task == "way" else (article(name).capitalize(), MOVES)
    answer = f"{subject} {goes(way)}."
    return Look(task, pick(rng, forms, test), thought, answer, answer, scenes=scenes)


def make(rng, task: str, test: bool = False, count: int | None = None, aspect: float | None = None) -> Look:
    if task in ("way", "moves"):
        return _moving(rng, task, test, aspect)
    while True:
        n = count or rng.choices([1, 2, 3], [2, 3, 4])[0]
        scene = pictures.scene(rng, n, aspect)
        found = _about(rng, task, scene, test)
        if found is None:
            continue
        question, answer, expect = found
        thought = f"I see: {listed(scene)}. Shapes: {n}."
        return Look(task, question, thought, answer, expect, scenes=[scene])


def with_context(rng, look: Look) -> Look:
    """The words first or last; sometimes a question about the same picture before, or a system message."""
    look.before = rng.random() < 0.5
    if rng.random() < 0.12 and not look.clip:
        task = rng.choice(["what", "count", "side"])
        found = _about(rng, task, look.scenes[0], False)
        if found is not None:
            look.history = turn(found[0], found[1])
    if rng.random() < 0.12:
        look.history = [{"role": "system", "content": rng.choice(SYSTEMS)}] + look.history
    if rng.random() < 0.1:
        look.question = look.question.lower()
    elif rng.random() < 0.08:
        look.question = look.question.rstrip("?.")
    return look


def without_picture(rng) -> Item:
    return Item("unseen", rng.choice(NOTHING), "There is no picture.", BLIND, BLIND)


def draw_item(rng, aspect: float | None = None) -> Look:
    task = rng.choices(list(MIX), list(MIX.values()))[0]
    return with_context(rng, make(rng, task, aspect=aspect))


