#!/bin/sh
# A test of a small service, as somebody might write it who has no Mesos: one line "ok" for each thing that was looked at, and
# exit code 0 if all were. As root and as any other user, in any POSIX shell: sh examples/shell-test.sh
#
# The service writes a line every tenth of a second until the file "stop" is in its directory, then says goodbye and exits with 7.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/lib/ecp.sh
. "$here/../scripts/lib/ecp.sh"
trap ecp_clean_up EXIT
trap 'exit 1' HUP INT TERM

# is WHAT EXPECTED FOUND
is() {
    if [ "$2" != "$3" ]; then
        printf 'FAILED: %s: expected "%s", found "%s"\n' "$1" "$2" "$3" >&2
        exit 1
    fi
    printf 'ok: %s\n' "$1"
}
# appears FILE: waits until it has content, at most 30 seconds.
appears() {
    tries=300
    until [ -s "$1" ]; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || { echo "FAILED: $1 did not appear" >&2 && exit 1; }
        sleep 0.1
    done
}

# shellcheck disable=SC2016 # for the shell of the container
service='while [ ! -e stop ]; do echo "serving $1"; sleep 0.1; done; echo "$GOODBYE" >&2; exit 7'
goodbye=$(printf 'good "bye" \\ from\tä\nline 2')

id=$(ecp_launch -c 0.5 -m 64 -e "GOODBYE=$goodbye" -- sh -c "$service" service "an argument")
sandbox=$(ecp_sandbox "$id")
is "it is listed" "$id" "$(ecp_containers)"
appears "$sandbox/stdout"
is "its output is in the sandbox, its argument is whole" "serving an argument" "$(head -n 1 "$sandbox/stdout")"

is "its cpus" 0.5 "$(ecp_usage "$id" cpus_limit)"
is "its memory" $((64 * 1024 * 1024)) "$(ecp_usage "$id" mem_limit_bytes)"
[ "$(ecp_usage "$id" processes)" -ge 1 ]
[ "$(ecp_usage "$id" mem_rss_bytes)" -gt 0 ]
echo "ok: it uses $(ecp_usage "$id" mem_rss_bytes) bytes of memory"
is "what is not measured is empty" "" "$(ecp_usage "$id" no_such_field)"

ecp_update "$id" - 128
is "its memory after an update" $((128 * 1024 * 1024)) "$(ecp_usage "$id" mem_limit_bytes)"
is "its cpus, which the update left alone" 0.5 "$(ecp_usage "$id" cpus_limit)"
ecp_recover
is "it is still there after a recovery" "$id" "$(ecp_containers)"

touch "$sandbox/stop"
is "its exit code" 7 "$(ecp_wait "$id")"
if ecp_killed "$id"; then is "nobody killed it" no yes; fi
is "its environment came through as it was" "$goodbye" "$(cat "$sandbox/stderr")"

# One that has to be killed, in a directory of the test's own whose name has a space, and with an id of the test's own.
mkdir "$ecp_dir/a directory"
is "the id that was asked for" "deaf-1" "$(ecp_launch -i deaf-1 -d "$ecp_dir/a directory" -- \
    sh -c 'trap "" TERM; echo up; while :; do sleep 1; done')"
appears "$ecp_dir/a directory/stdout"
ecp_destroy deaf-1
is "the exit code of one that was destroyed: 128 and the signal" 137 "$(ecp_wait deaf-1)"
is "nothing is left" "" "$(ecp_containers)"

# What goes wrong is said in words, and stops a test that does not expect it.
if ecp_launch -i deaf-2 -- /no/such/program 2> "$ecp_dir/reason"; then
    is "a program that is not there is refused" yes no
fi
case $(cat "$ecp_dir/reason") in
    *"/no/such/program"*"No such file"*) echo "ok: a program that is not there is refused by name" ;;
    *) is "the reason" "/no/such/program: No such file" "$(cat "$ecp_dir/reason")" ;;
esac
if ecp_wait never-launched > /dev/null 2>&1; then is "an unknown container has no exit code" yes no; fi
echo "ok: an unknown container has no exit code"
