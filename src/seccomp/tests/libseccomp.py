# Reads lines "default archs rules", all JSON, and answers with a line of hexadecimal digits: the filter that libseccomp makes.
import json
import sys
import tempfile

import seccomp

ACTIONS = {
    "allow": seccomp.ALLOW,
    "kill": seccomp.KILL_PROCESS,
    "trap": seccomp.TRAP,
    "log": seccomp.LOG,
}
OPS = {
    "NotEqual": seccomp.NE,
    "Less": seccomp.LT,
    "LessOrEqual": seccomp.LE,
    "Equal": seccomp.EQ,
    "GreaterOrEqual": seccomp.GE,
    "Greater": seccomp.GT,
    "MaskedEqual": seccomp.MASKED_EQ,
}


def action(name):
    return ACTIONS[name] if name in ACTIONS else seccomp.ERRNO(int(name))


for line in sys.stdin:
    default, with_x86, rules = json.loads(line)
    made = seccomp.SyscallFilter(action(default))
    made.set_attr(seccomp.Attr.ACT_BADARCH, seccomp.KILL_PROCESS)
    if with_x86:
        made.add_arch(seccomp.Arch.X86)
    for answer, name, conditions in rules:
        arguments = []
        for index, op, value, value_two in conditions:
            values = (value, value_two) if op == "MaskedEqual" else (value,)
            arguments.append(seccomp.Arg(index, OPS[op], *values))
        made.add_rule(action(answer), name, *arguments)
    with tempfile.TemporaryFile() as file:
        made.export_bpf(file)
        file.seek(0)
        print(file.read().hex(), flush=True)
