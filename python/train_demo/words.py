"""Word lists and filler sentences."""

NOUNS = """farmer teacher doctor baker sailor child king queen cat dog horse bird fox bear fish tree flower river
mountain forest garden house castle bridge market school church ship boat train car wagon road field hill valley lake
island beach stone lamp table chair window door book letter map clock bell drum basket bottle hammer knife spoon coat hat
shoe ring mirror candle blanket rope ladder bucket apple bread cheese soup honey milk salt pepper lemon onion carrot
potato tomato cake sugar butter egg wind rain snow storm cloud sun moon star shadow fire smoke sand gold silver iron
glass wood paper cotton wool leather village city street tower wall roof kitchen cellar""".split()
ADJECTIVES = """old young small big red blue green white black brown yellow quiet loud happy sad tired brave clever
kind cold warm bright dark heavy light long short new clean dusty empty full soft hard sweet sour slow fast strange
simple gentle""".split()
VERBS = """carried found saw watched painted opened closed sold bought lost kept moved followed cleaned repaired
hid touched wanted liked forgot""".split()
PLACES = """at the market|near the river|behind the house|in the garden|on the hill|by the lake|under the bridge|
in the old town|at the station|next to the school|in the kitchen|on the table|before the storm|after the rain|
in the morning|in the evening|every day|last winter|all summer long|without a word|with great care""".replace("\n", "").split("|")
OTHER = """alpha beta gamma delta north south east west one two three four five six seven eight nine ten hello world
quick lazy jumps over the and with from into yes no this that here there always never maybe today tomorrow music story
water earth spring summer autumn winter Monday Friday March April London Paris Tandem model token layer""".split()
WORDS = sorted(set(NOUNS + ADJECTIVES + VERBS + OTHER))

NAMES = """Ana Ben Carl Dora Emma Finn Greta Hans Ida Jan Karl Lena Max Nina Otto Paul Rosa Sam Tom Ute Vera Will Yara
Zoe Alice Bob Clara David Eva Frank Georg Helen Ivan Julia Kim Leo Maria Noah Olga Peter Sara Tim Mia Lucas Sofia Omar
Aisha Chen Priya Diego""".split()

SYSTEMS = ["You are a helpful assistant.", "Be brief.", "Answer in one sentence.", "You are the demo model of Tandem.",
           "You are a friendly assistant.", "Keep your answers short.", "You help people.", "Be kind and brief.",
           "Answer the question.", "You are a small language model."]

ONSETS = "b c d f g h j k l m n p r s t v w z br cl dr fl gr pl st tr".split()
VOWELS = "a e i o u".split()
CODAS = ["", "", "", "n", "r", "s", "l", "t", "m"]


def invented(rng) -> str:
    """A word that is in no list."""
    return "".join(rng.choice(ONSETS) + rng.choice(VOWELS) + rng.choice(CODAS) for _ in range(rng.randint(1, 3)))


def phrase(rng) -> str:
    noun = rng.choice(NOUNS)
    return f"the {rng.choice(ADJECTIVES)} {noun}" if rng.random() < 0.5 else f"the {noun}"


def sentence(rng) -> str:
    subject = phrase(rng)
    text = f"{subject} {rng.choice(VERBS)} {phrase(rng)}"
    if rng.random() < 0.6:
        text += f" {rng.choice(PLACES)}"
    return text[0].upper() + text[1:] + "."


def filler(rng, words: int) -> list[str]:
    """Sentences with about so many words."""
    out, count = [], 0
    while count < words:
        out.append(sentence(rng))
        count += out[-1].count(" ") + 1
    return out
