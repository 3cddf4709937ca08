#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# The tables of docs/protocol.md and the dissector's names are those of lib/wire/table.c.
#
#	tests/protocol_page.sh PRINT_PROTOCOL             fails when they are not
#	tests/protocol_page.sh --update PRINT_PROTOCOL    rewrites them
set -eu

update=false
if [ "${1:-}" = --update ]; then
	update=true
	shift
fi
[ $# -eq 1 ] || { echo "usage: $0 [--update] PRINT_PROTOCOL" >&2; exit 2; }
print_protocol=$1
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$print_protocol" markdown >"$work/tables.md"
"$print_protocol" lua >"$work/cpau_tables.lua"
awk -v tables="$work/tables.md" '
	/<!-- tables:end -->/ { skip = 0 }
	!skip { print }
	/<!-- tables:begin -->/ { skip = 1; while ((getline line < tables) > 0) print line }
' "$root/docs/protocol.md" >"$work/protocol.md"

status=0
for file in docs/protocol.md scripts/wireshark/cpau_tables.lua; do
	made=$work/$(basename "$file")
	if $update; then
		cmp -s "$made" "$root/$file" || cp "$made" "$root/$file"
	elif ! diff -u "$root/$file" "$made"; then
		echo "$file is out of date: run $0 --update $print_protocol" >&2
		status=1
	fi
done
exit $status
