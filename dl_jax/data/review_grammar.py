"""A small grammar of film reviews: English that nobody wrote, for machines with no network.

A review praises (label 1) or pans (label 0) a film. Sentences come from the rules below: a rule is
a tuple of templates, and `{slot}` in a template stands for a sentence of the rule `slot`. An
opinion leans `toward` the review's label or `against` it, so every template is written once and
serves both labels. Four things keep a bag of words from being perfect:

- negation turns a word's meaning round: "was never boring" praises;
- contrast says both: "Although the music was lovely, the plot was a mess";
- some opinions are opposite to their review's label, and a few reviews have the wrong label;
- invented names and slips of the keyboard give a long tail of words that mean nothing.

Only `random.Random.random` is drawn from, whose sequence Python guarantees for a seed on every
platform and version (it does not for `choice` or `shuffle`); the rest is integer arithmetic and
exact products, so the same seed makes the same text everywhere.
"""

import random
import re
from collections.abc import Callable, Sequence

NEGATION = 0.15  # of the opinions say the opposite word, negated
CONTRAST = 0.06  # of the opinions weigh one aspect against another
MIXED = 0.04  # a review's share of contrary opinions is drawn from [0, MIXED)
FLIP = 0.03  # of the reviews were given the wrong label
NEUTRAL = 0.28  # of the sentences tell the plot or the evening
SHORTEST, SPREAD = 25, 125  # a review ends with the sentence that reaches this many words
TYPO = 0.5  # of the reviews have two neighbouring letters swapped

_GOOD = """good|great|wonderful|charming|moving|clever|superb|brilliant|funny|fresh|gripping|
beautiful|original|convincing|enjoyable|elegant|touching|delightful|witty|thrilling|
believable|inspired|memorable|fascinating|warm|impressive|subtle|graceful|absorbing|
playful|rewarding|vivid|heartfelt|polished|stylish|radiant|spirited|assured|tender|
engaging"""
_BAD = """bad|boring|awful|dull|weak|silly|terrible|predictable|clumsy|tedious|annoying|lifeless|
shallow|forced|confusing|wooden|stale|flat|pointless|ugly|dreadful|lazy|irritating|bland|
hollow|forgettable|messy|tiresome|unconvincing|cheap|ridiculous|sloppy|dreary|cold|
pretentious|sluggish|grating|careless|muddled|uninspired"""

# The two directions, by label: each rule's panning entries, then its praising entries.
_LEANING = {
    "adjective": (_BAD, _GOOD),
    "noun": (
        ("a disaster", "a failure", "a mess", "a bore", "a waste of time", "an ordeal"),
        ("a masterpiece", "a triumph", "a classic", "a gem", "a joy to watch", "an event"),
    ),
    "did": (
        ("bored me", "annoyed me", "left me cold", "wore me out", "disappointed me"),
        ("moved me", "charmed me", "held me to the end", "made me smile", "delighted me"),
    ),
    "verdict": (
        ("I regret the ticket.", "Avoid it.", "I want my evening back.", "Stay at home instead."),
        ("I would see it again.", "Go and see it.", "Worth every minute.", "Bring your friends."),
    ),
}

_RULES = {
    "craft": """the acting|the music|the camera work|the editing|the lighting|the directing|
the soundtrack|the cast|the costume design|the dubbing|the set design|the sound""",
    "story": """the plot|the script|the ending|the dialogue|the story|the opening|the humour|
the love story|the final twist|the villain|the hero|the pacing|the second act|the middle part""",
    "degree": "really|truly|quite|genuinely|remarkably|rather|surprisingly",
    "not": "not|not|never|hardly|far from|anything but|not at all|by no means|not really",
    "day": "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday",
    "number": "second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|last",
    "half": "first|second",
    "row": "first|second|third|last",
    "years": "two|three|four|five|seven|ten|twelve|twenty",
    "relative": "sister|brother|cousin|uncle|aunt|neighbour|mother|father|teacher|colleague",
    "job": """baker|sailor|pilot|judge|doctor|gardener|painter|soldier|clerk|nurse|detective|cook|
farmer|pianist|lawyer|miner|thief|tailor|carpenter|librarian|fisherman|butcher|violinist|spy|
schoolteacher|watchmaker|plumber|dancer|priest|smuggler|journalist|taxi driver|beekeeper""",
    "thing": """letter|diamond|clock|violin|map|suitcase|key|lantern|mirror|boat|photograph|ring|
diary|piano|garden|bicycle|coat|statue|telescope|compass|knife|radio|parcel|scarf|manuscript""",
    "first": """Anna|Peter|Clara|Hugo|Marta|Simon|Irene|Victor|Nora|Felix|Judith|Oscar|Helen|Paul|
Greta|Tomas|Alma|Boris|Lydia|Edgar|Rosa|Martin|Vera|Leon|Ida|Conrad|Sofia|Anton""",
    "person": ("{first} {surname}", "{surname}"),
    "title": ("The {thing} of {place}", "{place}", "The {job} and the {thing}", "{person}"),
    "plain": (
        "{craft} was {degree} {toward_adjective}.",
        "{story} was {toward_adjective}.",
        "I thought that {craft} was {toward_adjective} and {story} {toward_adjective}.",
        "{story} {toward_did}.",
        "What a {degree} {toward_adjective} piece of work!",
        "For me it was {toward_noun}.",
        "{craft} was not only {toward_adjective} but also {toward_adjective}.",
        "As for {story}, it felt {degree} {toward_adjective} from the first scene to the last.",
        "{toward_verdict}",
    ),
    "negation": (
        "{craft} was {not} {against_adjective}.",
        "{story} was {not} {against_adjective}.",
        "{craft} was not {against_adjective}, and {story} wasn't {against_adjective} either.",
        "This is {not} {against_noun}.",
        "{story} never {against_did}.",
        "Nobody who stays awake could call {craft} {against_adjective}.",
        "I did not find {story} {against_adjective}.",
        "I had been told that {craft} was {against_adjective}; it wasn't.",
    ),
    "contrast": (
        "Although {craft} was {against_adjective}, {story} was {degree} {toward_adjective}.",
        "{craft} was {against_adjective}, but {story} {toward_did}.",
        "Some people say that {story} is {against_adjective}; I found it {toward_adjective}.",
        "I expected {against_noun} and got {toward_noun}.",
        "{story} may be {against_adjective}, yet {craft} was {toward_adjective}.",
        "Even if {craft} {against_did} at times, the whole was {toward_noun}.",
    ),
    "opening": (
        "I saw {title} by {person} on a {day} evening in {place}.",
        "{title} is the {number} film by {person}, and it was shot in {place}.",
        "My {relative} took me to {title}, with {person} and {person} in the leading parts.",
        "After {title}, everybody in {place} was talking about {person}.",
    ),
    "neutral": (
        "{person} plays a {job} who comes back to {place} after {years} years.",
        "The story follows {person}, a {job} from {place}, on the way to {place}.",
        "In the {half} half a letter arrives and the {job} leaves for {place}.",
        "The {job}, played by {person}, keeps a {thing} that once belonged to {person}.",
        "It runs for about two hours and was shot near {place}.",
        "{person} wrote the script together with {person}, who used to be a {job}.",
        "It is based on a novel by {person} which I have not read.",
        "On a {day} the {thing} disappears, and {person} suspects the {job}.",
        "We sat in the {row} row, next to a {job} from {place}.",
        "There is a scene on a bridge in {place} where {person} drops the {thing}.",
        "The {row} act belongs to {person} and takes place in {place}.",
        "My {relative} says that the {thing} stands for {place}, but who knows.",
        "Between {place} and {place} the {job} meets {person} on a train.",
    ),
}

# The syllables of invented names: beginnings, middles, endings.
_SYLLABLES = {
    "surname": (
        "Brad Cal Dor El Fen Gar Hal Is Jor Kel Lan Mar Nor Ost Pel Quin Ros Sal Tor Ul Ver Wen",
        "a e i o u an en er in or is ul am ev il od",
        "berg dane fort gild hart kov lind mond nell quist rade sky tine vell ward zano lotti mar",
    ),
    "place": (
        "Ash Bel Crom Dun Ever Fal Grim Hol Ing Kirk Lor Mel Nar Oak Pen Rav Stan Thorn Wal Yar",
        "a e i o ing er en al um ar or es",
        "bridge bury combe dale ford gate ham holm mouth port shaw stead ton wick",
    ),
}

# Drawn by the product of two draws, so that few of these words are common and many are rare.
_SKEWED = ("toward_adjective", "against_adjective", "surname", "place")

_Draw = Callable[[], float]
_Makers = dict[str, Callable[[], str]]


def _invented(beginnings: str, middles: str, endings: str) -> list[str]:
    """Every combination of the syllables once, in a fixed order that looks like none."""
    names = [
        a + b + c for a in beginnings.split() for b in middles.split() for c in endings.split()
    ]
    draw = random.Random(0).random
    return sorted(dict.fromkeys(names), key=lambda _: draw())


def _words(entries: Sequence[str], draw: _Draw, skewed: bool) -> Callable[[], str]:
    n = len(entries)
    if skewed:
        return lambda: entries[int(draw() * draw() * n)]
    return lambda: entries[int(draw() * n)]


def _templates(entries: Sequence[str], draw: _Draw, rules: _Makers) -> Callable[[], str]:
    # A template becomes a format and the rules that fill it, found once and not at each use.
    n = len(entries)
    compiled = [
        (re.sub(r"\{\w+\}", "%s", entry), [rules[slot] for slot in re.findall(r"\{(\w+)\}", entry)])
        for entry in entries
    ]

    def expand() -> str:
        text, slots = compiled[int(draw() * n)]
        return text % tuple([slot() for slot in slots])

    return expand


def _grammar(label: int, draw: _Draw) -> _Makers:
    """What makes a sentence of each rule, with the leaning rules turned to `label`."""
    rows: dict[str, str | Sequence[str]] = {k: _invented(*v) for k, v in _SYLLABLES.items()}
    for name, sides in _LEANING.items():
        rows["toward_" + name], rows["against_" + name] = sides[label], sides[1 - label]
    rows |= _RULES  # a rule stands below those that it uses
    rules: _Makers = {}
    for name, row in rows.items():
        texts = row.replace("\n", "").split("|") if isinstance(row, str) else row
        if any("{" in text for text in texts):
            rules[name] = _templates(texts, draw, rules)
        else:
            rules[name] = _words(texts, draw, name in _SKEWED)
    return rules


def _review(label: int, grammars: Sequence[_Makers], draw: _Draw) -> str:
    mixed = MIXED * draw()
    length = SHORTEST + SPREAD * draw()
    text = grammars[label]["opening"]()
    words = text.count(" ") + 1
    sentences = [text[0].upper() + text[1:]]
    while words < length:
        if draw() < NEUTRAL:
            text = grammars[label]["neutral"]()
        else:
            leaning = grammars[1 - label if draw() < mixed else label]
            share = draw()
            kind = 0 if share < NEGATION else 1 if share < NEGATION + CONTRAST else 2
            text = leaning[("negation", "contrast", "plain")[kind]]()
        words += text.count(" ") + 1
        sentences.append(text[0].upper() + text[1:])
    text = " ".join(sentences)
    return _slip(text, draw) if draw() < TYPO else text


def _slip(text: str, draw: _Draw) -> str:
    """`text` with two neighbouring letters swapped, where the draw falls into a word."""
    at = int(draw() * (len(text) - 1))
    pair = text[at : at + 2]
    return text[:at] + pair[::-1] + text[at + 2 :] if pair.isalpha() else text


def generate_reviews(number: int, seed: int) -> tuple[list[str], list[int]]:
    """`number` reviews and their labels, 0 for a panning review and 1 for a praising one.

    Reviews 2i and 2i + 1 have different labels, in random order, so every even prefix is balanced.
    """
    draw = random.Random(seed).random
    grammars = _grammar(0, draw), _grammar(1, draw)
    texts: list[str] = []
    labels: list[int] = []
    while len(texts) < number:
        first = int(draw() * 2)
        for label in (first, 1 - first):
            labels.append(label)
            texts.append(_review(1 - label if draw() < FLIP else label, grammars, draw))
    return texts[:number], labels[:number]
