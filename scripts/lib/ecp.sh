# shellcheck shell=sh
# For a shell test of one's own: containers by mesos-ecp, without an agent, jq or python. To be read by the command "." in any
# POSIX shell, also under set -eu. docs/without-agent.md says how, examples/shell-test.sh shows it.
#
#   ecp_launch [-i ID] [-c CPUS] [-m MB] [-u USER] [-e NAME=VALUE]... [-d SANDBOX] -- COMMAND [ARGUMENT]...
#                           starts a container and prints its id; without -d its sandbox is made, and is the user's: see
#                           ecp_sandbox
#   ecp_sandbox ID          prints the sandbox of a container that ecp_launch started: stdout and stderr are files there
#   ecp_wait ID             blocks until it has ended; prints its exit code as shells have it (128+N for signal N)
#   ecp_killed ID           after ecp_wait: true if it was ended for exceeding a limit
#   ecp_message ID          after ecp_wait: prints what mesos-ecp has to say of the end
#   ecp_usage ID [FIELD]    prints a sample as JSON, or one of its fields, as mem_rss_bytes; nothing if it is not there
#   ecp_update ID CPUS MB   sets new resources; - leaves one as it is
#   ecp_destroy ID          kills it; returns when nothing is left
#   ecp_containers          prints the ids of all, a line each
#   ecp_recover             finds a supervisor for those that have lost theirs
#   ecp_clean_up            destroys what ecp_launch started and removes its files: for trap ... EXIT, together with
#                           trap 'exit 1' HUP INT TERM, as not every shell calls the first one at a signal
#
# A call that fails says why on standard error, and the function returns 1. The program is $ECP, or mesos-ecp in PATH, or in
# target/release or target/debug of this repository. $ECP_FLAGS has more flags for all calls, with spaces between them, as
# --isolation=cgroups/mem. State and sandboxes are in a directory of this shell's own, $ecp_dir.

# Function bodies in brackets: their variables are their own, and so is what they exit from.

ecp_dir=$(mktemp -d) || exit 1
ecp_dir=$(cd "$ecp_dir" && pwd -P) || exit 1
# Other users must get to their sandboxes; the state is closed to them by itself.
chmod 711 "$ecp_dir"
mkdir "$ecp_dir/launched" "$ecp_dir/sandboxes" "$ecp_dir/ended"
ecp_cgroups=ecp-shell-${ecp_dir##*/}
# Of this file where the shell tells, else of the script that is running.
# shellcheck disable=SC2128,SC3028
ecp_home=${BASH_SOURCE:+$(dirname "$BASH_SOURCE")/../..}
# Wherever the test goes from here.
ecp_home=$(CDPATH='' cd -- "${ecp_home:-$(dirname "$0")/..}" && pwd -P) || exit 1

# Prints the path of the program.
ecp_program() (
    if [ -n "${ECP-}" ]; then
        printf '%s\n' "$ECP"
        exit 0
    fi
    command -v mesos-ecp && exit 0
    for kind in release debug; do
        found=${CARGO_TARGET_DIR:-$ecp_home/target}/$kind/mesos-ecp
        if [ -x "$found" ]; then
            printf '%s\n' "$found"
            exit 0
        fi
    done
    echo "ecp.sh: mesos-ecp is neither in PATH nor built here: set ECP to its path, or call cargo build --release" >&2
    exit 1
)

# ecp_call VERB: a message in JSON on standard input, the answer on standard output.
ecp_call() (
    program=$(ecp_program) || exit 1
    # shellcheck disable=SC2086 # flags with spaces between them
    exec "$program" "--work_dir=$ecp_dir/agent" "--runtime_dir=$ecp_dir/run" "--cgroups_root=$ecp_cgroups" --format=json \
        ${ECP_FLAGS-} "$1"
)

# Prints a text as a string of JSON, with its quotes.
ecp_quote() {
    case $1 in
        *[!A-Za-z0-9_./:=@%+,\ -]*) ;;
        *)
            printf '"%s"' "$1"
            return 0
            ;;
    esac
    # The mark at the end keeps the line breaks before it.
    printf '%s.' "$1" | LC_ALL=C awk '
        BEGIN { for (n = 1; n < 32; n++) code[sprintf("%c", n)] = sprintf("\\u%04x", n) }
        {
            gsub(/[\\"]/, "\\\\&")
            if ($0 ~ /[\001-\037]/) {
                escaped = ""
                for (at = 1; at <= length($0); at++) {
                    c = substr($0, at, 1)
                    escaped = escaped ((c in code) ? code[c] : c)
                }
                $0 = escaped
            }
            text = (NR == 1) ? $0 : text "\\n" $0
        }
        END { printf "\"%s\"", substr(text, 1, length(text) - 1) }'
}

# ecp_field NAME: prints one field of the object of JSON on standard input, texts without quotes and escapes.
ecp_field() {
    LC_ALL=C awk -v name="$1" '
        BEGIN { for (n = 1; n < 32; n++) code[sprintf("\\u%04x", n)] = sprintf("%c", n) }
        function text(    c, whole) {
            whole = ""
            for (at++; (c = substr($0, at, 1)) != "\"" && c != ""; at++) {
                if (c == "\\") {
                    c = substr($0, ++at, 1)
                    if (c == "n") c = "\n"
                    else if (c == "t") c = "\t"
                    else if (c == "r") c = "\r"
                    else if (c == "b") c = "\b"
                    else if (c == "f") c = "\f"
                    else if (c == "u") { c = code["\\u" substr($0, at + 1, 4)]; at += 4 }
                }
                whole = whole c
            }
            return whole
        }
        {
            depth = 0
            for (at = 1; at <= length($0); at++) {
                c = substr($0, at, 1)
                if (c == "{" || c == "[") depth++
                else if (c == "}" || c == "]") depth--
                else if (c == "\"") {
                    found = text()
                    if (depth != 1 || found != name || substr($0, at + 1, 1) != ":") continue
                    at += 2
                    if (substr($0, at, 1) == "\"") print text()
                    else {
                        value = substr($0, at)
                        sub(/[,}].*/, "", value)
                        print value
                    }
                    exit
                }
            }
        }'
}

# ecp_about ID: the message of the verbs that need no more.
ecp_about() {
    printf '{"container_id":{"value":'
    ecp_quote "$1"
    printf '}}\n'
}

# ecp_resources CPUS MB: an array; what is - or empty is not in it.
ecp_resources() (
    comma=
    printf '['
    for pair in "cpus=$1" "mem=$2"; do
        number=${pair#*=}
        case $number in
            "" | -) continue ;;
            .* | *. | *[!0-9.]*)
                echo "ecp.sh: ${pair%%=*} is to be a number, as 0.5 or 64, and not $number" >&2
                exit 1
                ;;
        esac
        printf '%s{"name":"%s","type":"SCALAR","scalar":{"value":%s}}' "$comma" "${pair%%=*}" "$number"
        comma=,
    done
    printf ']'
)

ecp_launch() (
    id='' cpus='' mem='' user='' sandbox='' variables=''
    OPTIND=1
    while getopts i:c:m:u:e:d: option; do
        case $option in
            i) id=$OPTARG ;;
            c) cpus=$OPTARG ;;
            m) mem=$OPTARG ;;
            u) user=$OPTARG ;;
            d) sandbox=$OPTARG ;;
            e)
                case $OPTARG in
                    *=*) ;;
                    *) echo "ecp.sh: -e $OPTARG: NAME=VALUE is wanted" >&2 && exit 1 ;;
                esac
                variables="$variables${variables:+,}{\"name\":$(ecp_quote "${OPTARG%%=*}"),\"value\":$(ecp_quote "${OPTARG#*=}")}"
                ;;
            *) exit 1 ;;
        esac
    done
    shift $((OPTIND - 1))
    if [ $# = 0 ]; then
        echo "ecp.sh: ecp_launch has no command: ecp_launch [-i ID] ... -- COMMAND [ARGUMENT]..." >&2
        exit 1
    fi
    case $id in
        .* | */*)
            echo "ecp.sh: -i $id: an id has no slash and does not begin with a dot" >&2
            exit 1
            ;;
        "")
            n=1
            until mkdir "$ecp_dir/launched/c$n" 2> /dev/null; do
                # There is one of that name, or there will never be one.
                [ -d "$ecp_dir/launched/c$n" ] || mkdir "$ecp_dir/launched/c$n" || exit 1
                n=$((n + 1))
            done
            id=c$n
            ;;
        *) mkdir -p "$ecp_dir/launched/$id" || exit 1 ;;
    esac
    if [ -n "$sandbox" ]; then
        sandbox=$(CDPATH='' cd -- "$sandbox" && pwd -P) || exit 1
    else
        sandbox=$ecp_dir/sandboxes/$id
        mkdir -p "$sandbox" || exit 1
        [ -z "$user" ] || chown "$user" "$sandbox" || exit 1
    fi
    # An executor of its own, a program with its arguments: nothing of it is read by a shell.
    arguments=
    for argument in "$@"; do
        arguments="$arguments${arguments:+,}$(ecp_quote "$argument")"
    done
    resources=$(ecp_resources "$cpus" "$mem") || exit 1
    {
        printf '{"container_id":{"value":%s},"directory":%s,' "$(ecp_quote "$id")" "$(ecp_quote "$sandbox")"
        [ -z "$user" ] || printf '"user":%s,' "$(ecp_quote "$user")"
        printf '"executor_info":{"executor_id":{"value":%s},"resources":%s,' "$(ecp_quote "$id")" "$resources"
        printf '"command":{"shell":false,"value":%s,"arguments":[%s],' "$(ecp_quote "$1")" "$arguments"
        printf '"environment":{"variables":[%s]}}}}\n' "$variables"
    } | ecp_call launch || {
        # Unless it is the directory of one that runs.
        rmdir "$ecp_dir/launched/$id" 2> /dev/null || :
        exit 1
    }
    printf '%s\n' "$sandbox" > "$ecp_dir/launched/$id/sandbox"
    printf '%s\n' "$id"
)

ecp_sandbox() { cat "$ecp_dir/launched/$1/sandbox"; }

ecp_wait() (
    answer=$(ecp_about "$1" | ecp_call wait) || exit 1
    printf '%s\n' "$answer" >| "$ecp_dir/ended/$1" || exit 1
    status=$(ecp_field status < "$ecp_dir/ended/$1")
    if [ -z "$status" ]; then
        printf 'ecp.sh: %s has no exit code: %s\n' "$1" "$(ecp_message "$1")" >&2
        exit 1
    fi
    # As wait(2) has it: the signal, or the exit code times 256.
    signal=$((status & 127))
    if [ "$signal" != 0 ]; then echo $((128 + signal)); else echo $((status >> 8 & 255)); fi
)

ecp_killed() { [ "$(ecp_field killed < "$ecp_dir/ended/$1")" = true ]; }

ecp_message() { ecp_field message < "$ecp_dir/ended/$1"; }

ecp_usage() (
    sample=$(ecp_about "$1" | ecp_call usage) || exit 1
    if [ $# = 1 ]; then printf '%s\n' "$sample"; else printf '%s\n' "$sample" | ecp_field "$2"; fi
)

ecp_update() (
    resources=$(ecp_resources "$2" "$3") || exit 1
    printf '{"container_id":{"value":%s},"resources":%s}\n' "$(ecp_quote "$1")" "$resources" | ecp_call update
)

ecp_destroy() { ecp_about "$1" | ecp_call destroy; }

ecp_containers() (
    answer=$(ecp_call containers) || exit 1
    # Ids have no characters that JSON escapes.
    printf '%s\n' "$answer" | tr '{' '\n' | sed -n 's/^"value":"\([^"]*\)".*/\1/p'
)

ecp_recover() { ecp_call recover; }

# Whatever the test has set for its shell: names must be found by *, and no failure may end this.
ecp_clean_up() (
    set +efu
    left=
    for launched in "$ecp_dir/launched"/*; do
        [ ! -d "$launched" ] || ecp_destroy "${launched##*/}" || left="$left ${launched##*/}"
    done
    if [ -n "$left" ]; then
        echo "ecp.sh: not destroyed:$left; so $ecp_dir stays" >&2
        exit 1
    fi
    # The one cgroup that the program keeps, of v2.
    sed -n 's/^[^ ]* [^ ]* [^ ]* [^ ]* \([^ ]*\) .* - cgroup2* .*/\1/p' /proc/self/mountinfo | while IFS= read -r point; do
        rmdir "$point/$ecp_cgroups/supervisors" "$point/$ecp_cgroups" 2> /dev/null || :
    done
    rm -rf "$ecp_dir"
)
