#!/bin/sh
# Prints the command of a Python that perf runs on, or says what to install. $PYTHON, when given, is the only candidate.
set -u
# An interpreter is tried, not looked up: version managers leave commands on PATH that only print an error.
for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3.14 python3 python}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 </dev/null; then
        echo "$candidate"
        exit 0
    fi
done
{
    echo "perf needs Python 3.11 or newer; tried: ${PYTHON:-python3.11 python3.12 python3.13 python3.14 python3 python}."
    if command -v apt-get >/dev/null 2>&1; then
        echo "Install it:  sudo apt-get install python3 python3-venv"
    elif command -v brew >/dev/null 2>&1; then
        echo "Install it:  brew install python@3.13"
    else
        echo "Install it from https://www.python.org/downloads/"
    fi
    echo "Or name one:  make PYTHON=/path/to/python3.11 run"
} >&2
exit 1
