#!/bin/sh
# Draw ../_static/drawing-*.svg from the .dot files beside this one. Needs Debian's package graphviz.
set -eu
cd "$(dirname "$0")"
for each in *.dot; do
    title=$(sed -n '1s,^// ,,p' "$each")
    dot -Tsvg -Gbgcolor=transparent -Gpad=0.05 -Gfontname=system-ui -Nfontname=system-ui -Efontname=system-ui "$each" |
        sed -e '/^<?xml/d' -e '/^<!DOCTYPE/,/>$/d' -e '/^<!--/d' -e '/-->$/d' -e 's/ stroke="black"//; s/ fill="black"//; s/ fill="none"//' \
            -e 's/ font-family="[^"]*"//; s/ font-size="\([^"]*\)"/ font-size="\1"/' \
            -e "s|^<svg width=\"\\([0-9]*\\)pt\" height=\"[0-9]*pt\"|<svg class=\"drawing\" role=\"img\" aria-label=\"$title\" style=\"max-width: \\1pt\"|" \
            -e '/<title>/d' > "../_static/drawing-${each%.dot}.svg"
done
