#!/usr/bin/env python3
"""Writes the prose of data/tales.txt: short tales by a grammar, the same bytes from the same seed everywhere.

Each tale is one plot told about a cast drawn at its start (a person with a trade, tools and goods, an animal, a
helper, a place, a season), so what a sentence may say depends on words hundreds of bytes before it: names and
pronouns, the trade and its goods, the animal and its sound, what was lost and where it turned up, and counts
that must add up. Usage: make_text.py [BYTES] [SEED] > FILE
"""
import sys

STANDARD_BYTES, STANDARD_SEED = 160_000, 4


class Numbers:
    """A 64-bit linear congruential generator (Knuth's MMIX): Python's own may change with its version."""

    def __init__(self, seed):
        self.state = seed

    def below(self, limit):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) * limit >> 31

    def pick(self, options):
        return options[self.below(len(options))]


WOMEN = "Mara Edith Agnes Hilda Rosa Nell Clara Bess Ottilie Wynn Tamsin Ida".split()
MEN = "Tobias Aldous Bram Conrad Edwin Jonas Hugo Piers Silas Walter Oswin Martin".split()
# trade, tool, goods (one, many), where the work is done, what it sounds or smells like
TRADES = [
    ("baker", "peel", "loaf", "loaves", "bakehouse", "the smell of warm bread"),
    ("smith", "hammer", "horseshoe", "horseshoes", "forge", "the ring of the anvil"),
    ("potter", "wheel", "jug", "jugs", "pottery", "the smell of wet clay"),
    ("weaver", "shuttle", "blanket", "blankets", "loft", "the clack of the loom"),
    ("cooper", "mallet", "barrel", "barrels", "yard", "the smell of fresh oak"),
    ("chandler", "ladle", "candle", "candles", "cellar", "the smell of beeswax"),
    ("carpenter", "plane", "stool", "stools", "workshop", "the hiss of the saw"),
    ("cobbler", "awl", "boot", "boots", "little shop", "the tapping of nails"),
    ("bookbinder", "bone folder", "book", "books", "attic", "the smell of glue and leather"),
    ("beekeeper", "smoker", "honeycomb", "honeycombs", "garden", "the hum of the hives"),
]
ANIMALS = [
    ("cat", "purred", "grey striped black white".split()),
    ("dog", "barked", "brown shaggy old spotted".split()),
    ("goose", "hissed", "white fat proud grey".split()),
    ("donkey", "brayed", "patient old brown stubborn".split()),
    ("jackdaw", "chattered", "tame clever black bright-eyed".split()),
    ("goat", "bleated", "white bearded hungry young".split()),
]
PLACES = [
    ("by the river", "the river"), ("at the edge of the forest", "the forest"), ("below the old tower", "the old tower"),
    ("near the stone bridge", "the stone bridge"), ("on the hill", "the hill"), ("beside the mill pond", "the mill pond"),
    ("behind the orchard", "the orchard"), ("at the crossroads", "the crossroads"),
]
SEASONS = [
    ("spring", "the blossom was white on the branches", "a mild wind blew from the south"),
    ("summer", "the days were long and dry", "the dust lay thick on the road"),
    ("autumn", "the leaves had turned to copper", "a thin mist hung over the fields"),
    ("winter", "the snow lay deep on the roofs", "ice had closed the well"),
]
LOST = [
    ("silver key", "opened the great chest"), ("brass lantern", "had lit the way for three generations"),
    ("blue ribbon", "had come from a sister across the sea"), ("small bell", "called the children home"),
    ("copper coin", "had never once been spent"), ("wooden flute", "knew only one song"),
]
HIDING = [
    ("under the flour sacks", "flour"), ("in the hollow of the lime tree", "bark"), ("at the bottom of the well bucket", "water"),
    ("between two stones of the wall", "moss"), ("in the nest above the barn door", "straw"), ("in the pocket of the winter coat", "wool"),
]
GIFTS = ["a seed no bigger than a pea", "a whistle carved from bone", "a map drawn in red ink", "a small jar of salt",
         "a needle that shone like water", "a smooth green stone"]
COUNT = "no one two three four five six seven eight nine ten eleven twelve".split()


class Cast:
    def __init__(self, numbers):
        n = numbers
        woman, helper_woman = n.below(2), n.below(2)
        self.name = n.pick(WOMEN if woman else MEN)
        self.helper = self.name
        while self.helper == self.name:
            self.helper = n.pick(WOMEN if helper_woman else MEN)
        self.he, self.him, self.his = ("she", "her", "her") if woman else ("he", "him", "his")
        self.He, self.His = self.he.capitalize(), self.his.capitalize()
        self.hhe, self.hhim, self.hhis = ("she", "her", "her") if helper_woman else ("he", "him", "his")
        self.HHe = self.hhe.capitalize()
        self.trade, self.tool, self.good, self.goods, self.work, self.sense = n.pick(TRADES)
        self.other = self.trade
        while self.other == self.trade:
            self.other, _, _, self.other_goods, self.other_work, _ = n.pick(TRADES)
        self.beast, self.cry, colours = n.pick(ANIMALS)
        self.colour = n.pick(colours)
        self.where, self.place = n.pick(PLACES)
        self.season, self.sky, self.air = n.pick(SEASONS)
        self.thing, self.use = n.pick(LOST)
        self.hiding, self.trace = n.pick(HIDING)
        self.gift = n.pick(GIFTS)
        self.the_gift = "the" + self.gift[1:]
        self.many = 4 + n.below(9)
        self.sold = 2 + n.below(self.many - 3)
        self.left = self.many - self.sold
        self.days = COUNT[3 + n.below(5)]


def a(word):
    return ("an " if word[0] in "aeiou" else "a ") + word


def count(number, one, many):
    return f"{COUNT[number]} {one if number == 1 else many}"


def opening(n, c):
    return n.pick([
        f"{c.name} the {c.trade} lived {c.where} with {a(c.colour)} {c.beast}.",
        f"There was once {a(c.trade)} named {c.name}, who lived {c.where} and kept {a(c.colour)} {c.beast}.",
        f"In a house {c.where} lived {c.name}, {a(c.trade)}, and with {c.him} {a(c.colour)} {c.beast}.",
    ]) + " " + n.pick([
        f"Whoever came past the {c.work} knew it by {c.sense}.",
        f"From the {c.work} came {c.sense}, early and late.",
        f"{c.His} {c.goods} were the best for miles around, and the {c.work} was full of {c.sense}.",
    ])


def season(n, c):
    return n.pick([
        f"It was {c.season}, and {c.sky}.",
        f"That {c.season} {c.sky}, and {c.air}.",
        f"One day in {c.season}, when {c.sky}, {c.name} went out before the sun was up.",
    ])


def animal(n, c):
    return n.pick([
        f"The {c.beast} {c.cry}, as if it had known all along.",
        f"The {c.colour} {c.beast} looked up and {c.cry}.",
        f"Behind {c.him} the {c.beast} {c.cry} softly.",
        f"Only the {c.beast} {c.cry}; nobody else said a word.",
    ])


def ending(n, c):
    return n.pick([
        f"And if {c.name} has not put down the {c.tool}, {c.he} is making {c.goods} {c.where} to this day.",
        f"From then on no one who passed {c.place} went by the door of the {c.trade} without a greeting.",
        f"{c.helper} told the story often, and each time the {c.colour} {c.beast} grew a little larger in it.",
        f"So it was that {c.name} and {c.helper} became friends, and {c.season} was ever after their favourite time of the year.",
    ])


def lost(n, c):
    yield n.pick([
        f"{c.name} owned {a(c.thing)} that {c.use}.",
        f"Of all that {c.he} had, {c.name} loved best {a(c.thing)}, which {c.use}.",
    ]) + f" But one morning the {c.thing} was gone."
    yield n.pick([
        f"{c.He} looked behind the {c.goods}, and {c.he} looked beneath the {c.tool}, and found nothing but dust.",
        f"{c.He} turned over every {c.good} in the {c.work}, one after the other, but the {c.thing} was not there.",
    ])
    yield f"\"Have you seen my {c.thing}?\" {c.he} asked {c.helper}, the {c.other}. " + n.pick([
        f"\"I have not,\" said {c.helper}, \"but I will help you look, for you once mended my door.\"",
        f"\"No,\" said {c.helper} and put the {c.other_goods} aside, \"but two pairs of eyes see more than one.\"",
    ])
    yield n.pick([
        f"They searched for {c.days} days, from the {c.other_work} as far as {c.place}.",
        f"For {c.days} days they asked at every house, and every evening they came back with empty hands.",
    ])
    yield animal(n, c) + " " + n.pick([
        f"There was a trace of {c.trace} on its nose.",
        f"{c.helper} saw that there was {c.trace} on its feet, and began to laugh.",
    ])
    yield f"And there, {c.hiding}, lay the {c.thing}. " + n.pick([
        f"\"You little thief,\" said {c.name}, but {c.he} said it kindly.",
        f"{c.name} held the {c.thing} up to the light and thanked {c.helper} with {a(c.good)}.",
    ])


def market(n, c):
    many, sold, left = c.many, c.sold, c.left
    yield n.pick([
        f"For the market {c.he} had made {count(many, c.good, c.goods)}, and {c.he} counted them twice.",
        f"{c.He} packed {count(many, c.good, c.goods)} into straw and tied them to the cart.",
    ])
    yield n.pick([
        f"On the road {c.he} met {c.helper}, who carried {c.other_goods} to the same market.",
        f"{c.helper} the {c.other} was going the same way, so they shared the road and an apple.",
    ])
    yield n.pick([
        f"\"How many {c.goods} have you got?\" asked {c.helper}. \"{COUNT[many].capitalize()},\" said {c.name}, \"and I mean to sell them all.\"",
        f"\"{COUNT[many].capitalize()} {c.goods}!\" said {c.helper}. \"You must have worked all night.\"",
    ])
    yield n.pick([
        f"By noon {c.name} had sold {count(sold, c.good, c.goods)}, and {COUNT[left]} {'was' if left == 1 else 'were'} left.",
        f"The people bought {count(sold, c.good, c.goods)} and no more, so that {c.he} still had {count(left, c.good, c.goods)} when the bells rang.",
    ])
    yield animal(n, c)
    last = "the last one" if left == 1 else "both of them" if left == 2 else f"all {COUNT[left]} of them"
    yield n.pick([
        f"Then an old woman came who had no money. {c.name} gave her {last} and went home with an empty cart and a light heart.",
        f"\"What will you do with {'it' if left == 1 else 'them'}?\" asked {c.helper}. {c.name} thought about it and gave {last} to the children at the gate.",
    ])


def stranger(n, c):
    yield n.pick([
        f"Late one evening a stranger knocked at the door of the {c.work}.",
        f"When {c.name} was about to bar the door, a stranger stood before it, wet to the skin.",
    ]) + " " + n.pick([
        f"\"I have walked for {c.days} days,\" the stranger said, \"and I have nothing to pay with.\"",
        f"\"I come from the other side of {c.place},\" said the stranger. \"May I sit by your fire?\"",
    ])
    yield n.pick([
        f"{c.name} moved the {c.tool} from the bench and set out bread and soup.",
        f"\"Sit down,\" said {c.name}, \"there is soup enough for two.\"",
    ]) + " " + animal(n, c)
    yield n.pick([
        f"In the morning the stranger was gone, but on the table lay {c.gift}.",
        f"At first light the bed was empty, and where the stranger had slept {c.name} found {c.gift}.",
    ])
    yield n.pick([
        f"{c.He} showed it to {c.helper} the {c.other}, who turned it over and over. \"Keep it,\" said {c.helper}. \"A gift knows its own hour.\"",
        f"\"What use is it to {a(c.trade)}?\" {c.he} asked {c.helper}. \"Wait,\" said {c.helper}, who was {a(c.other)} and used to waiting.",
    ])
    yield n.pick([
        f"The hour came in {c.season}, when {c.sky} and {c.helper} fell ill.",
        f"It was {c.season} again before {c.name} remembered it. {c.air.capitalize()}, and {c.helper} had lost the way home.",
    ])
    yield n.pick([
        f"{c.name} took {c.the_gift} and walked to {c.place}, and what happened there {c.he} never told; but by nightfall {c.helper} sat safe in the {c.other_work}.",
        f"With {c.the_gift} in {c.his} hand {c.name} went out, and before the moon rose {c.he} had brought {c.hhim} back.",
    ])


def storm(n, c):
    yield n.pick([
        f"In the night a storm came down on {c.place} and took the roof off the {c.work}.",
        f"Then came the great storm. It broke the shutters of the {c.work} and carried the door away.",
    ])
    yield n.pick([
        f"Of {c.his} {c.goods} only {COUNT[c.left]} {'was' if c.left == 1 else 'were'} whole in the morning.",
        f"{c.name} found the {c.tool} in the mud, and beside it {count(c.left, c.good, c.goods)} and nothing more.",
    ])
    yield animal(n, c)
    yield n.pick([
        f"The first to come was {c.helper}, the {c.other}, with a ladder on {c.hhis} shoulder. \"We shall begin with the beams,\" said {c.helper}.",
        f"\"Do not stand there,\" called {c.helper} from the road. {c.HHe} had shut the {c.other_work} and brought rope and nails.",
    ])
    yield n.pick([
        f"They worked for {c.days} days. On the last of them the whole village came to see the new roof.",
        f"In {c.days} days the {c.work} stood again, and it was drier than before.",
    ])
    yield n.pick([
        f"\"What do I owe you?\" asked {c.name}. \"{a(c.good).capitalize()},\" said {c.helper}, \"but a good one.\"",
        f"{c.name} had nothing to give but {a(c.good)}. {c.helper} put it where everyone could see it.",
    ])


def wager(n, c):
    yield f"{c.helper} the {c.other} was proud and said so. " + n.pick([
        f"\"My {c.other_goods} will be remembered when your {c.goods} are dust,\" {c.hhe} told {c.name}.",
        f"\"Anyone can make {c.goods},\" {c.hhe} said to {c.name}, \"but it takes a master to make {c.other_goods}.\"",
    ])
    yield n.pick([
        f"\"Then let us see,\" said {c.name}, \"who can make more of them in {c.days} days.\"",
        f"{c.name} laid down the {c.tool}. \"Give me {c.days} days,\" {c.he} said, \"and let the village judge.\"",
    ])
    yield n.pick([
        f"For {c.days} days there was light in the {c.work} and light in the {c.other_work}, and nobody slept.",
        f"So it began. In the {c.other_work} {c.helper} worked with the door locked; in the {c.work} the door stood open.",
    ])
    yield animal(n, c)
    yield n.pick([
        f"In the end {c.name} had made {count(c.many, c.good, c.goods)}, and {c.helper} had made {COUNT[c.many]} {c.other_goods} as well.",
        f"When the {c.days} days were over they counted. {COUNT[c.many].capitalize()} {c.goods} stood on one side and {COUNT[c.many]} {c.other_goods} on the other.",
    ])
    yield n.pick([
        f"{c.helper} looked at them for a long time. \"I could not make a single one of these,\" {c.hhe} said. \"Nor I of yours,\" said {c.name}.",
        f"\"Nobody has won,\" said the children. \"Everybody has,\" said {c.helper}, and for once {c.hhe} was not proud.",
    ])


def tale(numbers):
    cast = Cast(numbers)
    plot = numbers.pick([lost, market, stranger, storm, wager])
    first = [opening(numbers, cast), season(numbers, cast)]
    middle = list(plot(numbers, cast))
    cut = 2 + numbers.below(2)
    paragraphs = [first, middle[:cut], middle[cut:], [ending(numbers, cast)]]
    return "\n".join(" ".join(sentences) for sentences in paragraphs) + "\n"


def main():
    least = int(sys.argv[1]) if len(sys.argv) > 1 else STANDARD_BYTES
    numbers = Numbers(int(sys.argv[2]) if len(sys.argv) > 2 else STANDARD_SEED)
    text = ""
    while len(text) < least:
        text += ("\n" if text else "") + tale(numbers)
    sys.stdout.write(text)


main()
