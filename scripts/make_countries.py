#!/usr/bin/env python3
"""Makes data/countries.csv, which the task countries of `quartic experiment` draws from.

    npm pack world-countries@5.1.0 && tar xzf world-countries-5.1.0.tgz
    python3 scripts/make_countries.py package/countries.json > data/countries.csv

One line for each country that has a neighbour: its code (ISO 3166-1 alpha-3), the part of the world it lies in, and
the codes of its neighbours, all in the order of the alphabet. Borders that only one side lists are left out.
"""
import json
import sys


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make_countries.py countries.json > countries.csv")
    with open(sys.argv[1], encoding="utf-8") as file:
        countries = {entry["cca3"]: entry for entry in json.load(file) if entry["subregion"]}
    print("country,part,neighbours")
    for code in sorted(countries):
        neighbours = [other for other in sorted(countries[code]["borders"])
                      if other in countries and code in countries[other]["borders"]]
        if neighbours:
            print(f"{code},{countries[code]['subregion']},{' '.join(neighbours)}")


main()
