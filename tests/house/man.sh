#!/bin/sh
# man.sh PAGE VERSION DOCDIR: a manual page with what it takes from elsewhere, on standard output: the version, where the
# documents are, the commands of docs/commands.md, the keys of docs/configuration.md. So it cannot fall behind them.
set -eu
page=$1 version=$2 docdir=$3

# Rows of the table under a title, as items of an mdoc list; a cell's code and links become plain text.
rows() { # FILE TITLE
    awk -v title="$2" '
        function plain(text) {
            gsub(/`/, "", text)
            gsub(/\\\|/, "|", text)
            gsub(/\[[^]]*\]\([^)]*\)/, "&", text)
            while (match(text, /\[[^]]*\]\([^)]*\)/)) {
                link = substr(text, RSTART, RLENGTH)
                sub(/^\[/, "", link)
                sub(/\].*/, "", link)
                text = substr(text, 1, RSTART - 1) link substr(text, RSTART + RLENGTH)
            }
            gsub(/\\/, "\\e", text)
            gsub(/^ +| +$/, "", text)
            return text
        }
        function say(text) { if (text ~ /^[.\047]/) text = "\\&" text; print text }
        BEGIN { gsub("/", "\\/", title) }
        $0 == title { on = 1; next }
        on && /^## / { exit }
        on && /^\| `/ {
            line = $0
            gsub(/\\\|/, "\001", line)
            count = split(line, cells, / *\| */)
            for (i = 2; i < count; i++) gsub(/\001/, "|", cells[i])
            print ".It " plain(cells[2])
            if (count > 5) {
                text = plain(cells[3])
                if (plain(cells[4]) != "-") text = text "; default " plain(cells[4])
                if (plain(cells[5]) != "-") text = text "; " plain(cells[5])
                say(text ".")
                if (plain(cells[6]) != "") say(plain(cells[6]))
            } else
                say(plain(cells[3]))
        }' "$1"
}

sed "s|@version@|$version|; s|@docdir@|$docdir|" "$page" | while IFS= read -r line; do
    case $line in
    *@keys@*)
        echo '.Bl -tag -width Ds'
        rows docs/configuration.md '## All keys'
        echo '.El'
        ;;
    *@commands@*)
        echo '.Bl -tag -width Ds'
        rows docs/commands.md '## driftc'
        echo '.El'
        ;;
    *) printf '%s\n' "$line" ;;
    esac
done
